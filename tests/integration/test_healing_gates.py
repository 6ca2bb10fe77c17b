"""What holds a run: pauses, windows, stops."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from monitor.database import transaction
from monitor.healing.errors import PausedError
from monitor.runtime import Runtime
from monitor.state import control
from monitor.state.runs import RunState
from tests.support.healing import (
    at_the_gate,
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
    assert_records_agree,
)

pytestmark = pytest.mark.prepared

PACED = paced(10, "30s")


async def test_a_pause_holds_a_run_before_its_next_batch_and_nobody_writes_until_it_ends(
    app_database_url: str,
) -> None:
    async with planted(app_database_url, users=10, artworks=10, **PACED) as (app, runtime):
        async with at_the_gate(app_database_url, app, runtime, after_batches=3) as (gate, task):
            await pause(runtime, "an incident")
            await gate.open()
            held = await task
        # The batch that had begun is the last one.
        assert (held.run.state, held.run.batches, held.run.inserted) == (RunState.HELD, 4, 40)
        assert held.run.outcome == "Paused: an incident. `conservator resume` ends the pause."
        with pytest.raises(PausedError, match="an incident"):
            await plan(runtime)
        before = await app.fingerprint("user_art_impressions", "conservator.backfilled_impression")
        again = await working(runtime, await claimed(runtime, held.run.id))
        assert (again.run.state, again.run.inserted) == (RunState.HELD, 40)
        assert before == await app.fingerprint(*before)
        async with transaction(runtime.engine, timeout=runtime.settings.lease) as connection:
            await control.resume(connection, runtime.state)
        ended = await working(runtime, await claimed(runtime, held.run.id))
        assert (ended.run.state, ended.run.inserted) == (RunState.SUCCEEDED, 100)
        await assert_records_agree(app)
        await assert_ledger_is_there(app)


async def pause(runtime: Runtime, reason: str) -> None:
    async with transaction(runtime.engine, timeout=runtime.settings.lease) as connection:
        await control.pause(connection, runtime.state, reason)


def closed_window() -> str:
    now = datetime.now(UTC)
    return f"{now + timedelta(hours=2):%H:%M}-{now + timedelta(hours=3):%H:%M}"


async def test_outside_the_window_a_run_is_held_and_a_persons_run_goes_on(
    app_database_url: str,
) -> None:
    async with planted(
        app_database_url, users=3, artworks=10, **paced(10, "1s", window=closed_window())
    ) as (app, runtime):
        held = await heal(runtime)
        assert (held.run.state, held.run.inserted) == (RunState.HELD, 0)
        assert "the window for healing is" in held.run.outcome
        taken = await claimed(runtime, held.run.id)
        ended = await runtime.executor(lambda _: None, window=False).work(taken)
        assert (ended.run.state, ended.run.inserted) == (RunState.SUCCEEDED, 30)
        await assert_records_agree(app)


async def test_a_stop_lets_the_batch_under_way_end_and_puts_the_run_down(
    app_database_url: str,
) -> None:
    async with planted(app_database_url, users=10, artworks=10, **PACED) as (app, runtime):
        held = await heal_until(runtime, await plan(runtime), batches=4)
        assert (held.run.state, held.run.batches, held.run.inserted) == (RunState.HELD, 4, 40)
        assert held.run.claimable
        ended = await working(runtime, await claimed(runtime, held.run.id))
        assert (ended.run.state, ended.run.inserted) == (RunState.SUCCEEDED, 100)
        await assert_records_agree(app)
