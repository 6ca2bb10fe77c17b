"""`runs`: the history of heal runs, and one run with its batches."""

from __future__ import annotations

from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.errors import ConservatorError
from monitor.cli.output import console, duration, moment, number, print_json, table
from monitor.cli.session import state_of, with_engine
from monitor.config import Settings
from monitor.database import snapshot
from monitor.state.runs import BatchRow, Run, RunState, get_run, list_batches, list_runs

MAX_BATCHES = 100_000


def runs(
    context: typer.Context,
    run: Annotated[int | None, typer.Argument(help="One run, with its batches.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many runs to list.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List heal runs, newest first; or one run with its batches."""

    async def listed(engine: AsyncEngine, settings: Settings) -> tuple[Run, ...]:
        state = await state_of(engine, settings)
        async with snapshot(engine, timeout=settings.database.statement_timeout) as connection:
            return await list_runs(connection, state, limit=limit)

    async def one(engine: AsyncEngine, settings: Settings) -> tuple[Run, tuple[BatchRow, ...]]:
        state = await state_of(engine, settings)
        async with snapshot(engine, timeout=settings.database.statement_timeout) as connection:
            found = await get_run(connection, state, run or 0)
            if found is None:
                raise ConservatorError(f"There is no run {run}; `conservator runs` lists them.")
            batches = await list_batches(connection, state, found.id, limit=MAX_BATCHES)
            return found, batches

    if run is None:
        found = with_engine(context, listed)
        if as_json:
            print_json({"runs": found})
        else:
            print_runs(found)
        return
    single, batches = with_engine(context, one)
    if as_json:
        print_json({"run": single, "batches": batches})
        return
    print_runs((single,))
    shown = table("batch", "started", "took", "users", "rows", numbers=("batch", "users", "rows"))
    for batch in batches:
        shown.add_row(
            str(batch.number),
            moment(batch.started_at),
            duration(batch.seconds),
            number(batch.users),
            number(batch.inserted),
        )
    console.print(shown)


def print_runs(found: tuple[Run, ...]) -> None:
    """Runs as a table."""
    if not found:
        console.print("No heal run yet.")
        return
    shown = table(
        *("run", "kind", "state", "started", "by", "rows", "planned", "before", "after", ""),
        numbers=("run", "rows", "planned", "before", "after"),
    )
    for run in found:
        shown.add_row(
            str(run.id),
            run.kind.value,
            run.state.value,
            moment(run.started_at),
            run.trigger.value,
            number(run.inserted),
            number(run.planned_rows),
            number(run.legacy_before),
            number(run.legacy_after),
            "" if run.state is RunState.SUCCEEDED else run.outcome or run.reason,
        )
    console.print(shown)
