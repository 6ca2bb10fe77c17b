"""A process of an older version, which has no word for repairs, beside one that runs them: its own
statements, as they stood at the revision before."""

from __future__ import annotations

import psycopg
import pytest

from monitor.run_tools import tools_to_undo
from monitor.runtime import Runtime
from monitor.state.runs import RunKind, RunState, Trigger, active_run
from tests.support.app import App, app_on
from tests.support.healing import make_runtime
from tests.support.repairing import configured, mend, plan_repair, take_back

TABLE = """
CREATE TABLE plain (id int PRIMARY KEY, state text);
INSERT INTO plain SELECT n, 'wrong' FROM generate_series(1, 9) AS n;
"""
MEND = configured(
    "one",
    table="plain",
    find="SELECT id, 'right' AS state FROM plain WHERE state = 'wrong'",
    action="update",
)
KNOWN = {"heal", "user", "undo"}
OLD_ACTIVE = """SELECT id FROM conservator.run
WHERE kind IN ('heal', 'undo') AND state IN ('running', 'held')"""
OLD_UNATTENDED = """SELECT catalogue FROM conservator.run
WHERE kind <> 'undo' AND state IN ('running', 'held')
AND (state = 'held' OR lease_until <= now())"""
OLD_ABANDON = """UPDATE conservator.run
SET state = 'failed', outcome = 'its process ended before it did', finished_at = now()
WHERE kind = 'user' AND state IN ('running', 'held') AND lease_until <= now()"""
OLD_PLAN = """INSERT INTO conservator.run
(kind, trigger, state, reason, holder, lease_until, started_at, legacy_until)
VALUES ('{kind}', 'schedule', 'running', 'an older one', 'it', now(), now(), now())"""
HELD = "UPDATE conservator.run SET state = 'held', lease_until = now() WHERE state = 'running'"


async def assert_left_alone(app: App) -> None:
    """What the older one makes of the run that is active."""
    kinds = await app.rows("SELECT DISTINCT kind FROM conservator.run")
    assert {kind for (kind,) in kinds} <= KNOWN
    assert await app.rows(OLD_ACTIVE) == []
    assert [kept for (kept,) in await app.rows(OLD_UNATTENDED) if kept is not None] == []
    for kind in ("heal", "undo"):
        with pytest.raises(psycopg.errors.UniqueViolation):
            await app.run(OLD_PLAN.format(kind=kind))


async def active(runtime: Runtime) -> tuple[RunKind, RunState] | None:
    """The run as this version sees it."""
    async with runtime.transaction() as connection:
        run = await active_run(connection, runtime.state)
    return None if run is None else (run.kind, run.state)


async def test_an_older_process_takes_up_no_repair_and_writes_nothing_beside_it(
    app_database_url: str,
) -> None:
    pace = {"pace": {"max_batch": 4}}
    async with app_on(app_database_url) as app:
        await app.run(TABLE)
        first = await app.fingerprint("plain")
        async with make_runtime(app_database_url, repairs=[MEND], healing=pace) as runtime:
            tools, run = await plan_repair(runtime, "one")
            assert run is not None
            await assert_left_alone(app)
            await app.run(OLD_ABANDON)
            assert await active(runtime) == (RunKind.REPAIR, RunState.RUNNING)
            await app.run(HELD)
            await assert_left_alone(app)
            claimed = await tools.resume(run.id)
            assert claimed is not None
            done = (await tools.executor(lambda _: None).work(claimed)).run
            assert (done.kind, done.state, done.inserted) == (RunKind.REPAIR, "succeeded", 9)
            undoing = await tools_to_undo(runtime, done.id)
            owner = undoing.run_owner(Trigger.COMMAND)
            assert await undoing.undo_planner.plan(owner, done.id, reason="a test")
            await assert_left_alone(app)
            assert await active(runtime) == (RunKind.UNDO, RunState.RUNNING)
            await app.run(HELD)
            await assert_left_alone(app)
            # It ends what nobody works on, at most: the rest is taken back by another undo.
            await app.run(OLD_ABANDON)
            assert await active(runtime) is None
            undone = await take_back(runtime, done.id)
            assert undone is not None
            assert (undone.run.state, undone.run.inserted) == (RunState.SUCCEEDED, 9)
            assert await app.fingerprint("plain") == first
            assert await app.value("SELECT suspended FROM conservator.control") is False


async def test_what_an_older_process_has_ended_is_planned_anew(app_database_url: str) -> None:
    async with app_on(app_database_url) as app:
        await app.run(TABLE)
        async with make_runtime(app_database_url, repairs=[MEND]) as runtime:
            await plan_repair(runtime, "one")
            await app.run(HELD)
            await app.run(OLD_ABANDON)
            done = (await mend(runtime, "one")).run
            assert (done.id, done.inserted) == (2, 9)


async def test_the_cleaner_of_this_version_ends_no_repair(app_database_url: str) -> None:
    async with app_on(app_database_url) as app:
        await app.run(TABLE)
        async with make_runtime(app_database_url, repairs=[MEND]) as runtime:
            await plan_repair(runtime, "one")
            await app.run(HELD)
            async with runtime.transaction() as connection:
                await runtime.state.run(connection, "run_abandon", {"subject": None})
            assert await active(runtime) == (RunKind.REPAIR, RunState.HELD)
