"""App schemas on a database that tests share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.support.databases import EMPTY, cloned
from tests.support.open_schema import OpenSchema, open_schema
from tests.support.postgres import PostgresServer
from tests.support.schema_matrix import APP_SCHEMAS


@pytest.fixture(scope="session")
def shared_url(server: PostgresServer) -> Iterator[str]:
    """A database for tests that make tables in schemas of their own and roll back all else."""
    with cloned(server, EMPTY) as made:
        yield made


@pytest.fixture(params=APP_SCHEMAS, ids=lambda schema: schema.name)
async def opened(request: pytest.FixtureRequest, shared_url: str) -> AsyncIterator[OpenSchema]:
    """Each app schema in turn; a test that names others by parametrize gets those."""
    async with open_schema(shared_url, request.param) as made:
        yield made
