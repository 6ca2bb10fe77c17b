"""One run at a time, held by one process at a time; backfills of single users beside it."""

from __future__ import annotations

import asyncio

import pytest

from monitor.database import transaction
from monitor.healing.errors import ActiveRunError, LeaseLostError
from monitor.healing.executor import Progress
from monitor.runtime import Runtime
from monitor.state.runs import Run, RunState, Trigger
from monitor.state.transitions import claim
from tests.support.app import app_on
from tests.support.healing import (
    Gate,
    claimed,
    heal_until,
    make_runtime,
    paced,
    plan,
    planted,
    working,
)
from tests.support.ledger_audit import (
    assert_exactly_healed,
    assert_only_legacy_inserted,
    assert_records_agree,
    start_audit,
)
from tests.support.waiting import wait_until
from tests.support.writers import Writers

pytestmark = pytest.mark.prepared

PACED = paced(10, "30s")


async def plan_user(runtime: Runtime, user: str) -> Run:
    run = await runtime.planner.plan_user(
        runtime.run_owner(Trigger.API), user, reason="a test", force=False
    )
    assert isinstance(run, Run)
    return run


async def stolen(runtime: Runtime, run: Run) -> Run:
    """The run, claimed at the moment at which its lease has run out."""
    async with transaction(runtime.engine, timeout=runtime.settings.lease) as connection:
        await connection.exec_driver_sql(
            "UPDATE conservator.run SET lease_until = now() - interval '1 second'"
        )
        taken = await claim(
            connection,
            runtime.state,
            run.id,
            holder=runtime.holder,
            lease=runtime.settings.lease,
        )
    assert taken is not None
    return taken


async def test_of_many_planners_at_once_one_gets_a_run(app_database_url: str) -> None:
    async with (
        app_on(app_database_url) as app,
        make_runtime(app_database_url) as one,
        make_runtime(app_database_url) as other,
    ):
        await app.plant(users=20, artworks=20)
        results = await asyncio.gather(
            *(plan(runtime) for runtime in (one, other, one, other)), return_exceptions=True
        )
        (run,) = [result for result in results if isinstance(result, Run)]
        assert sum(isinstance(result, ActiveRunError) for result in results) == 3
        assert await app.rows("SELECT id, kind, state FROM conservator.run") == [
            (run.id, "heal", "running")
        ]
        assert await app.value("SELECT count(*) FROM conservator.work") == 20
        # A refused plan says what is active, and how far it has come.
        with pytest.raises(ActiveRunError, match="is active at 0 of 400 rows"):
            await plan(other)


async def test_who_has_lost_the_lease_is_told_before_it_writes(app_database_url: str) -> None:
    async with (
        app_on(app_database_url) as app,
        app_on(app_database_url) as keeper,
        make_runtime(app_database_url, **PACED) as slow,
        make_runtime(app_database_url, **PACED) as quick,
    ):
        await app.plant(users=10, artworks=10)
        await start_audit(app)
        run = await plan(slow)
        held = await heal_until(slow, run, batches=2)
        first = await claimed(slow, run.id)
        # Its lease runs out while it does nothing, and another process takes the run.
        second = await stolen(quick, run)
        assert second.token == first.token + 1 == held.run.token + 2
        gate = Gate(keeper)
        await gate.build()
        task = working(quick, second)
        await wait_until(gate.somebody_waits)
        losing = working(slow, first)
        await gate.open()
        with pytest.raises(LeaseLostError):
            await losing
        ended = await task
        assert (ended.run.state, ended.run.inserted) == (RunState.SUCCEEDED, 100)
        assert ended.run.holder == quick.holder
        await assert_exactly_healed(app)


async def test_a_lease_lost_between_two_batches_ends_the_work_of_the_first_process(
    app_database_url: str,
) -> None:
    async with (
        app_on(app_database_url) as app,
        make_runtime(app_database_url, **PACED) as one,
        make_runtime(app_database_url, **PACED) as other,
    ):
        await app.plant(users=20, artworks=10)
        await start_audit(app)
        run = await plan(one)
        loop, halfway = asyncio.get_running_loop(), asyncio.Event()

        def count(progress: Progress) -> None:
            if progress.batch is not None and progress.batch.number == 3:
                loop.call_soon(halfway.set)

        async def wait_and_steal() -> Run:
            await halfway.wait()
            return await stolen(other, run)

        stealing = asyncio.create_task(wait_and_steal())
        outcome = await asyncio.gather(one.executor(count).work(run), return_exceptions=True)
        taken = await stealing
        assert isinstance(outcome[0], LeaseLostError)
        ended = await working(other, taken)
        assert (ended.run.state, ended.run.inserted) == (RunState.SUCCEEDED, 200)
        await assert_only_legacy_inserted(app)
        await assert_records_agree(app)


async def test_backfills_of_single_users_beside_a_run_double_nothing(
    app_database_url: str,
) -> None:
    async with planted(app_database_url, users=25, artworks=30, **PACED) as (app, runtime):
        await start_audit(app)
        async with Writers(app_database_url, crowd=1, deletes=False):
            healing = runtime.executor(lambda _: None).work(await plan(runtime))
            users = [await plan_user(runtime, f"u{number:04}") for number in (1, 12, 25, 26)]
            # Two at once of one user are refused, whatever the run over the audience does.
            with pytest.raises(ActiveRunError, match="A backfill of this user is under way"):
                await plan_user(runtime, "u0012")
            backfills = [runtime.executor(lambda _: None).work(run) for run in users]
            ended = await asyncio.gather(healing, *backfills)
        assert {end.run.state for end in ended} == {RunState.SUCCEEDED}
        assert ended[-1].run.inserted > 0  # the untracked user, whom no other run heals
        await assert_only_legacy_inserted(app)
        await assert_records_agree(app)
