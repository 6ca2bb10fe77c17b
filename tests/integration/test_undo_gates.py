"""What holds an undo, and who goes on with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from monitor.database import transaction
from monitor.healing.errors import LeaseLostError
from monitor.healing.executor import RunResult
from monitor.policy.decision import Code
from monitor.runtime import Runtime
from monitor.service.service import Service
from monitor.state import control
from monitor.state.runs import Run, RunState, get_run
from tests.integration.test_healing_gates import closed_window, pause
from tests.support.app import App, app_on
from tests.support.healing import (
    IMPRESSIONS,
    RECORD,
    Gate,
    claimed,
    heal,
    heal_until,
    make_runtime,
    paced,
    planted,
    working,
)
from tests.support.ledger_audit import start_audit
from tests.support.services import decided, has_censuses, service_on
from tests.support.undoing import MATCHING, assert_undo_is_booked, plan_undo, undo
from tests.support.waiting import wait_until

pytestmark = pytest.mark.prepared

# What is lost opens the breaker, and an undo is no loss.
HEALS: dict[str, Any] = {
    "breaker": {"max_share": "100%"},
    "pace": {"duty": "100%", "max_batch": 10},
}

PACED = paced(10, "30s")


@asynccontextmanager
async def undo_at_the_gate(
    url: str, runtime: Runtime, *, after_batches: int, place: str = IMPRESSIONS
) -> AsyncIterator[tuple[Gate, asyncio.Task[RunResult]]]:
    """An undo of run 1 that stands inside its next batch after so many."""
    async with app_on(url) as keeper:
        run = await plan_undo(runtime, 1)
        gate = Gate(keeper)
        await gate.build(after_batches=after_batches, place=place)
        task = working(runtime, run)
        await wait_until(gate.somebody_waits)
        yield gate, task


async def assert_half_done(app: App, run: Run) -> None:
    """Batch by batch, impressions and ledger rows have gone together."""
    listed = await app.value("SELECT count(*) FROM conservator.backfilled_impression")
    assert listed == await app.value(MATCHING) == run.planned_rows - run.inserted
    await assert_undo_is_booked(app, run.id)


async def test_a_pause_holds_an_undo_before_its_next_batch_and_resume_lets_it_go_on(
    app_database_url: str,
) -> None:
    async with planted(app_database_url, users=10, artworks=10, **PACED) as (app, runtime):
        before = await app.fingerprint("user_art_impressions")
        await heal(runtime)
        async with undo_at_the_gate(app_database_url, runtime, after_batches=3) as (gate, task):
            await pause(runtime, "an incident")
            await gate.open()
            held = (await task).run
        assert (held.state, held.batches, held.inserted) == (RunState.HELD, 4, 40)
        assert held.outcome == "Paused: an incident. `conservator resume` ends the pause."
        await assert_half_done(app, held)
        again = await working(runtime, await claimed(runtime, held.id))
        assert (again.run.state, again.run.inserted) == (RunState.HELD, 40)
        async with transaction(runtime.engine, timeout=runtime.settings.lease) as connection:
            await control.resume(connection, runtime.state)
        ended = (await working(runtime, await plan_undo_again(runtime, held))).run
        assert (ended.id, ended.state, ended.inserted) == (held.id, RunState.SUCCEEDED, 100)
        assert await app.fingerprint(*before) == before
        await assert_undo_is_booked(app, ended.id)


async def plan_undo_again(runtime: Runtime, held: Run) -> Run:
    """Asking for the same undo again goes on with it."""
    run = await plan_undo(runtime, 1)
    assert (run.id, run.token, run.state) == (held.id, held.token + 2, RunState.RUNNING)
    return run


async def test_neither_the_window_nor_an_open_breaker_holds_an_undo(
    app_database_url: str,
) -> None:
    config = paced(lock_timeout="1s", window=closed_window())
    async with planted(app_database_url, users=3, artworks=10, **config) as (app, runtime):
        taken = await claimed(runtime, (await heal(runtime)).run.id)
        await runtime.executor(lambda _: None, window=False).work(taken)
        await app.run("UPDATE conservator.control SET breaker_open = TRUE, breaker_code = 'loss'")
        ended = (await undo(runtime, 1)).run
        assert (ended.state, ended.inserted) == (RunState.SUCCEEDED, 30)


@pytest.mark.parametrize("place", [IMPRESSIONS, RECORD])
async def test_a_connection_that_is_lost_inside_a_batch_loses_and_repeats_nothing(
    app_database_url: str, place: str
) -> None:
    async with planted(app_database_url, users=10, artworks=10, **PACED) as (app, runtime):
        before = await app.fingerprint("user_art_impressions")
        await heal(runtime)
        async with undo_at_the_gate(app_database_url, runtime, after_batches=2, place=place) as (
            gate,
            task,
        ):
            for pid in await gate.waiting():
                await app.run("SELECT pg_terminate_backend(%(pid)s)", pid=pid)
            await gate.open()
            ended = (await task).run
        assert (ended.state, ended.inserted, ended.batches) == (RunState.SUCCEEDED, 100, 10)
        assert await app.fingerprint(*before) == before
        await assert_undo_is_booked(app, ended.id)


async def test_whoever_has_lost_the_lease_takes_nothing_back_any_more(
    app_database_url: str,
) -> None:
    config = {**PACED, "lease": "500ms"}
    async with (
        planted(app_database_url, users=10, artworks=10, **config) as (app, runtime),
        make_runtime(app_database_url, **config) as other,
    ):
        await heal(runtime)
        held = await heal_until(runtime, await plan_undo(runtime, 1), batches=2)
        mine = await claimed(runtime, held.run.id)
        await app.run("UPDATE conservator.run SET lease_until = now() WHERE kind = 'undo'")
        theirs = await claimed(other, held.run.id)
        with pytest.raises(LeaseLostError):
            await working(runtime, mine)
        async with transaction(runtime.engine, timeout=runtime.settings.lease) as connection:
            now = await get_run(connection, runtime.state, held.run.id)
        assert now is not None
        assert (now.inserted, now.token) == (20, theirs.token)
        await assert_half_done(app, now)
        ended = (await working(other, theirs)).run
        assert (ended.state, ended.inserted) == (RunState.SUCCEEDED, 100)


async def test_the_second_pass_after_a_stop_begins_where_it_stood(app_database_url: str) -> None:
    async with planted(app_database_url, users=10, artworks=10, **PACED) as (app, runtime):
        await heal(runtime)
        await app.run(
            "UPDATE user_art_impressions SET viewed_at = timezone('UTC', now())"
            " WHERE artwork_id IN ('old0003', 'old0007')"
        )
        held = (await heal_until(runtime, await plan_undo(runtime, 1), batches=11)).run
        # Ten batches see the whole ledger; the eleventh is the second pass's first.
        assert (held.state, held.pass_, held.batches, held.inserted) == (
            RunState.HELD, 2, 11, 80,
        )  # fmt: skip
        assert (held.position, held.user_cursor is not None) == (0, True)
        ended = (await working(runtime, await claimed(runtime, held.id))).run
        assert (ended.state, ended.batches, ended.inserted) == (RunState.SUCCEEDED, 12, 80)
        assert "20 were viewed again since and stay, 0 were gone already" in ended.outcome


async def test_a_service_goes_on_with_an_undo_in_any_mode_and_heals_nothing_afterwards(
    app_database_url: str,
) -> None:
    async with planted(app_database_url, users=10, artworks=10, **PACED) as (app, runtime):
        await heal(runtime)
        await heal_until(runtime, await plan_undo(runtime, 1), batches=3)
    async with app_on(app_database_url) as app:
        async with service_on(app_database_url, mode="observe", **HEALS):
            await wait_until(lambda: has_ended(app, 2))
        assert await app.rows("SELECT state, inserted FROM conservator.run WHERE id = 2") == [
            ("succeeded", 100)
        ]
        await start_audit(app)
        async with service_on(app_database_url, **HEALS) as service:
            await wait_until(decided(service, Code.SUSPENDED))
            censuses = await app.value("SELECT count(*) FROM conservator.census")
            await wait_until(lambda: has_censuses(app, censuses + 3))
            assert await app.value("SELECT count(*) FROM audit") == 0
            # A person ends the suspension, and what was taken back is healed again.
            await service.commands.resume()
            await wait_until(lambda: has_ended(app, 3))
        assert await app.value("SELECT inserted FROM conservator.run WHERE id = 3") == 100


async def has_ended(app: App, run_id: int) -> bool:
    ended = "SELECT count(finished_at) FROM conservator.run WHERE id = %(id)s"
    return bool(await app.value(ended, id=run_id))


async def test_an_undo_that_is_asked_for_over_the_desk_is_worked_and_its_census_published(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app:
        await app.plant(users=5, artworks=10)
        before = await app.fingerprint("user_art_impressions")
        async with service_on(app_database_url, **HEALS) as service:
            await wait_until(lambda: has_ended(app, 1))
            would = await service.commands.would_undo(1)
            assert (would.untouched, would.touched, would.gone) == (50, 0, 0)
            assert await service.commands.undo(1) == 2
            await wait_until(lambda: has_ended(app, 2))
            await wait_until(lambda: is_published(service, legacy=50))
            assert await service.commands.undo(1) is None
            assert service.board.current.control.suspended
            counters = service.board.current.counters
            assert counters["heal_undone_impressions", ""] == 50
            assert counters["heal_runs", ""] == 1
        assert await app.fingerprint(*before) == before


def is_published(service: Service, *, legacy: int) -> bool:
    status = service.board.current
    return status.census is not None and status.census.legacy_untracked == legacy
