"""Repairs as a person asks for them: configured, planned, worked and taken back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from checks.errors import RefusedError
from monitor.database import snapshot
from monitor.healing.executor import Progress, RunResult
from monitor.healing.repair_planner import RepairPreview
from monitor.run_tools import repair_planner, tools_to_repair, tools_to_undo, tools_to_work
from monitor.runtime import Runtime
from monitor.state.runs import Run, Trigger, get_run
from tests.support.app import App

LIMITS = {"breaker": {"max_rows": 10**6, "max_share": "100%"}, "max_rows_per_run": 10**6}
TIERS = {
    "name": "tiers",
    "check": "structure",
    "table": "users",
    "find": "SELECT id, lower(subscription_tier) AS subscription_tier FROM users"
    " WHERE subscription_tier <> lower(subscription_tier)",
    "action": "update",
    **LIMITS,
}
"""Of the sample app."""
MISSPELT = """
UPDATE users SET subscription_tier = upper(subscription_tier)
WHERE id IN (SELECT u.id FROM users AS u ORDER BY u.id LIMIT 3)
"""
"""Three rows that it finds."""


def configured(name: str, **keys: object) -> dict[str, object]:
    """A repair whose breaker does not stand in the way."""
    return {"name": name, "check": "structure", **LIMITS, **keys}


async def tools_of(runtime: Runtime, name: str) -> Runtime:
    """The tools of the repair of that name."""
    (repair,) = [one for one in runtime.settings.repairs if one.name == name]
    return await tools_to_repair(runtime, repair)


async def previewed(runtime: Runtime, name: str) -> RepairPreview:
    """What a run would find."""
    tools = await tools_of(runtime, name)
    (repair,) = [one for one in runtime.settings.repairs if one.name == name]
    timeout = runtime.settings.database.statement_timeout
    async with snapshot(runtime.engine, timeout=timeout) as connection:
        return await repair_planner(tools, repair).preview(connection)


async def plan_repair(
    runtime: Runtime, name: str, *, max_rows: int = 10**6, beyond_breaker: bool = False
) -> tuple[Runtime, Run | None]:
    """A run of it, held by this process, and the tools to work it."""
    tools = await tools_of(runtime, name)
    (repair,) = [one for one in runtime.settings.repairs if one.name == name]
    run = await repair_planner(tools, repair).plan(
        tools.run_owner(Trigger.COMMAND),
        reason="a test",
        max_rows=max_rows,
        beyond_breaker=beyond_breaker,
    )
    return tools, run


async def mend(
    runtime: Runtime,
    name: str,
    *,
    max_rows: int = 10**6,
    beyond_breaker: bool = False,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> RunResult:
    """A whole run of it, of which there is something to do."""
    tools, run = await plan_repair(runtime, name, max_rows=max_rows, beyond_breaker=beyond_breaker)
    assert run is not None
    return await tools.executor(on_progress).work(run)


async def take_back(runtime: Runtime, run_id: int) -> RunResult | None:
    """A whole undo; None where nothing is left to take back."""
    tools = await tools_to_undo(runtime, run_id)
    planned = await tools.undo_planner.plan(
        tools.run_owner(Trigger.COMMAND), run_id, reason="a test"
    )
    return None if planned is None else await tools.executor(lambda _: None).work(planned.run)


def working(tools: Runtime, run: Run) -> asyncio.Task[RunResult]:
    """The run, under way."""
    return asyncio.create_task(tools.executor(lambda _: None).work(run))


async def put_down(app: App) -> None:
    """Whatever is active is held, as after a stop."""
    await app.run(
        "UPDATE conservator.run SET state = 'held', lease_until = now() WHERE state = 'running'"
    )


async def taken_up(runtime: Runtime, run_id: int) -> Run:
    """A run that was put down, worked on as the service does; ended where it can't be."""
    claimed = await runtime.resume(run_id)
    assert claimed is not None
    try:
        tools = await tools_to_work(runtime, claimed)
    except RefusedError as error:
        await runtime.give_up(claimed, str(error))
        async with runtime.transaction() as connection:
            ended = await get_run(connection, runtime.state, run_id)
        assert ended is not None
        return ended
    return (await tools.executor(lambda _: None).work(claimed)).run


async def begin_undo(runtime: Runtime, run_id: int) -> tuple[Runtime, Run]:
    """An undo that was planned, with the tools to work it."""
    tools = await tools_to_undo(runtime, run_id)
    owner = tools.run_owner(Trigger.COMMAND)
    planned = await tools.undo_planner.plan(owner, run_id, reason="a test")
    assert planned is not None
    return tools, planned.run
