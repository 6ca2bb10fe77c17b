"""`runs`: the history of heal runs, and one run with its batches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.errors import ConservatorError
from monitor.cli.output import console, duration, moment, number, print_json, print_table
from monitor.cli.session import AsJson, read_state
from monitor.state.runs import (
    BatchRow,
    QuarantinedPair,
    Run,
    RunState,
    get_run,
    list_batches,
    list_quarantined,
    list_runs,
    list_waits,
)
from monitor.state.statements import SchemaStatements

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
    as_json: AsJson = False,
) -> None:
    """List heal runs, newest first; or one run with its batches."""
    if run is not None:
        single = read_state(context, partial(_read_run, run_id=run))
        if as_json:
            print_json(single)
        else:
            _print_run(single)
        return
    found = read_state(context, partial(list_runs, limit=limit))
    if as_json:
        print_json({"runs": found})
    else:
        _print_runs(found)


async def _read_run(
    connection: AsyncConnection, state: SchemaStatements, *, run_id: int
) -> RunInFull:
    found = await get_run(connection, state, run_id)
    if found is None:
        raise ConservatorError(f"There is no run {run_id}; `conservator runs` lists them.")
    return RunInFull(
        run=found,
        waits=await list_waits(connection, state, run_id),
        quarantine=await list_quarantined(connection, state, run_id=run_id),
        batches=await list_batches(connection, state, run_id, limit=MAX_BATCHES),
    )


def _print_run(single: RunInFull) -> None:
    """What it waits for, where its time went, and its batches."""
    run = single.run
    _print_runs((run,))
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
        print_table(
            single.quarantine,
            {
                "user": lambda pair: pair.user_id,
                "artwork": lambda pair: pair.artwork_id,
                "tried": lambda pair: str(pair.attempts),
                "again at": lambda pair: moment(pair.retry_at),
                "in quarantine because": lambda pair: pair.error,
            },
            numbers=("tried",),
        )
    print_table(
        single.batches,
        {
            "batch": lambda batch: str(batch.number),
            "started": lambda batch: moment(batch.started_at),
            "took": lambda batch: duration(batch.seconds),
            "users": lambda batch: number(batch.users),
            "rows": lambda batch: number(batch.inserted),
        },
        numbers=("batch", "users", "rows"),
    )


def _print_runs(found: tuple[Run, ...]) -> None:
    if not found:
        console.print("No heal run yet.")
        return
    print_table(
        found,
        {
            "run": lambda run: str(run.id),
            "kind": lambda run: (
                run.kind.value if run.undoes is None else f"{run.kind.value} of {run.undoes}"
            ),
            "state": lambda run: run.state.value,
            "started": lambda run: moment(run.started_at),
            "by": lambda run: run.trigger.value,
            "rows": lambda run: number(run.inserted),
            "planned": lambda run: number(run.planned_rows),
            "before": lambda run: number(run.legacy_before),
            "after": lambda run: number(run.legacy_after),
            "": lambda run: "" if run.state is RunState.SUCCEEDED else run.outcome or run.reason,
        },
        numbers=("run", "rows", "planned", "before", "after"),
    )
