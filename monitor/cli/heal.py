"""`heal`: plan, ask, heal, verify."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.doctor.findings import Blocks
from checks.errors import RefusedError
from checks.pairs import take_user_census
from checks.spec import Cutoffs
from monitor.cli.execution import execute
from monitor.cli.heal_output import (
    preview_fields,
    print_ended,
    print_preview,
    print_user_plan,
    progress_display,
)
from monitor.cli.output import console, print_json
from monitor.cli.session import runtime_for, with_engine
from monitor.config import Settings
from monitor.database import database_now, snapshot
from monitor.healing.errors import active_sentence, paused_sentence
from monitor.healing.preview import HealPreview, preview_heal
from monitor.policy.decision import Decision
from monitor.runtime import Runtime
from monitor.service.startup import ensure_schema
from monitor.state import schema
from monitor.state.control import Control, read_control
from monitor.state.runs import Run, RunKind, RunState, Trigger, active_run


@dataclass(frozen=True, slots=True)
class Options:
    """What the person asked for."""

    dry_run: bool
    user: str | None
    max_rows: int | None
    yes: bool
    beyond_breaker: bool
    as_json: bool


def heal(
    context: typer.Context,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the plan; write nothing at all.")
    ] = False,
    user: Annotated[
        str | None, typer.Option("--user", metavar="ID", help="Only this user, again if need be.")
    ] = None,
    max_rows: Annotated[
        int | None, typer.Option("--max-rows", metavar="N", min=1, help="At most so many rows.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    beyond_breaker: Annotated[
        bool, typer.Option("--beyond-breaker", help="Go on although the breaker refuses.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Plan, ask, heal, verify; before and after in numbers. Exit 1 unless all of it was healed."""
    options = Options(dry_run, user, max_rows, yes, beyond_breaker, as_json)

    async def work(engine: AsyncEngine, settings: Settings) -> int:
        blocks = (Blocks.COUNTING,) if dry_run else (Blocks.COUNTING, Blocks.HEALING)
        runtime = await runtime_for(engine, settings, *blocks)
        if user is not None:
            return await _heal_user(runtime, user, options)
        return await _heal_audience(runtime, options)

    return with_engine(context, work)


@dataclass(frozen=True, slots=True)
class StateNow:
    """What our own tables say before anything is written; empty where there are none yet."""

    control: Control
    active: Run | None
    exists: bool = True
    """There are tables of ours."""


async def _state_now(runtime: Runtime) -> StateNow:
    settings = runtime.settings
    async with snapshot(runtime.engine, timeout=settings.database.statement_timeout) as connection:
        if not await schema.is_current(connection, settings.database.state_schema):
            return StateNow(Control(), None, exists=False)
        return StateNow(
            await read_control(connection, runtime.state),
            await active_run(connection, runtime.state),
        )


async def _heal_audience(runtime: Runtime, options: Options) -> int:
    settings = runtime.settings
    state = await _state_now(runtime)
    max_rows = options.max_rows or settings.healing.max_rows_per_run
    plan = await _preview(runtime, state, max_rows)
    refusal = runtime.guard(plan.census, state.control)
    if options.as_json and options.dry_run:
        print_json({**preview_fields(plan), "refused": None if refusal is None else refusal.reason})
    elif not options.as_json:
        print_preview(plan)
    if options.dry_run:
        _print_refusal(refusal, options)
        return 0
    if state.control.paused:
        raise RefusedError(paused_sentence(state.control.paused_reason))
    if state.active is not None and state.active.kind is RunKind.UNDO:
        raise RefusedError(active_sentence(state.active))
    if refusal is not None and (state.active is not None or plan.rows):
        await _beyond(runtime, state, refusal, options)
    run = await _left_behind(runtime, state.active, options)
    if run is None:
        if plan.rows == 0:
            if options.as_json:
                print_json({"run": None, "census": plan.census})
            return 0
        _ask(f"Write {plan.rows:,} impressions?", options)
        run = await _new_run(runtime, max_rows, options)
    if run is None:
        console.print("Meanwhile there is nothing left to heal.")
        return 0
    return await _work(runtime, run, options)


