"""A run writes what was planned and no more: caps, splits, frozen cutoffs, and an end at last."""

from __future__ import annotations

import asyncio

import pytest

from monitor.healing.executor import Progress
from monitor.healing.strategy import PASSES
from monitor.state.runs import RunState
from tests.support.app import App
from tests.support.healing import (
    claimed,
    heal,
    heal_until,
    paced,
    plan,
    planted,
    working,
)
from tests.support.ledger_audit import (
    assert_ledger_is_there,
    assert_only_legacy_inserted,
    assert_records_agree,
    start_audit,
)

pytestmark = pytest.mark.prepared

_BACKDATED = """
INSERT INTO art_sessions (id, session_id, image_url, created_at)
SELECT 'imported' || n, 's', '/', timezone('UTC', now()) - interval '20 days'
FROM generate_series(1, %(n)s) AS n
"""
_SEE = """
INSERT INTO user_art_impressions (user_id, artwork_id, viewed_at)
SELECT %(user)s, id, timezone('UTC', now()) FROM art_sessions
WHERE id LIKE 'old%%' ORDER BY id LIMIT %(n)s
"""


async def verified_until(app: App) -> object:
    return await app.value("SELECT verified_until FROM conservator.control")


async def largest_batch(app: App) -> int:
    return int(await app.value("SELECT max(inserted) FROM conservator.batch"))


async def test_a_capped_run_stops_at_its_cap_and_the_verified_cutoff_waits_for_a_whole_one(
    app_database_url: str,
) -> None:
    async with planted(app_database_url, users=4, artworks=10) as (app, runtime):
        first = await heal(runtime, max_rows=25)
        assert (first.run.state, first.run.inserted) == (RunState.SUCCEEDED, 25)
        assert first.census is not None
        assert first.census.legacy_untracked == first.run.legacy_after == 15
        assert await verified_until(app) is None
        second = await heal(runtime, max_rows=15)
        assert (second.run.state, second.run.inserted) == (RunState.SUCCEEDED, 15)
        assert await verified_until(app) == second.run.legacy_until
        await assert_records_agree(app)


@pytest.mark.parametrize("max_batch", [7, 1000])
async def test_no_cap_is_passed_when_the_app_itself_writes_planned_pairs(
    app_database_url: str, max_batch: int
) -> None:
    async with planted(app_database_url, users=3, artworks=10, **paced(max_batch)) as (
        app,
        runtime,
    ):
        run = await plan(runtime, max_rows=14)  # the second user is planned in part
        await app.run(_SEE, user="u0001", n=3)
        ended = await working(runtime, run)
        assert ended.run.state is RunState.SUCCEEDED
        assert ended.run.inserted <= 14
        await assert_records_agree(app)


@pytest.mark.parametrize("max_batch", [7, 1000])
async def test_no_cap_and_no_batch_is_passed_when_old_artworks_are_imported_after_the_plan(
    app_database_url: str, max_batch: int
) -> None:
    async with planted(app_database_url, users=4, artworks=5, **paced(max_batch)) as (app, runtime):
        run = await plan(runtime, max_rows=18)
        await app.run(_BACKDATED, n=400)
        ended = await working(runtime, run)
        assert ended.run.inserted == 18
        assert await largest_batch(app) <= max_batch
        assert await verified_until(app) is None
        await assert_records_agree(app)


async def test_what_becomes_legacy_behind_a_run_is_left_to_the_next_one(
    app_database_url: str,
) -> None:
    async with planted(app_database_url, users=3, artworks=5) as (app, runtime):
        run = await plan(runtime)
        await app.run(_BACKDATED, n=50)
        ended = await working(runtime, run)
        assert ended.run.inserted == 15
        assert ended.run.state is RunState.PARTIAL
        assert await verified_until(app) is None
        assert (await heal(runtime)).run.inserted == 150
        assert await verified_until(app) is not None
        await assert_records_agree(app)


