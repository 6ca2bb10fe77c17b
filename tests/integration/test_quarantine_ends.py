"""How pairs leave the quarantine, and what never gets into it."""

from __future__ import annotations

import pytest

from monitor.healing import writer
from monitor.healing.quarantine import MAX_REFUSED
from monitor.state.runs import RunState
from tests.support.app import app_on
from tests.support.healing import (
    at_the_gate,
    heal,
    heal_until,
    paced,
    plan,
    planted,
    working,
)
from tests.support.ledger_audit import (
    assert_records_agree,
)
from tests.support.poison import (
    RAISED,
    THREE,
    heal_by_schedule,
    quarantined,
    scheduled,
)

pytestmark = pytest.mark.prepared


async def test_a_person_who_heals_tries_all_of_them_at_once(app_database_url: str) -> None:
    async with planted(app_database_url, users=5, artworks=8) as (app, runtime):
        await RAISED.build(app, THREE)
        await heal(runtime)
        await app.run("DELETE FROM poison WHERE user_id = 'u0002'")
        ended = await heal(runtime)
        assert (ended.run.state, ended.run.inserted) == (RunState.PARTIAL, 2)
        assert {pair: n for pair, (n, _) in (await quarantined(app)).items()} == {THREE[2]: 2}


async def test_a_cured_pair_leaves_with_the_batch_that_wrote_it(app_database_url: str) -> None:
    async with planted(app_database_url, users=5, artworks=8, **paced(1)) as (app, runtime):
        await RAISED.build(app, THREE)
        await heal(runtime)
        await app.run("DELETE FROM poison")
        held = await heal_until(runtime, await plan(runtime), batches=1)
        assert (held.run.state, held.run.inserted) == (RunState.HELD, 1)
        assert set(await quarantined(app)) == set(THREE[1:])


@pytest.mark.parametrize(
    "event",
    [
        "DELETE FROM art_sessions WHERE id IN ('old0001', 'old0003', 'old0004')",
        "DELETE FROM users WHERE id IN ('u0002', 'u0004')",
        "DROP TRIGGER refuse ON user_art_impressions; INSERT INTO user_art_impressions"
        " (user_id, artwork_id) SELECT user_id, artwork_id FROM poison",
        "UPDATE art_sessions SET created_at = now() WHERE id IN ('old0001', 'old0003', 'old0004')",
    ],
    ids=["artworks are deleted", "users are deleted", "the app writes them", "they are young"],
)
async def test_a_pair_that_needs_no_healing_any_more_leaves_the_quarantine(
    app_database_url: str, event: str
) -> None:
    async with planted(app_database_url, users=5, artworks=8) as (app, runtime):
        await RAISED.build(app, THREE)
        await heal(runtime)
        await app.run(event)
        await app.run(
            "INSERT INTO art_sessions (id, session_id, image_url, created_at)"
            " VALUES ('older', 's', '/', timezone('UTC', now()) - interval '20 days')"
        )
        ended = await heal_by_schedule(runtime)
        assert ended.run.state is RunState.SUCCEEDED
        assert await quarantined(app) == {}
        await assert_records_agree(app)


async def test_an_artwork_that_goes_while_its_pair_is_tried_is_no_refusal(
    app_database_url: str,
) -> None:
    async with planted(app_database_url, users=2, artworks=4, **paced(1, "30s")) as (app, runtime):
        async with at_the_gate(app_database_url, app, runtime, after_batches=2) as (gate, task):
            await app.run("DELETE FROM art_sessions WHERE id = 'old0003'")
            await gate.open()
            ended = await task
        assert (ended.run.state, ended.run.inserted) == (RunState.SUCCEEDED, 2 * 3)
        assert await quarantined(app) == {}
        await assert_records_agree(app)


async def test_a_lock_never_puts_a_pair_aside(
    app_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "LONGEST_RETRY_WAIT_SECONDS", 0.01)
    async with (
        planted(app_database_url, users=1, artworks=3, **paced(1, "20ms")) as (app, runtime),
        app_on(app_database_url) as visitor,
    ):
        async with visitor.connection.transaction():
            await visitor.run(
                "INSERT INTO user_art_impressions (user_id, artwork_id) VALUES ('u0001', 'old0002')"
            )
            ended = await working(runtime, await plan(runtime))
        assert (ended.run.state, ended.run.inserted) == (RunState.HELD, 1)
        assert await quarantined(app) == {}


async def test_an_artwork_that_nobody_may_have_costs_its_pairs_and_no_others(
    app_database_url: str,
) -> None:
    users = MAX_REFUSED + 10
    async with planted(app_database_url, users=users, artworks=1) as (app, runtime):
        await app.run(
            "ALTER TABLE user_art_impressions ADD CONSTRAINT never CHECK (artwork_id <> 'old0001')"
        )
        ended = await heal(runtime)
        assert (ended.run.state, ended.run.quarantined) == (RunState.PARTIAL, users)
        assert await scheduled(runtime) is None


async def test_a_table_that_refuses_everything_fails_the_run_before_it_tried_each_pair(
    app_database_url: str,
) -> None:
    async with planted(app_database_url, users=MAX_REFUSED, artworks=3) as (app, runtime):
        await app.run(
            "ALTER TABLE user_art_impressions ADD CONSTRAINT never CHECK (false) NOT VALID"
        )
        ended = await heal(runtime)
        assert (ended.run.state, ended.run.inserted) == (RunState.FAILED, 0)
        assert "it is the table that refuses: 23514" in ended.run.outcome
        assert len(await quarantined(app)) == MAX_REFUSED
        await app.run("ALTER TABLE user_art_impressions DROP CONSTRAINT never")
        mended = await heal(runtime)
        assert (mended.run.state, mended.run.inserted) == (RunState.SUCCEEDED, MAX_REFUSED * 3)
        assert await quarantined(app) == {}
        await assert_records_agree(app)
