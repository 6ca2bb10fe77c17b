"""Times where a clock was set: nobody is accused for an hour that Berlin had twice, or left out."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from checks import row_faults, supply
from checks.catalogue import read_catalogue
from checks.relations import Catalogue
from checks.spec import CatalogueSpec, Cutoffs, PoolsSpec
from tests.support.open_schema import connected, run

BERLIN = CatalogueSpec(timezone="Europe/Berlin")
POOLS = PoolsSpec()
LATER = datetime(2025, 12, 1, tzinfo=UTC)
# On 26 October 2025 at 01:00 UTC the clock went from 03:00 back to 02:00; on 30 March, at the same
# hour, from 02:00 to 03:00.
_TABLES = """
CREATE TABLE users (id text PRIMARY KEY);
CREATE TABLE art_sessions (id text PRIMARY KEY, created_at timestamp);
CREATE TABLE user_art_impressions (user_id text, artwork_id text, viewed_at {});
CREATE INDEX ON art_sessions (created_at);
CREATE INDEX ON user_art_impressions (viewed_at);
"""


@asynccontextmanager
async def shown(
    shared_url: str, created: str, viewed: str | None = None, stored: str = "timestamp"
) -> AsyncIterator[tuple[AsyncConnection, Catalogue]]:
    """One artwork, by the clock on the wall, and its impression by one user, if it was viewed."""
    async with (
        connected(shared_url, f"views as {stored}", _TABLES.format(stored)) as connection,
        connection.begin() as transaction,
    ):
        seen = "" if viewed is None else f"VALUES ('u', 'a', '{viewed}'::{stored})"
        await run(
            connection,
            "INSERT INTO users VALUES ('u');"
            f" INSERT INTO art_sessions VALUES ('a', '{created}');"
            + (f" INSERT INTO user_art_impressions {seen}" if seen else ""),
        )
        yield connection, (await read_catalogue(connection, BERLIN)).require()
        await transaction.rollback()


async def found(
    shared_url: str, created: str, viewed: str, now: datetime = LATER, stored: str = "timestamp"
) -> dict[str, float]:
    """The kinds of impossible times, those that were not found left out."""
    async with shown(shared_url, created, viewed, stored) as (connection, catalogue):
        measured = await row_faults.measure_timestamps(
            connection, catalogue, POOLS, Cutoffs.at(now, POOLS)
        )
    return {kind: count for kind, count in measured.numbers.items() if count}


@pytest.mark.parametrize(
    ("created", "viewed", "before"),
    [
        ("2025-10-26 02:50", "2025-10-26 02:05", False),  # may be 15 minutes later
        ("2025-10-26 02:50", "2025-10-26 01:44", True),  # more than an hour earlier, however read
        ("2025-10-26 02:50", "2025-10-26 03:00", False),
        ("2025-10-25 02:50", "2025-10-25 02:44", True),  # the day before, no such doubt
        ("2025-10-25 02:50", "2025-10-25 02:46", False),  # five minutes are granted
        ("2025-10-27 03:10", "2025-10-27 03:00", True),  # nor a day after
        ("2025-03-30 03:03", "2025-03-30 01:59", False),  # four minutes, and an hour on the wall
        ("2025-03-30 03:03", "2025-03-30 01:57", True),  # six
    ],
)
async def test_a_view_is_before_its_artwork_only_by_every_reading_of_the_clock(
    shared_url: str, created: str, viewed: str, before: bool
) -> None:
    kinds = await found(shared_url, created, viewed)
    assert kinds == ({"impressions_before_artwork": 1} if before else {})


@pytest.mark.parametrize(
    ("viewed", "ahead"),
    [
        ("2025-10-26 02:39", False),  # a minute ago, or in an hour
        ("2025-10-26 02:46", True),  # in six minutes, or more
        ("2025-10-26 03:30", True),
    ],
)
async def test_a_view_is_in_the_future_only_by_every_reading_of_the_clock(
    shared_url: str, viewed: str, ahead: bool
) -> None:
    now = datetime(2025, 10, 26, 0, 40, tzinfo=UTC)  # 02:40, for the first time
    kinds = await found(shared_url, "2025-10-01", viewed, now)
    assert kinds == ({"impressions_in_future": 1} if ahead else {})


async def test_an_hour_that_the_clock_left_out_is_read_as_postgresql_reads_it(
    shared_url: str,
) -> None:
    now = datetime(2025, 3, 30, 1, 10, tzinfo=UTC)  # 03:10; 02:30 never was, and means 03:30
    assert await found(shared_url, "2025-03-01", "2025-03-30 02:30", now) == {
        "impressions_in_future": 1
    }


@pytest.mark.parametrize(
    ("viewed", "before"), [("2025-06-10", False), ("2025-06-11", False), ("2025-06-09", True)]
)
async def test_a_date_lasts_until_its_day_ends(shared_url: str, viewed: str, before: bool) -> None:
    kinds = await found(shared_url, "2025-06-10 14:00", viewed, stored="date")
    assert kinds == ({"impressions_before_artwork": 1} if before else {})


async def test_a_date_is_in_the_future_from_the_next_day_on(shared_url: str) -> None:
    now = datetime(2025, 6, 10, 21, 50, tzinfo=UTC)  # ten minutes to midnight
    assert await found(shared_url, "2025-06-01", "2025-06-10", now, stored="date") == {}
    tomorrow = await found(shared_url, "2025-06-01", "2025-06-11", now, stored="date")
    assert tomorrow == {"impressions_in_future": 1}


@pytest.mark.parametrize(
    ("created", "unseen"),
    [
        # Seven days before are 00:50 UTC, 02:50 for the first time; 02:10 is read as 01:10 UTC.
        ("2025-10-26 02:10", True),
        ("2025-10-26 01:59", False),
    ],
)
async def test_the_pool_begins_where_the_census_begins_it(
    shared_url: str, created: str, unseen: bool
) -> None:
    now = datetime(2025, 11, 2, 0, 50, tzinfo=UTC)
    async with shown(shared_url, created) as (connection, catalogue):
        await run(connection, "INSERT INTO user_art_impressions VALUES ('u', 'gone', now())")
        measured = await supply.measure_pool(
            connection, catalogue, POOLS, Cutoffs.at(now, POOLS), minimum=1
        )
    assert measured.value == (0 if unseen else 1)


async def test_the_newest_artwork_is_as_old_as_its_clock_is_read(shared_url: str) -> None:
    now = datetime(2025, 10, 26, 1, 30, tzinfo=UTC)  # 02:30, for the second time
    async with shown(shared_url, "2025-10-26 02:20") as (connection, catalogue):
        measured = await supply.measure_supply(connection, catalogue, POOLS, Cutoffs.at(now, POOLS))
    assert measured.value == 600
    assert measured.evidence == (
        {"artwork_id": "a", "created_at": "2025-10-26T01:20:00.000000+00:00"},
    )
    assert measured.message == "The newest artwork is 0:10:00 old."


@pytest.mark.parametrize(
    ("created", "age"),
    [("2025-06-01 13:59", 60), ("2025-06-01 14:04", 0), ("2025-06-01 14:06", math.inf)],
)
async def test_an_artwork_a_few_minutes_ahead_is_new_and_not_of_the_future(
    shared_url: str, created: str, age: float
) -> None:
    now = datetime(2025, 6, 1, 12, tzinfo=UTC)  # 14:00
    async with shown(shared_url, created) as (connection, catalogue):
        measured = await supply.measure_supply(connection, catalogue, POOLS, Cutoffs.at(now, POOLS))
    assert measured.value == age
    assert ("no artwork" in measured.message) == math.isinf(age)
