"""App schemas on a database that tests share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from monitor.checking.expectations.worker import WorkerPool
from tests.support.databases import EMPTY, cloned
from tests.support.healing import prepared
from tests.support.open_schema import OpenSchema, open_schema
from tests.support.postgres import PostgresServer
from tests.support.schema_matrix import APP_SCHEMAS


@pytest.fixture(scope="session")
def shared_url(server: PostgresServer) -> Iterator[str]:
    """A database for tests that make tables in schemas of their own and roll back all else."""
    with cloned(server, EMPTY) as made:
        yield made


@pytest.fixture(scope="session")
def suites_worker() -> Iterator[WorkerPool]:
    """A worker for suites of Great Expectations, whose start takes four seconds of a processor: one
    for all tests. One that a test has killed is started again when it is asked the next time."""
    shared = WorkerPool()
    yield shared
    asyncio.run(shared.close())


@pytest.fixture
async def service_url(app_database_url: str) -> str:
    """The URL of the test's database for a service, whose owner has prepared it."""
    return await prepared(app_database_url)


@pytest.fixture(params=APP_SCHEMAS, ids=lambda schema: schema.name)
async def opened(request: pytest.FixtureRequest, shared_url: str) -> AsyncIterator[OpenSchema]:
    """Each app schema in turn; a test that names others by parametrize gets those."""
    async with open_schema(shared_url, request.param) as made:
        yield made
