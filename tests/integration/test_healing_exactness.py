"""What a run writes, and that it writes nothing else, alone and among writers."""

from __future__ import annotations

from functools import partial

import pytest

from checks.census import take_census
from checks.spec import Cutoffs, PoolsSpec
from monitor.database import database_now, snapshot
from monitor.state.runs import RunState
from tests.support.app import App
from tests.support.healing import heal, paced, planted
from tests.support.ledger_audit import (
    assert_ledger_is_there,
    assert_only_legacy_inserted,
    assert_records_agree,
    start_audit,
)
from tests.support.waiting import wait_until
from tests.support.writers import Writers

pytestmark = pytest.mark.prepared

# The census as people write it: every user with every artwork, for what is legacy at %(now)s.
PLAIN = """
WITH audience AS (
    SELECT u.id FROM users AS u
    WHERE EXISTS (SELECT FROM user_art_impressions AS i WHERE i.user_id = u.id)
),
pair AS (
    SELECT i.id IS NOT NULL AS tracked, %(now)s - a.created_at AT TIME ZONE 'UTC' AS age
    FROM audience AS u
    CROSS JOIN art_sessions AS a
    LEFT JOIN user_art_impressions AS i ON i.user_id = u.id AND i.artwork_id = a.id
)
SELECT
    count(*) FILTER (WHERE tracked),
    count(*) FILTER (WHERE NOT tracked AND age < interval '15 minutes'),
    count(*) FILTER (WHERE NOT tracked AND age >= interval '15 minutes'
        AND age < interval '7 days'),
    count(*) FILTER (WHERE NOT tracked AND age >= interval '7 days'),
    count(*)
FROM pair
"""


async def test_the_census_adds_up_in_one_snapshot_while_the_app_writes(
    app_database_url: str,
) -> None:
    async with planted(app_database_url, users=12, artworks=20) as (_, runtime):
        seen = set()
        async with Writers(app_database_url) as writers:
            for n in range(20):
                await wait_until(partial(writers.have_written, n * 20))
                async with snapshot(runtime.engine, timeout=runtime.settings.lease) as connection:
                    now = await database_now(connection)
                    pools = PoolsSpec()
                    census = await take_census(
                        connection, runtime.catalogue, pools, Cutoffs.at(now, pools)
                    )
                    result = await connection.exec_driver_sql(PLAIN, {"now": now})
                found: tuple[int, ...] = tuple(result.one())
                counts, pairs = found[:4], found[4]
                assert census.counts == counts
                assert census.pairs == sum(counts) == pairs
                seen.add(census.counts)
    assert len(seen) > 10


async def test_without_writers_a_run_adds_the_legacy_pairs_and_changes_nothing_else(
    app_database_url: str,
) -> None:
    async with planted(app_database_url, users=9, artworks=25, **paced(40)) as (app, runtime):
        begun = await app.value("SELECT timezone('UTC', clock_timestamp())")
        old = f"(SELECT * FROM user_art_impressions WHERE viewed_at <= '{begun}')"
        tables = ("users", "art_sessions", old)
        before = await app.fingerprint(*tables)
        expected = await legacy_pairs(app)
        ended = await heal(runtime)
        assert await app.fingerprint(*tables) == before
        assert ended.run.state is RunState.SUCCEEDED
        assert ended.run.inserted == 9 * 25
        assert (
            await app.rows(
                "SELECT user_id, artwork_id FROM user_art_impressions"
                f" WHERE viewed_at > '{begun}' ORDER BY 1, 2"
            )
            == expected
        )
        assert ended.census is not None
        assert ended.census.legacy_untracked == 0
        await assert_records_agree(app)
        await assert_ledger_is_there(app)


async def legacy_pairs(app: App) -> list[tuple[str, str]]:
    return await app.rows(
        "SELECT u.id, a.id FROM users AS u CROSS JOIN art_sessions AS a"
        " WHERE u.id IN (SELECT user_id FROM user_art_impressions)"
        " AND a.created_at <= timezone('UTC', now()) - interval '7 days'"
        " AND NOT EXISTS (SELECT FROM user_art_impressions AS i"
        "   WHERE i.user_id = u.id AND i.artwork_id = a.id) ORDER BY 1, 2"
    )


async def test_among_writers_a_run_only_ever_inserts_pairs_that_are_legacy(
    app_database_url: str,
) -> None:
    async with planted(app_database_url, users=30, artworks=60, **paced(40)) as (app, runtime):
        await start_audit(app)
        async with Writers(app_database_url) as writers:
            await wait_until(lambda: writers.have_written(20))
            ended = await heal(runtime)
            during = writers.writes
        assert during > 100
        assert ended.run.state is RunState.SUCCEEDED, ended.run.outcome
        assert ended.run.inserted > 500
        await assert_only_legacy_inserted(app)
        await assert_records_agree(app)