async def _beyond(runtime: Runtime, state: StateNow, refusal: Decision, options: Options) -> None:
    """Show why the breaker refuses, and go on only where the person said so."""
    if state.exists:
        await runtime.open_breaker(refusal)
    if not options.beyond_breaker:
        raise RefusedError(refusal.reason)
    _print_refusal(refusal, options)


def _print_refusal(refusal: Decision | None, options: Options) -> None:
    if refusal is not None and not options.as_json:
        console.print(f"[bold red]Breaker:[/bold red] {refusal.reason}", soft_wrap=True)


async def _preview(runtime: Runtime, state: StateNow, max_rows: int) -> HealPreview:
    settings = runtime.settings
    pools = settings.pools_spec()
    async with snapshot(runtime.engine, timeout=settings.database.statement_timeout) as connection:
        return await preview_heal(
            connection,
            runtime.catalogue,
            pools,
            Cutoffs.at(await database_now(connection), pools),
            max_rows=max_rows,
            minimum=settings.checks.pool_exhaustion.minimum,
            verified_until=state.control.verified_until,
        )


async def _left_behind(runtime: Runtime, active: Run | None, options: Options) -> Run | None:
    """Take up a run that somebody left unfinished; refuse while somebody works on it."""
    if active is None:
        return None
    claimed = await runtime.resume(active.id, beyond_breaker=options.beyond_breaker)
    if claimed is None:
        raise RefusedError(
            f"Run {active.id} is active at {active.inserted:,} of {active.planned_rows:,} rows,"
            f" held by {active.holder}; wait for its end, or `conservator pause`."
        )
    console.print(
        f"Run {claimed.id} was left unfinished at {claimed.inserted:,} of"
        f" {claimed.planned_rows:,} rows; it goes on from there."
    )
    return claimed


async def _new_run(runtime: Runtime, max_rows: int, options: Options) -> Run | None:
    await ensure_schema(runtime.engine, runtime.state)
    planned = await runtime.plan_audience(
        Trigger.COMMAND,
        reason="Asked for on the command line."
        + (" Beyond the breaker." if options.beyond_breaker else ""),
        max_rows=max_rows,
        beyond_breaker=options.beyond_breaker,
    )
    return planned.run


async def _heal_user(runtime: Runtime, user: str, options: Options) -> int:
    settings = runtime.settings
    pools = settings.pools_spec()
    async with snapshot(runtime.engine, timeout=settings.database.statement_timeout) as connection:
        cutoffs = Cutoffs.at(await database_now(connection), pools)
        census = await take_user_census(connection, runtime.catalogue, pools, cutoffs, user)
    if options.as_json and (options.dry_run or census.legacy_untracked == 0):
        print_json({"user": user, "census": census, "rows": census.legacy_untracked})
    elif not options.as_json:
        print_user_plan(user, census)
    if options.dry_run or census.legacy_untracked == 0:
        return 0
    _ask(f"Write {census.legacy_untracked:,} impressions for this user?", options)
    await ensure_schema(runtime.engine, runtime.state)
    run = await runtime.planner.plan_user(
        runtime.run_owner(Trigger.COMMAND),
        user,
        reason="Asked for on the command line.",
        # A person who names a user means it; the once-flag is for the app's login hook.
        force=True,
        beyond_breaker=options.beyond_breaker,
    )
    if not isinstance(run, Run):
        console.print("Meanwhile there is nothing left to heal.")
        return 0
    return await _work(runtime, run, options)


def _ask(question: str, options: Options) -> None:
    if not options.yes:
        typer.confirm(question, abort=True, err=options.as_json)


async def _work(runtime: Runtime, run: Run, options: Options) -> int:
    with progress_display(run, quiet=options.as_json) as on_progress:
        ended = await execute(runtime, run, on_progress)
    still_open = (await _state_now(runtime)).control.breaker_open
    if options.as_json:
        print_json({"run": ended.run, "census": ended.census, "breaker_open": still_open})
    else:
        print_ended(ended)
        if still_open:
            console.print(
                "The breaker is still open: `conservator reset-breaker` lets automatic healing go"
                " on."
            )
    return 0 if ended.run.state is RunState.SUCCEEDED else 1
