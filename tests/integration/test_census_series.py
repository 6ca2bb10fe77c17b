"""How the counts went, for a chart: few points, and no incident too short to be among them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from monitor.database import transaction
from monitor.runtime import Runtime
from monitor.state.history import MOST_POINTS, CensusPoint, read_series
from monitor.state.runs import read_backfilled
from tests.support.app import app_on
from tests.support.healing import make_runtime
from tests.support.query_plans import plans_of

pytestmark = pytest.mark.prepared

DAY = timedelta(days=1)
FILL = """
INSERT INTO conservator.census (as_of, form, tracked, fresh, storage, legacy_untracked, appeared,
    legacy_artworks, audience, users, seconds)
SELECT now() - make_interval(secs => %(every)s * n), 'census_by_total', 1000 - mod(n, 7),
    mod(n, 3), mod(n, 5), CASE WHEN n = %(spike)s THEN 42 ELSE 0 END, 0, 0, 10, 10, 0.1
FROM generate_series(0, %(rows)s - 1) AS n
"""


async def series(runtime: Runtime, span: timedelta) -> tuple[CensusPoint, ...]:
    async with transaction(runtime.engine) as connection:
        return await read_series(connection, runtime.state, span)


async def test_many_censuses_become_few_points_and_a_short_incident_stays(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app, make_runtime(app_database_url) as runtime:
        await app.run(FILL, every=20.0, rows=8640, spike=4001)
        found = await series(runtime, DAY)
        assert MOST_POINTS // 2 < len(found) <= MOST_POINTS
        assert [point.as_of for point in found] == sorted(point.as_of for point in found)
        assert [point.legacy_untracked for point in found if point.legacy_untracked] == [42]
        ago = found[-1].as_of - found[0].as_of
        assert DAY - timedelta(minutes=20) < ago < DAY


async def test_a_young_history_fills_the_span_and_none_is_empty(app_database_url: str) -> None:
    async with app_on(app_database_url) as app, make_runtime(app_database_url) as runtime:
        assert await series(runtime, DAY) == ()
        await app.run(FILL, every=2.0, rows=1, spike=0)
        [only] = await series(runtime, DAY)
        assert (only.tracked, only.legacy_untracked) == (1000, 42)
        await app.run("DELETE FROM conservator.census")
        await app.run(FILL, every=2.0, rows=60, spike=30)
        found = await series(runtime, DAY)
        assert len(found) == 60  # none of two minutes' censuses is left out of a day's chart


async def test_the_span_is_read_by_the_index_and_nothing_before_it(app_database_url: str) -> None:
    async with app_on(app_database_url) as app, make_runtime(app_database_url) as runtime:
        await app.run(FILL, every=60.0, rows=40_000, spike=0)
        await app.run("ANALYZE conservator.census")
        async with transaction(runtime.engine) as connection:
            [plan] = await plans_of(connection, lambda: read_series(connection, runtime.state, DAY))
        scans = [node for node in plan.walk() if node.relation == "census" or node.index]
        assert {node.index for node in scans} == {"census_as_of"}
        assert max(node.rows for node in plan.walk()) <= 1441


async def test_whether_and_when_a_user_was_backfilled_is_known(app_database_url: str) -> None:
    async with app_on(app_database_url) as app, make_runtime(app_database_url) as runtime:
        await app.run(
            "INSERT INTO conservator.backfilled_user VALUES ('u1', 7, 12, '2026-01-31 12:00Z')"
        )
        async with transaction(runtime.engine) as connection:
            found = await read_backfilled(connection, runtime.state, "u1")
            assert found is not None
            assert (found.run_id, found.inserted) == (7, 12)
            assert await read_backfilled(connection, runtime.state, "u2") is None
