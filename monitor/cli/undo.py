"""`undo`: a run's impressions are taken back."""

from __future__ import annotations

from typing import Annotated

import typer

from checks.doctor import Blocks
from monitor.cli.foreground import REASON, DryRun, RunOptions, RunPlan, StartedRun, carry_out
from monitor.cli.output import console, number
from monitor.cli.session import AsJson, Session, Yes, run_session
from monitor.healing.batches import paused_sentence
from monitor.healing.undo_survey import Preflight, UndoSurvey, preflight, trace_warning
from monitor.state.control import read_control
from monitor.state.runs import Trigger
from monitor.workshop import Workshop


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
        workshop = await session.workshop(Blocks.COUNTING)
        plan = await _plan_undo(session, workshop, run)
        return await carry_out(plan, session, workshop, options)

    return run_session(context, work)


async def _plan_undo(session: Session, workshop: Workshop, run: int) -> RunPlan:
    survey = await workshop.undo_planner.survey(run)
    async with session.snapshot() as connection:
        found = await preflight(connection, workshop.healing)
        control = await read_control(connection, workshop.state)
    warnings = _warnings(workshop, survey, found)

    async def start() -> StartedRun | None:
        planned = await workshop.undo_planner.plan(
            workshop.claimant(Trigger.COMMAND), run, reason=REASON
        )
        return None if planned is None else StartedRun(planned.run, planned.resumed)

    fields = {
        "undoes": run,
        "would_undo": survey.untouched,
        "touched": survey.touched,
        "gone": survey.gone,
        "users": survey.users,
        "warnings": warnings,
        "refused": found.refusal,
    }
    # What is impossible the planner refuses; nobody need agree to it first.
    asked = survey.untouched and found.refusal is None
    return RunPlan(
        command=f"undo {run}",
        fields=fields,
        nothing={"run": None, "run_id": None, **fields},
        show=lambda: _show_plan(run, survey, warnings, found.refusal),
        refused=paused_sentence(control.paused_reason) if control.paused else None,
        question=f"Take {survey.untouched:,} impressions back?" if asked else None,
        start=start,
    )


def _warnings(workshop: Workshop, survey: UndoSurvey, found: Preflight) -> list[str]:
    said = []
    no_trace = trace_warning(workshop.catalogue, survey)
    if no_trace is not None:
        said.append(no_trace)
    if survey.untouched and found.triggers:
        said.append(
            f"Triggers fire on DELETE: {', '.join(found.triggers)}. They run for every row, or"
            " every batch, that is taken back."
        )
    publications = workshop.catalogue.impressions.publications
    if survey.untouched and publications:
        said.append(
            f"The impressions are published ({', '.join(publications)}): subscribers hear of the"
            " deletes."
        )
    return said


def _show_plan(run: int, survey: UndoSurvey, warnings: list[str], refusal: str | None) -> None:
    if survey.untouched == 0:
        console.print(
            f"Nothing to take back of run {run}: {number(survey.touched)} impressions were viewed"
            f" again since and stay, {number(survey.gone)} are gone already."
        )
        return
    console.print(
        f"Plan: take {number(survey.untouched)} of {number(survey.listed)} impressions of run"
        f" {run} back. {number(survey.touched)} were viewed again since and stay,"
        f" {number(survey.gone)} are gone already. Automatic healing is suspended by it."
    )
    for warning in warnings:
        console.print(warning, style="yellow", markup=False, soft_wrap=True)
    if refusal is not None:
        console.print(f"Impossible: {refusal}", style="bold red", markup=False, soft_wrap=True)