async def test_one_user_with_many_artworks_is_split_and_goes_on_where_it_was_put_down(
    app_database_url: str,
) -> None:
    async with planted(app_database_url, users=2, artworks=100, **paced(7)) as (app, runtime):
        held = await heal_until(runtime, await plan(runtime), batches=5)
        assert (held.run.state, held.run.inserted) == (RunState.HELD, 35)
        assert held.run.artwork_cursor == "old0035"
        ended = await working(runtime, await claimed(runtime, held.run.id))
        assert (ended.run.state, ended.run.inserted) == (RunState.SUCCEEDED, 200)
        assert await largest_batch(app) == 7
        assert ended.run.batches <= 2 * (100 // 7 + 1) + 1
        await assert_records_agree(app)
        await assert_ledger_is_there(app)


async def test_the_rest_of_a_user_that_was_split_counts_for_no_more_than_it_is(
    app_database_url: str,
) -> None:
    async with planted(app_database_url, users=3, artworks=15, **paced(10)) as (_, runtime):
        run = await plan(runtime)
        seen: list[Progress] = []
        await runtime.executor(seen.append).work(run)
        # By these the pace judges how many rows fit: of ten in the time of five, too many.
        assert [one.batch.looked_at for one in seen if one.batch is not None] == [10, 5] * 3


async def test_a_run_that_is_stopped_in_its_last_batch_is_put_down_before_it_counts(
    app_database_url: str,
) -> None:
    async with planted(app_database_url, users=2, artworks=5, **paced(10)) as (app, runtime):
        held = await heal_until(runtime, await plan(runtime), batches=1)
        assert (held.run.state, held.run.inserted) == (RunState.HELD, 10)
        ended = await working(runtime, await claimed(runtime, held.run.id))
        assert (ended.run.state, ended.run.inserted) == (RunState.SUCCEEDED, 10)
        await assert_records_agree(app)


async def test_users_whose_pairs_the_app_wrote_meanwhile_yield_empty_batches_and_an_end(
    app_database_url: str,
) -> None:
    async with planted(app_database_url, users=6, artworks=5, **paced(5)) as (app, runtime):
        run = await plan(runtime)
        for number in (1, 2, 4, 5):
            await app.run(_SEE, user=f"u000{number}", n=5)
        ended = await asyncio.wait_for(working(runtime, run), 20)
        assert (ended.run.state, ended.run.inserted) == (RunState.SUCCEEDED, 10)
        assert ended.run.batches == 6
        assert await verified_until(app) == run.legacy_until
        await assert_records_agree(app)


async def test_users_and_artworks_that_no_longer_count_when_their_batch_comes_are_left_alone(
    app_database_url: str,
) -> None:
    catalog = {"users": {"where": "is_active"}, "artworks": {"where": "pool_status = 'active'"}}
    async with planted(app_database_url, users=4, artworks=5, catalog=catalog) as (app, runtime):
        run = await plan(runtime)
        await app.run(
            "DELETE FROM user_art_impressions WHERE user_id = 'u0001';"  # leaves the audience
            "UPDATE users SET is_active = false WHERE id = 'u0002';"
            "UPDATE art_sessions SET pool_status = 'archived' WHERE id = 'old0001';"
            "UPDATE art_sessions SET created_at = timezone('UTC', now()) WHERE id = 'old0002'"
        )
        ended = await working(runtime, run)
        assert (ended.run.state, ended.run.inserted) == (RunState.SUCCEEDED, 2 * 3)
        assert await app.rows(
            "SELECT DISTINCT user_id FROM conservator.backfilled_impression ORDER BY 1"
        ) == [("u0003",), ("u0004",)]
        await assert_records_agree(app)
        await assert_ledger_is_there(app)


async def test_an_impression_that_vanishes_during_its_run_is_written_again(
    app_database_url: str,
) -> None:
    async with planted(app_database_url, users=3, artworks=5, **paced(5)) as (app, runtime):
        held = await heal_until(runtime, await plan(runtime), batches=1)
        await app.run(_SEE, user="u0003", n=5)
        await app.run(
            "DELETE FROM user_art_impressions WHERE user_id = 'u0001' AND artwork_id = 'old0003'"
        )
        ended = await working(runtime, await claimed(runtime, held.run.id))
        assert (ended.run.state, ended.run.outcome) == (
            RunState.SUCCEEDED,
            "Nothing of the plan is left.",
        )
        assert ended.run.inserted == 11  # one of them twice, for it was there twice
        assert await app.value("SELECT count(*) FROM conservator.backfilled_impression") == 10
        await assert_ledger_is_there(app)


async def test_a_table_that_swallows_inserts_ends_a_run_as_partial(app_database_url: str) -> None:
    # With the forms for Citus, which takes no triggers, so that nothing looks for their doings.
    async with planted(app_database_url, users=3, artworks=5, citus=True) as (app, runtime):
        await app.run(
            "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RETURN CASE WHEN NEW.artwork_id <> 'old0002' THEN NEW END; END $$;"
            "CREATE TRIGGER swallow BEFORE INSERT ON user_art_impressions"
            " FOR EACH ROW EXECUTE FUNCTION swallow()"
        )
        ended = await heal(runtime)
        assert (ended.run.state, ended.run.inserted) == (RunState.PARTIAL, 12)
        assert (ended.run.remaining, ended.run.pass_) == (3, PASSES)
        assert await verified_until(app) is None
        await assert_records_agree(app)


async def test_artworks_that_cross_the_border_while_a_run_lasts_are_left_for_the_next(
    app_database_url: str,
) -> None:
    async with planted(app_database_url, users=20, artworks=20, **paced(20)) as (app, runtime):
        # One more becomes seven days old every few milliseconds, for longer than the run lasts.
        await app.run(
            "INSERT INTO art_sessions (id, session_id, image_url, created_at)"
            " SELECT 'ageing' || n, 's', '/', timezone('UTC', clock_timestamp())"
            " - interval '7 days' + n * interval '30 milliseconds'"
            " FROM generate_series(1, 300) AS n"
        )
        await start_audit(app)
        ended = await heal(runtime)
        assert ended.run.state is RunState.SUCCEEDED
        assert ended.run.inserted == ended.run.planned_rows
        assert ended.census is not None
        assert ended.census.legacy_untracked > 0
        assert ended.census.appeared == 0
        assert await verified_until(app) == ended.run.legacy_until
        await assert_only_legacy_inserted(app)
        again = await heal(runtime)
        assert again.run.inserted == again.run.planned_rows >= ended.census.legacy_untracked
