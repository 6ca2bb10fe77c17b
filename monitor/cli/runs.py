"""`runs`: the history of heal runs, and one run with its batches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.markup import escape
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.errors import ConservatorError
from monitor.cli.output import console, duration, moment, number, print_json, table
from monitor.cli.session import state_of, with_engine
from monitor.config import Settings
from monitor.database import snapshot
from monitor.state.quarantine import SHOWN, QuarantinedPair, list_quarantined
from monitor.state.runs import BatchRow, Run, RunState, get_run, list_batches, list_runs
from monitor.state.waits import list_waits

MAX_BATCHES = 100_000


@dataclass(frozen=True, slots=True)
class RunInFull:
    """One run with everything that is kept about it."""

    run: Run
    waits: Mapping[str, float]
    """Seconds by reason."""
    quarantine: tuple[QuarantinedPair, ...]
    """Some of the pairs that it was the last to try in vain."""
    batches: tuple[BatchRow, ...]


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

    async def one(engine: AsyncEngine, settings: Settings) -> RunInFull:
        state = await state_of(engine, settings)
        async with snapshot(engine, timeout=settings.database.statement_timeout) as connection:
            found = await get_run(connection, state, run or 0)
            if found is None:
                raise ConservatorError(f"There is no run {run}; `conservator runs` lists them.")
            return RunInFull(
                run=found,
                waits=await list_waits(connection, state, found.id),
                quarantine=await list_quarantined(connection, state, run_id=found.id, limit=SHOWN),
                batches=await list_batches(connection, state, found.id, limit=MAX_BATCHES),
            )

    if run is None:
        found = with_engine(context, listed)
        if as_json:
            print_json({"runs": found})
        else:
            print_runs(found)
        return
    single = with_engine(context, one)
    if as_json:
        names = ("run", "waits", "quarantine", "batches")
        print_json({name: getattr(single, name) for name in names})
        return
    print_run(single)


def print_run(single: RunInFull) -> None:
    """One run: what it waits for, where its time went, and its batches."""
    run = single.run
    print_runs((run,))
    if run.waiting_for:
        console.print(f"Waiting now: {run.waiting_for}", markup=False, soft_wrap=True)
    waited = [f"{reason} {duration(seconds)}" for reason, seconds in single.waits.items()]
    console.print(
        f"Wrote for {duration(run.writing_seconds)}, waited for {duration(run.waiting_seconds)}"
        + (f": {', '.join(waited)}." if waited else "."),
        markup=False,
        soft_wrap=True,
    )
    if single.quarantine:
        print_quarantine(single.quarantine)
    shown = table("batch", "started", "took", "users", "rows", numbers=("batch", "users", "rows"))
    for batch in single.batches:
        shown.add_row(
            str(batch.number),
            moment(batch.started_at),
            duration(batch.seconds),
            number(batch.users),
            number(batch.inserted),
        )
    console.print(shown)


def print_quarantine(pairs: tuple[QuarantinedPair, ...]) -> None:
    """Pairs that can't be written, as a table."""
    shown = table(
        "user", "artwork", "tried", "again at", "in quarantine because", numbers=("tried",)
    )
    for pair in pairs:
        shown.add_row(
            escape(pair.user_id),
            escape(pair.artwork_id),
            str(pair.attempts),
            moment(pair.retry_at),
            escape(pair.error),
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
            run.kind.value if run.undoes is None else f"{run.kind.value} of {run.undoes}",
            run.state.value,
            moment(run.started_at),
            run.trigger.value,
            number(run.inserted),
            number(run.planned_rows),
            number(run.legacy_before),
            number(run.legacy_after),
            # It may quote what a trigger of the app says: no markup.
            "" if run.state is RunState.SUCCEEDED else escape(run.outcome or run.reason),
        )
    console.print(shown)
