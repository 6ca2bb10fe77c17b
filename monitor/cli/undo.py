"""`undo`: show, ask, take a run's impressions back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.doctor.findings import Blocks
from checks.errors import RefusedError
from monitor.cli.execution import execute
from monitor.cli.heal_output import progress_display
from monitor.cli.output import console, duration, number, print_json
from monitor.cli.session import require_schema, runtime_for, with_engine
from monitor.config import Settings
from monitor.database import snapshot
from monitor.healing.errors import paused_sentence
from monitor.healing.executor import RunResult
from monitor.healing.preview import Preflight, UndoPreview, preflight, trace_warning
from monitor.runtime import Runtime
from monitor.state.control import read_control
from monitor.state.runs import Run, RunState, Trigger


@dataclass(frozen=True, slots=True)
class Options:
    """What the person asked for."""

    run: int
    dry_run: bool
    yes: bool
    as_json: bool


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is known before anybody is asked."""

    preview: UndoPreview
    preflight: Preflight
    warnings: tuple[str, ...]
    paused: str | None
    """Why nothing is written at all, where somebody has paused."""


def undo(
    context: typer.Context,
    run: Annotated[int, typer.Argument(help="The run to take back; `runs` lists them.", min=1)],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the plan; write nothing at all.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Take back what a run wrote, except what was viewed again since. Suspends automatic healing.

    Exit 1 unless all of that is taken back.
    """
    options = Options(run, dry_run, yes, as_json)

    async def work(engine: AsyncEngine, settings: Settings) -> int:
        await require_schema(engine, settings)
        return await _undo(await runtime_for(engine, settings, Blocks.COUNTING), options)

    return with_engine(context, work)


async def _undo(runtime: Runtime, options: Options) -> int:
    outlook = await _look(runtime, options.run)
    if options.as_json and options.dry_run:
        print_json(_fields(options.run, outlook))
    elif not options.as_json:
        _print_outlook(options.run, outlook)
    if options.dry_run:
        return 0
    if outlook.paused is not None:
        raise RefusedError(outlook.paused)
    if outlook.preview.untouched:
        _ask(outlook, options)
    planned = await runtime.undo_planner.plan(
        runtime.run_owner(Trigger.COMMAND), options.run, reason="Asked for on the command line."
    )
    if planned is None:
        if options.as_json:
            print_json({"run": None, "run_id": None, **_fields(options.run, outlook)})
        return 0
    if planned.resumed and not options.as_json:
        console.print(
            f"Run {planned.run.id} was left unfinished at {planned.run.inserted:,} of"
            f" {planned.run.planned_rows:,} rows; it goes on from there."
        )
    return await _work(runtime, planned.run, options)


async def _look(runtime: Runtime, run_id: int) -> Outlook:
    preview = await runtime.undo_planner.preview(run_id)
    timeout = runtime.settings.database.statement_timeout
    async with snapshot(runtime.engine, timeout=timeout) as connection:
        found = await preflight(connection, runtime.healing)
        control = await read_control(connection, runtime.state)
    return Outlook(
        preview=preview,
        preflight=found,
        warnings=tuple(_warnings(runtime, preview, found)),
        paused=paused_sentence(control.paused_reason) if control.paused else None,
    )


def _warnings(runtime: Runtime, preview: UndoPreview, found: Preflight) -> list[str]:
    said = []
    no_trace = trace_warning(runtime.catalogue, preview)
    if no_trace is not None:
        said.append(no_trace)
    if preview.untouched and found.triggers:
        said.append(
            f"Triggers fire on DELETE: {', '.join(found.triggers)}. They run for every row, or"
            " every batch, that is taken back."
        )
    publications = runtime.catalogue.impressions.publications
    if preview.untouched and publications:
        said.append(
            f"The impressions are published ({', '.join(publications)}): subscribers hear of the"
            " deletes."
        )
    return said


def _fields(run_id: int, outlook: Outlook) -> dict[str, object]:
    preview = outlook.preview
    return {
        "undoes": run_id,
        "would_undo": preview.untouched,
        "touched": preview.touched,
        "gone": preview.gone,
        "users": preview.users,
        "warnings": outlook.warnings,
        "refused": outlook.preflight.refusal,
    }


def _print_outlook(run_id: int, outlook: Outlook) -> None:
    preview = outlook.preview
    if preview.untouched == 0:
        console.print(
            f"Nothing to take back of run {run_id}: {number(preview.touched)} impressions were"
            f" viewed again since and stay, {number(preview.gone)} are gone already."
        )
        return
    console.print(
        f"Plan: take {number(preview.untouched)} of {number(preview.listed)} impressions of run"
        f" {run_id} back. {number(preview.touched)} were viewed again since and stay,"
        f" {number(preview.gone)} are gone already. Automatic healing is suspended by it."
    )
    for warning in outlook.warnings:
        console.print(warning, style="yellow", markup=False, soft_wrap=True)
    if outlook.preflight.refusal is not None:
        console.print(
            f"Impossible: {outlook.preflight.refusal}",
            style="bold red",
            markup=False,
            soft_wrap=True,
        )


def _ask(outlook: Outlook, options: Options) -> None:
    if outlook.preflight.refusal is None and not options.yes:
        typer.confirm(
            f"Take {outlook.preview.untouched:,} impressions back?", abort=True, err=options.as_json
        )


async def _work(runtime: Runtime, run: Run, options: Options) -> int:
    with progress_display(run, quiet=options.as_json) as on_progress:
        ended = await execute(runtime, run, on_progress)
    if options.as_json:
        print_json({"run": ended.run, "run_id": ended.run.id, "census": ended.census})
    else:
        _print_ended(ended)
    return 0 if ended.run.state is RunState.SUCCEEDED else 1


def _print_ended(ended: RunResult) -> None:
    run = ended.run
    style = "green" if run.state is RunState.SUCCEEDED else "bold red"
    console.print(
        f"Run {run.id} [{style}]{run.state.value}[/{style}]: {number(run.inserted)} rows in"
        f" {number(run.batches)} batches, {duration(run.writing_seconds)} writing,"
        f" {duration(run.waiting_seconds)} waiting.",
    )
    console.print(run.outcome, markup=False, soft_wrap=True)
    if run.state is RunState.HELD:
        console.print(f"`conservator undo {run.undoes}` goes on from there.")
    elif run.legacy_after is not None:
        console.print(f"legacy_untracked: [bold]{number(run.legacy_after)}[/bold] now")
