"""`undo`: a run's impressions are taken back."""

from __future__ import annotations

from typing import Annotated

import typer

from checks.doctor.findings import Blocks
from monitor.cli.foreground import REASON, DryRun, RunOptions, RunPlan, StartedRun, carry_out
from monitor.cli.output import console, number
from monitor.cli.session import AsJson, Session, Yes, run_session
from monitor.healing.errors import paused_sentence
from monitor.healing.preview import Preflight, UndoPreview, preflight, trace_warning
from monitor.runtime import Runtime
from monitor.state.control import read_control
from monitor.state.runs import Trigger


def undo(
    context: typer.Context,
    run: Annotated[int, typer.Argument(help="The run to take back; `runs` lists them.", min=1)],
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> int:
    """Take back what a run wrote, except what was viewed again since. Suspends automatic healing.

    Exit 1 unless all of that is taken back.
    """
    options = RunOptions(dry_run, yes, as_json)

    async def work(session: Session) -> int:
        await session.state()
        runtime = await session.runtime(Blocks.COUNTING)
        plan = await _plan_undo(session, runtime, run)
        return await carry_out(plan, session, runtime, options)

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
        console.print(warning, style="yellow", markup=False, soft_wrap=True)
    if refusal is not None:
        console.print(f"Impossible: {refusal}", style="bold red", markup=False, soft_wrap=True)
