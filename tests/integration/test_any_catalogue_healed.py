"""Random tables of random configurations are healed and taken back exactly: alone, and while the
app marks, unmarks, deletes and inserts the same pairs. `make fuzz` tries hundreds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.commands import on_one_server
from tests.support.databases import EMPTY, cloned
from tests.support.healed_catalogues import heal_among_writers, heal_and_undo, make_tables
from tests.support.postgres import PostgresServer

pytestmark = pytest.mark.long

ALONE, AMONG_WRITERS = 20, 6


@pytest.fixture(scope="module")
def url(server: PostgresServer) -> Iterator[str]:
    """A database with the tables, for one example after the other."""
    with cloned(server, EMPTY) as made:
        make_tables(made)
        yield made


async def test_what_is_legacy_is_written_and_taken_back(url: str) -> None:
    assert sum([await heal_and_undo(url, seed) for seed in range(ALONE)]) > ALONE


@on_one_server
async def test_among_writers_no_row_is_written_or_taken_that_should_not_be(url: str) -> None:
    assert sum([await heal_among_writers(url, seed) for seed in range(AMONG_WRITERS)]) > 0
