"""Which moment a column without time zone means, and that no session's time zone changes it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from checks.census import take_census
from checks.spec import Audience, Cutoffs, PoolsSpec
from monitor.database import database_now
from tests.support.open_schema import connected, open_schema, run
from tests.support.schema_matrix import BERLIN

POOLS = PoolsSpec(audience=Audience.ALL)
BORN = """
INSERT INTO "User" VALUES ('00000000-0000-4000-8000-000000000000', NULL);
INSERT INTO "Art Sessions" VALUES ('00000000-0000-4000-8000-000000000000', '{wall}');
"""


WALLS = {
    "2026-07-01 12:00": "2026-07-01T10:00Z",
    "2026-01-01 12:00": "2026-01-01T11:00Z",
    "2025-10-26 02:30": "2025-10-26T01:30Z",  # comes twice
    "2026-03-29 02:30": "2026-03-29T01:30Z",  # never comes
}
"""What clocks in Berlin show, and when that is."""


@pytest.mark.parametrize("session", ["UTC", "Europe/Berlin", "Pacific/Auckland"])
async def test_a_column_without_time_zone_is_read_in_that_of_the_catalogue(
    shared_url: str, session: str
) -> None:
    async with open_schema(shared_url, BERLIN) as opened:
        connection = opened.connection
        for wall, instant in WALLS.items():
            reached = datetime.fromisoformat(instant) + POOLS.legacy_after
            async with connection.begin() as transaction:
                await run(connection, f"SET TIME ZONE '{session}'; {BORN.format(wall=wall)}")
                for now, legacy in ((reached, 1), (reached - timedelta.resolution, 0)):
                    census = await take_census(
                        connection, opened.catalogue, POOLS, Cutoffs.at(now, POOLS)
                    )
                    assert (census.legacy_untracked, census.storage) == (legacy, 1 - legacy)
                await transaction.rollback()


async def test_seven_days_are_168_hours_whatever_the_server_calls_its_time_zone(
    shared_url: str,
) -> None:
    async with connected(shared_url, "clock", "") as connection:
        for zone in ("UTC", "America/New_York", "Europe/Berlin", "Pacific/Auckland"):
            await run(connection, f"SET TIME ZONE '{zone}'")
            now = await database_now(connection)
            # Two moves of the clocks lie between these ages, whatever the day.
            for days in range(0, 366, 7):
                pools = replace(POOLS, legacy_after=timedelta(days=days))
                cutoffs = Cutoffs.at(now, pools)
                assert cutoffs.legacy_until.astimezone(UTC) == now.astimezone(UTC) - timedelta(
                    days=days
                )


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Pacific/Auckland"])
def test_borders_do_not_move_when_the_clocks_do(zone: str) -> None:
    pools = PoolsSpec()
    moment = datetime(2025, 1, 1, 0, 10, tzinfo=UTC)
    for _ in range(366 * 24):
        moment += timedelta(hours=1)
        cutoffs = Cutoffs.at(moment.astimezone(ZoneInfo(zone)), pools)
        assert cutoffs.now == moment
        assert cutoffs.fresh_after.astimezone(UTC) == moment - pools.fresh_for
        assert cutoffs.legacy_until.astimezone(UTC) == moment - pools.legacy_after
