"""Random tables of any configuration are healed and taken back exactly: alone, and while the app
marks, unmarks, deletes and inserts the same pairs."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.app import conninfo
from tests.support.commands import on_one_server
from tests.support.databases import EMPTY, cloned
from tests.support.generated import examples
from tests.support.healed_catalogues import AUDIT, heal_among_writers, heal_and_undo
from tests.support.postgres import PostgresServer
from tests.support.random_catalogues import TABLES, rows_of, shapes

seeds = st.integers(0, 2**32)


@pytest.fixture(scope="module")
def url(server: PostgresServer) -> Iterator[str]:
    """A database with the tables, for one example after the other."""
    with cloned(server, EMPTY) as made:
        with psycopg.connect(conninfo(made), autocommit=True) as connection:
            connection.execute((TABLES + AUDIT).encode())
        yield made


@examples(12)
@given(data=st.data())
async def test_what_is_legacy_is_written_and_taken_back(url: str, data: st.DataObject) -> None:
    now = datetime.now(UTC)
    shape = data.draw(shapes(now))
    rows = data.draw(rows_of(shape, now))
    await heal_and_undo(url, shape, rows, random.Random(data.draw(seeds)))


@on_one_server
@examples(8)
@given(data=st.data())
async def test_among_writers_no_row_is_written_or_taken_that_should_not_be(
    url: str, data: st.DataObject
) -> None:
    now = datetime.now(UTC)
    shape = data.draw(shapes(now))
    rows = data.draw(rows_of(shape, now))
    await heal_among_writers(url, shape, rows, data.draw(seeds))
