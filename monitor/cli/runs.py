"""Runs that were made: their history by `runs`, and `undo`, which takes one's impressions back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.errors import ConservatorError
from checks.kept_catalogue import KeptCatalogue, other_settings
from monitor.cli.foreground import REASON, DryRun, RunPlan, StartedRun, carry_out
from monitor.cli.output import (
    console,
    duration,
    moment,
    number,
    print_result,
    print_table,
    print_text,
)
from monitor.cli.repair import plan_repair_undo
from monitor.cli.repair_list import repair_sentences, stopped_sentences
from monitor.cli.session import AsJson, Session, Yes, run_on_state, run_session, settings_of
from monitor.healing.errors import paused_sentence
from monitor.healing.preview import Preflight, UndoPreview, preflight, trace_warning
from monitor.run_tools import tools_to_undo
from monitor.runtime import Runtime
from monitor.state.control import read_control
from monitor.state.repairs import read_repair_controls
from monitor.state.runs import (
    BatchRow,
    QuarantinedPair,
    Run,
    RunState,
    Trigger,
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
    other_settings: tuple[str, ...]
    """What is counted or written otherwise by now, by the paths of the settings."""


def runs(
    context: typer.Context,
    run: Annotated[int | None, typer.Argument(help="One run, with its batches.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many runs to list.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List runs, newest first; or one run with its batches.

    Example: conservator runs 12
    """
    if run is not None:
        settings = settings_of(context)
        present = KeptCatalogue.of(settings.catalog_spec(), settings.pools_spec().audience)
        single = run_on_state(context, partial(_read_run, run_id=run, present=present))
        print_result(single, lambda: _print_run(single), as_json=as_json)
    else:
        names = [one.name for one in settings_of(context).repairs]
        listed = run_on_state(context, partial(_read_runs, limit=limit, repairs=names))
        print_result(
            {"runs": listed.runs, "stopped": listed.stopped},
            lambda: _print_listed(listed),
            as_json=as_json,
        )


@dataclass(frozen=True, slots=True)
class _Listed:
    runs: tuple[Run, ...]
    stopped: tuple[str, ...]
    """What keeps others from starting now, as sentences."""


async def _read_runs(
    connection: AsyncConnection, state: SchemaStatements, *, limit: int, repairs: Sequence[str]
) -> _Listed:
    control = await read_control(connection, state)
    controls = await read_repair_controls(connection, state)
    own = [controls[one] for one in repairs if one in controls]
    sentences = [*stopped_sentences(control)]
    if control.suspended:
        sentences.append(
            f"Automatic healing is suspended: {control.suspended_reason or 'no reason given'}."
            " `conservator resume` ends that."
        )
    sentences += [told for one in own for told in repair_sentences(one)]
    return _Listed(await list_runs(connection, state, limit=limit), tuple(sentences))


def _print_listed(listed: _Listed) -> None:
    _print_runs(listed.runs)
    for sentence in listed.stopped:
        print_text(sentence, "yellow")


async def _read_run(
    connection: AsyncConnection, state: SchemaStatements, *, run_id: int, present: KeptCatalogue
) -> RunInFull:
    found = await get_run(connection, state, run_id)
    if found is None:
        raise ConservatorError(f"There is no run {run_id}; `conservator runs` lists them.")
    return RunInFull(
        run=found,
        waits=await list_waits(connection, state, run_id),
        quarantine=await list_quarantined(connection, state, run_id=run_id),
        batches=await list_batches(connection, state, run_id, limit=MAX_BATCHES),
        other_settings=other_settings(found.catalogue, present),
    )


def _print_run(single: RunInFull) -> None:
    """What it waits for, where its time went, and its batches."""
    run = single.run
    _print_runs((run,))
    if single.other_settings:
        print_text(f"Configured otherwise by now: {', '.join(single.other_settings)}.")
    if run.waiting_for:
        print_text(f"Waiting now: {run.waiting_for}")
    waited = [f"{reason} {duration(seconds)}" for reason, seconds in single.waits.items()]
    print_text(
        f"Wrote for {duration(run.writing_seconds)}, waited for {duration(run.waiting_seconds)}"
        + (f": {', '.join(waited)}." if waited else ".")
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
            "of": lambda batch: "–" if batch.size is None else number(batch.size),
            "why so many": lambda batch: batch.size_reason or "–",
        },
        numbers=("batch", "users", "rows", "of"),
    )


def _print_runs(found: tuple[Run, ...]) -> None:
    if not found:
        console.print("No run yet.")
        return
    print_table(
        found,
        {
            "run": lambda run: str(run.id),
            "kind": lambda run: (
                (run.kind.value if run.undoes is None else f"{run.kind.value} of {run.undoes}")
                + ("" if run.repair is None else f" ({run.repair})")
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


def undo(
    context: typer.Context,
    run: Annotated[int, typer.Argument(help="The run to take back; `runs` lists them.", min=1)],
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> int:
    """Take back what a run changed, except what has been touched since. Suspends automatic healing,
    or the repair.

    Exit 1 unless all of that is taken back.

    Example: conservator undo 12 --dry-run
    """

    async def work(session: Session) -> int:
        await session.state()
        runtime = await session.runtime()
        tools = await tools_to_undo(runtime, run, looks=dry_run)
        if tools.repair is None:
            plan = await _plan_undo(session, tools, run)
        else:
            plan = await plan_repair_undo(session, tools, run)
        return await carry_out(plan, session, tools, dry_run=dry_run, yes=yes, as_json=as_json)

    return run_session(context, work)


async def _plan_undo(session: Session, runtime: Runtime, run: int) -> RunPlan:
    preview = await runtime.undo_planner.preview(run)
    async with session.snapshot() as connection:
        found = await preflight(connection, runtime.healing)
        control = await read_control(connection, runtime.state)
    warnings = _warnings(runtime, preview, found)

    async def start() -> StartedRun | None:
        planned = await runtime.undo_planner.plan(
            runtime.run_owner(Trigger.COMMAND), run, reason=REASON
        )
        return None if planned is None else StartedRun(planned.run, planned.resumed)

    fields = {
        "undoes": run,
        "would_undo": preview.untouched,
        "touched": preview.touched,
        "gone": preview.gone,
        "users": preview.users,
        "warnings": warnings,
        "refused": found.refusal,
    }
    # What is impossible the planner refuses; nobody need agree to it first.
    asked = preview.untouched and found.refusal is None
    return RunPlan(
        command=f"undo {run}",
        fields=fields,
        nothing={"run": None, "run_id": None, **fields},
        show=lambda: _show_plan(run, preview, warnings, found.refusal),
        refused=paused_sentence(control.paused_reason) if control.paused else None,
        question=f"Take {preview.untouched:,} impressions back?" if asked else None,
        start=start,
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


def _show_plan(run: int, preview: UndoPreview, warnings: list[str], refusal: str | None) -> None:
    if preview.untouched == 0:
        console.print(
            f"Nothing to take back of run {run}: {number(preview.touched)} impressions were viewed"
            f" again since and stay, {number(preview.gone)} are gone already."
        )
        return
    console.print(
        f"Plan: take {number(preview.untouched)} of {number(preview.listed)} impressions of run"
        f" {run} back. {number(preview.touched)} were viewed again since and stay,"
        f" {number(preview.gone)} are gone already. Automatic healing is suspended by it."
    )
    for warning in warnings:
        print_text(warning, "yellow")
    if refusal is not None:
        print_text(f"Impossible: {refusal}", "bold red")
