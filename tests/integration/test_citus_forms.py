"""The statements for Citus, on PostgreSQL: the same runs, undos and counts as with its own."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.spec import Cutoffs
from monitor.database import database_now, snapshot, transaction
from monitor.healing.quarantine import count_unwritable
from monitor.replicas.retention import forget_erased, sweep_ledger
from monitor.state import history
from monitor.state.runs import RunState
from tests.support.app import app_on
from tests.support.healing import (
    claimed,
    heal,
    heal_until,
    make_runtime,
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
from tests.support.poison import POISONS, THREE, missing, quarantined
from tests.support.servers import EMBEDDED
from tests.support.undoing import MATCHING, previewed, undo

# What is tested are the forms, not the servers: one is enough.
pytestmark = [
    pytest.mark.parametrize("server", [EMBEDDED], indirect=True, ids=["embedded"]),
    pytest.mark.prepared,
]

LEDGER = "SELECT count(*) FROM conservator.backfilled_impression"


async def agree(_: AsyncConnection) -> None:
    """Leads."""


async def test_a_run_writes_the_legacy_pairs_and_nothing_else(app_database_url: str) -> None:
    async with (
        app_on(app_database_url) as app,
        make_runtime(app_database_url, citus=True, **paced(40)) as runtime,
    ):
        # Some users are planned whole, and with this pace others in parts.
        await app.plant(users=9, artworks=25)
        await start_audit(app)
        ended = await heal(runtime)
        assert ended.run.state is RunState.SUCCEEDED
        assert ended.run.inserted == 9 * 25
        assert ended.census is not None
        assert ended.census.legacy_untracked == 0
        await assert_records_agree(app)
        await assert_ledger_is_there(app)
        await assert_only_legacy_inserted(app)


async def test_a_run_whose_row_lags_behind_its_data_goes_on_from_the_data(
    app_database_url: str,
) -> None:
    async with planted(app_database_url, users=9, artworks=25, citus=True, **paced(40)) as (
        app,
        runtime,
    ):
        await start_audit(app)
        run = (await heal_until(runtime, await plan(runtime), batches=3)).run
        written = int(await app.value(LEDGER))
        assert 0 < written < 9 * 25
        # As if the coordinator had been restored to a moment before these batches.
        await app.run(
            "UPDATE conservator.run SET position = 0, artwork_cursor = NULL, inserted = 0"
        )
        ended = await working(runtime, await claimed(runtime, run.id))
        assert ended.run.state is RunState.SUCCEEDED
        assert ended.run.inserted == 9 * 25 - written
        assert await app.value(LEDGER) == 9 * 25
        await assert_ledger_is_there(app)
        await assert_only_legacy_inserted(app)


async def test_an_undo_takes_back_what_the_app_has_not_touched(app_database_url: str) -> None:
    async with planted(app_database_url, users=6, artworks=12, citus=True, **paced(40)) as (
        app,
        runtime,
    ):
        run = (await heal(runtime)).run
        await app.run(
            "UPDATE user_art_impressions SET viewed_at = viewed_at + interval '1 second'"
            " WHERE (user_id, artwork_id) IN (SELECT user_id, artwork_id"
            " FROM conservator.backfilled_impression ORDER BY 1, 2 LIMIT 5)"
        )
        await app.run("DELETE FROM art_sessions WHERE id = 'old0012'")
        before = await previewed(runtime, run.id)
        assert (before.listed, before.touched, before.gone) == (72, 5, 6)
        ended = await undo(runtime, run.id)
        assert ended.run.state is RunState.SUCCEEDED
        assert ended.run.inserted == before.untouched == 72 - 5 - 6
        assert await app.value(MATCHING) == 0
        assert await app.value(LEDGER) == 5


async def test_pairs_that_are_refused_are_put_aside(app_database_url: str) -> None:
    async with planted(app_database_url, users=5, artworks=8, citus=True) as (app, runtime):
        await POISONS[0].build(app, THREE)
        ended = await heal(runtime)
        assert (ended.run.state, ended.run.inserted) == (RunState.PARTIAL, 5 * 8 - 3)
        assert set(await quarantined(app)) == set(THREE) == await missing(app)
        async with snapshot(runtime.engine, timeout=runtime.settings.lease) as connection:
            cutoffs = Cutoffs.at(await database_now(connection), runtime.state.pools)
            aside = await count_unwritable(connection, runtime.healing, cutoffs)
        assert aside.pairs == 3
        user = THREE[0][0]
        await app.run("DELETE FROM users WHERE id = %(user)s", user=user)
        await forget_erased(runtime, agree)
        assert {pair[0] for pair in await quarantined(app)} == {
            other for other, _ in THREE if other != user
        }


async def test_what_is_gone_is_forgotten(app_database_url: str) -> None:
    async with planted(app_database_url, users=6, artworks=10, citus=True) as (app, runtime):
        run = (await heal(runtime)).run
        assert await sweep_ledger(runtime, agree, step=7) == 0
        await app.run("DELETE FROM users WHERE id = 'u0002'")
        await app.run("DELETE FROM art_sessions WHERE id = 'old0001'")
        assert await sweep_ledger(runtime, agree, step=7) == 10 + 5
        await assert_ledger_is_there(app)
        await app.run("UPDATE conservator.run SET finished_at = now() - interval '91 days'")
        for left in (1, 0):
            async with transaction(runtime.engine, timeout=timedelta(seconds=10)) as connection:
                await history.prune(connection, runtime.state, timedelta(days=90))
            assert await app.value("SELECT count(*) FROM conservator.run") == left
            await app.run("DELETE FROM conservator.backfilled_impression")
        assert run.id
