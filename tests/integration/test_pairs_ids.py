"""Ids come as text from outside; what can't be an id of the column's type is nobody's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.catalogue import read_catalogue
from checks.errors import UnknownUserError
from checks.pairs import PairState, explain, read_pair, take_user_census
from checks.relations import Catalogue
from checks.spec import CatalogueSpec, Cutoffs, PoolsSpec
from monitor.database import database_now
from tests.support.open_schema import connected

POOLS = PoolsSpec()
Catalogued = tuple[AsyncConnection, Catalogue]

TABLES = """
CREATE TYPE shade AS ENUM ('dark', 'light');
CREATE DOMAIN short AS varchar(3) CHECK (VALUE <> 'no');
CREATE TABLE users (id {type} PRIMARY KEY);
CREATE TABLE art_sessions (id {type} PRIMARY KEY, created_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE user_art_impressions (
    user_id {type} NOT NULL, artwork_id {type} NOT NULL, viewed_at timestamptz NOT NULL
);
INSERT INTO users VALUES ('{id}');
INSERT INTO art_sessions (id) VALUES ('{id}');
"""

UNUSUAL = ["", "\x00", "a\x00b", "\ud800", "é%s{}", "'; SELECT 1 --", "x" * 10_000]
TYPES = [
    ("uuid", "00000000-0000-4000-8000-000000000001", ["nobody", "00000000-0000-4000-8000-0000"]),
    ("bigint", "7", ["nobody", "9223372036854775808", "-9223372036854775809", "7.5", "1e400000"]),
    ("numeric", "7", ["1e400000", "seven"]),
    ("varchar(3)", "abc", ["abcd", "ab", "ABC", "abc "]),
    ("short", "abc", ["abcd", "no"]),
    ("shade", "dark", ["darker"]),
    ("date", "2026-01-01", ["2026-02-30", "today we", "999999999-01-01"]),
    ("inet", "10.0.0.1", ["10.0.0.256"]),
]
"""Types of ids, an id that is there, and texts that are nobody's or no id at all."""


@asynccontextmanager
async def prepared(shared_url: str, kind: str, known: str) -> AsyncIterator[Catalogued]:
    async with connected(
        shared_url, f"ids {kind}", TABLES.format(type=kind, id=known)
    ) as connection:
        async with connection.begin():
            catalogue = (await read_catalogue(connection, CatalogueSpec())).require()
        yield connection, catalogue


async def cutoffs(connection: AsyncConnection) -> Cutoffs:
    return Cutoffs.at(await database_now(connection), POOLS)


@pytest.mark.parametrize(("kind", "known", "_"), TYPES, ids=[kind for kind, _, _ in TYPES])
async def test_an_id_of_any_type_is_found_by_its_text(
    shared_url: str, kind: str, known: str, _: list[str]
) -> None:
    async with prepared(shared_url, kind, known) as (connection, catalogue):
        moment = await cutoffs(connection)
        one = await take_user_census(connection, catalogue, POOLS, moment, known)
        assert (one.in_audience, one.fresh) == (False, 1)
        assert await pair_state(connection, catalogue, known, known) is PairState.FRESH


@pytest.mark.parametrize(("kind", "known", "others"), TYPES, ids=[kind for kind, _, _ in TYPES])
async def test_a_text_that_is_no_id_or_nobodys_is_an_unknown_user_and_in_no_pair(
    shared_url: str, kind: str, known: str, others: list[str]
) -> None:
    async with prepared(shared_url, kind, known) as (connection, catalogue):
        for text in (*others, *UNUSUAL):
            moment = await cutoffs(connection)
            with pytest.raises(UnknownUserError, match="No user has the id"):
                await take_user_census(connection, catalogue, POOLS, moment, text)
            await connection.rollback()
            for user, artwork in ((text, known), (known, text)):
                assert await pair_state(connection, catalogue, user, artwork) in (
                    PairState.NO_PAIR,
                    None,
                )


async def pair_state(
    connection: AsyncConnection, catalogue: Catalogue, user: str, artwork: str
) -> PairState | None:
    """The explained state, or None where it says that there are no such ids."""
    moment = await cutoffs(connection)
    try:
        facts = await read_pair(
            connection, catalogue, POOLS, moment, user_id=user, artwork_id=artwork
        )
    except UnknownUserError as error:
        assert "is no id of the type" in str(error)
        return None
    finally:
        await connection.rollback()
    return explain(facts, POOLS, moment).state
