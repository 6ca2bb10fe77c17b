"""Every word of `catalog` with every other, by chance: each exact form of the census, each user's
counts and each pair's explanation equal the plain anti-join, to the microsecond."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

from sqlalchemy.ext.asyncio import AsyncConnection

from checks.affected import count_affected_users
from checks.catalogue import read_catalogue
from checks.census import exact_forms, take_census
from checks.citus.forms import on_citus
from checks.pairs import PairState, explain, read_pair, take_user_census
from checks.relations import Catalogue
from checks.spec import Cutoffs
from tests.integration.test_census import assert_equal
from tests.support.healing import make_settings
from tests.support.open_schema import connected, run
from tests.support.random_catalogues import (
    PEOPLE,
    PIECES,
    TABLES,
    Right,
    Shape,
    questions,
    random_rows,
    random_shape,
    right,
)

NOW = datetime(2026, 3, 29, 12, tzinfo=UTC)
VERIFIED = NOW - timedelta(days=8)


TRIED = 40


async def test_what_any_configuration_says_is_what_is_counted(shared_url: str) -> None:
    for seed in range(TRIED):
        await count(shared_url, seed)


async def count(url: str, seed: int) -> None:
    """One configuration, by every form and question."""
    chance = Random(seed)
    shape = random_shape(chance, NOW)
    rows = random_rows(chance, shape, NOW)
    async with (
        connected(url, "any catalogue", TABLES) as connection,
        connection.begin() as transaction,
    ):
        await run(connection, f"{shape.ddl}; {rows.script or 'SELECT'}")
        settings = make_settings(url, catalog=shape.catalog)
        catalogue = (await read_catalogue(connection, settings.catalog_spec())).require()
        expected = await _right(connection, shape)
        await _assert_counted(connection, catalogue, shape, expected)
        await _assert_explained(connection, catalogue, shape, expected)
        await transaction.rollback()


async def _right(connection: AsyncConnection, shape: Shape) -> Right:
    found = [
        [tuple(row) for row in (await connection.exec_driver_sql(one.replace("%", "%%"))).all()]
        for one in questions(shape, NOW)
    ]
    return right(found[0], found[1], VERIFIED.timestamp())


async def _assert_counted(
    connection: AsyncConnection, catalogue: Catalogue, shape: Shape, right: Right
) -> None:
    expected, cutoffs = right.census, Cutoffs.at(NOW, shape.pools)
    for one in (catalogue, on_citus(catalogue)):
        for form in (None, *exact_forms(one)):
            census = await take_census(
                connection, one, shape.pools, cutoffs, verified_until=VERIFIED, form=form
            )
            assert_equal(census, expected)
        affected = await count_affected_users(connection, one, shape.pools, cutoffs, census)
        assert (affected.affected, affected.clear) == (
            expected.affected,
            expected.audience - expected.affected,
        )


async def _assert_explained(
    connection: AsyncConnection, catalogue: Catalogue, shape: Shape, right: Right
) -> None:
    cutoffs = Cutoffs.at(NOW, shape.pools)
    asked = (connection, catalogue, shape.pools, cutoffs)
    for user, (member, counts) in right.census.by_user.items():
        one = await take_user_census(*asked, user)
        found = (one.tracked, one.fresh, one.storage, one.legacy_untracked)
        assert (one.in_audience, found) == (member, counts)
    for person in range(1, PEOPLE + 1):
        for piece in range(1, PIECES + 1, 2):
            pair = str(person), str(piece)
            facts = await read_pair(*asked, user_id=pair[0], artwork_id=pair[1])
            state = right.census.states.get(pair)
            said = explain(facts, shape.pools, cutoffs)
            assert said.state == (PairState.NO_PAIR if state is None else state), (pair, said)
