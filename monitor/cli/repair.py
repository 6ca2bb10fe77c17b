"""`repair`: one run of what is configured; and the plan of an undo."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import typer

from checks.errors import RefusedError
from exporters.http.responses import CheckResult
from monitor.checking.once import check_names, check_once
from monitor.cli.foreground import REASON, CheckResults, DryRun, RunPlan, StartedRun, carry_out
from monitor.cli.output import (
    console,
    counted,
    duration,
    number,
    print_table,
    print_text,
    record_fields,
)
from monitor.cli.repair_list import list_repairs, suspended_sentence
from monitor.cli.session import AsJson, Session, Yes, find_repair, run_session
from monitor.config import Repair
from monitor.healing.errors import active_sentence, breaker_sentence, paused_sentence
from monitor.healing.repair_planner import RepairPreview
from monitor.healing.repair_undo import RepairUndoPlanner, RepairUndoPreview
from monitor.run_tools import (
    plan_repair,
    preview_repair,
    repair_planner,
    tools_to_repair,
    tools_to_work,
)
from monitor.runtime import Runtime
from monitor.service.startup import ensure_schema
from monitor.state.control import Control, read_control
from monitor.state.repairs import RepairControl, read_repair_control
from monitor.state.runs import Run, RunKind, Trigger, active_run

_DONE = {"insert": "Insert {}?", "update": "Update {}?", "delete": "Delete {}?"}
_NOT_SEEN = (
    "Run {run} can't go on: `conservator runs {run}` says why, and `conservator repair {repair}`"
    " plans what is wrong now."
)
_SHORT = 60
"""Characters of a value before and after."""


def repair(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(help="The repair to run; without one, all are listed.")
    ] = None,
    dry_run: DryRun = False,
    max_rows: Annotated[
        int | None, typer.Option("--max-rows", metavar="N", min=1, help="At most so many rows.")
    ] = None,
    yes: Yes = False,
    beyond_breaker: Annotated[
        bool, typer.Option("--beyond-breaker", help="Go on although a breaker refuses.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Plan, ask, mend, verify; then run its check again. Exit 1 unless all of it was mended.

    Example: conservator repair orphans --dry-run
    """

    if name is None and (yes or beyond_breaker or max_rows is not None):
        raise typer.BadParameter("which repair? Without its name, all are listed, and none is run")

    async def work(session: Session) -> int:
        if name is None:
            return await list_repairs(session, as_json=as_json)
        chosen = find_repair(session.settings, name)
        tools = await tools_to_repair(await session.runtime(), chosen)
        rows = max_rows or chosen.max_rows_per_run
        plan = await _plan(session, tools, chosen, rows, beyond_breaker=beyond_breaker, yes=yes)
        return await carry_out(plan, session, tools, dry_run=dry_run, yes=yes, as_json=as_json)

    return run_session(context, work)


@dataclass(frozen=True, slots=True)
class _Look:
    """What is there before anybody is asked."""

    control: Control
    own: RepairControl
    active: Run | None


async def _look(session: Session, tools: Runtime, chosen: Repair) -> _Look:
    own = RepairControl(chosen.name)
    async with session.snapshot() as connection:
        if not await session.has_schema(connection):
            return _Look(Control(), own, None)
        return _Look(
            await read_control(connection, tools.state),
            await read_repair_control(connection, tools.state, chosen.name),
            await active_run(connection, tools.state),
        )


async def _plan(
    session: Session,
    tools: Runtime,
    chosen: Repair,
    max_rows: int,
    *,
    beyond_breaker: bool,
    yes: bool,
) -> RunPlan:
    found, look = await preview_repair(tools, chosen), await _look(session, tools, chosen)
    goes_on = _goes_on(look.active, chosen)
    breaker = _breaker(tools, chosen, found, look)
    rows = min(found.named, max_rows)

    def show() -> None:
        _show_left(goes_on) if goes_on else _show(chosen, found, rows, look.own)
        if look.control.paused:
            print_text(paused_sentence(look.control.paused_reason), "yellow")
        if breaker is not None and found.named and goes_on is None:
            print_text(breaker, "bold red")

    async def start() -> StartedRun | None:
        if goes_on is not None:
            claimed = await _take_up(tools, goes_on, beyond_breaker)
            if claimed is not None:
                return StartedRun(claimed, resumed=True)
            if not yes:
                raise RefusedError(_NOT_SEEN.format(run=goes_on.id, repair=chosen.name))
        # What was shown and agreed to, however many there are by now.
        return await _begin(tools, chosen, rows, beyond_breaker) if found.named else None

    fields = {
        **record_fields(found),
        "repair": chosen.name,
        "would_mend": rows if goes_on is None else goes_on.planned_rows - goes_on.position,
        "goes_on_with": None if goes_on is None else goes_on.id,
        "suspended": look.own.suspended,
        "refused": breaker,
    }
    return RunPlan(
        command=f"repair {chosen.name}",
        fields=fields,
        nothing={"run": None, "run_id": None, **fields},
        show=show,
        refused=_refused(look, goes_on, None if beyond_breaker or not found.named else breaker),
        question=_DONE[chosen.action.value].format(counted(rows, "row"))
        if rows and goes_on is None
        else None,
        start=start,
        counts="row",
        check_again=partial(_check_again, session, chosen, begun=bool(rows) or goes_on is not None),
    )


def _breaker(tools: Runtime, chosen: Repair, found: RepairPreview, look: _Look) -> str | None:
    """Why a breaker refuses it, healing's before its own."""
    if look.control.breaker_open:
        return breaker_sentence(look.control.breaker_reason)
    refusal = repair_planner(tools, chosen).refusal(found.named, found.share, look.own)
    return None if refusal is None else refusal.reason


async def _begin(
    tools: Runtime, chosen: Repair, rows: int, beyond_breaker: bool
) -> StartedRun | None:
    await ensure_schema(tools.engine, tools.state)
    run = await plan_repair(
        tools,
        chosen,
        Trigger.COMMAND,
        reason=f"{REASON} Beyond the breaker." if beyond_breaker else REASON,
        max_rows=rows,
        beyond_breaker=beyond_breaker,
    )
    return None if run is None else StartedRun(run, resumed=False)


def _goes_on(active: Run | None, chosen: Repair) -> Run | None:
    """The run of this repair that was put down, which a person sends on."""
    if active is None or active.kind is not RunKind.REPAIR or active.repair != chosen.name:
        return None
    return active if active.claimable else None


async def _take_up(tools: Runtime, left: Run, beyond_breaker: bool) -> Run | None:
    """The run, claimed; None where another process was first, or where it was planned for another
    repair or another table by now: it is ended then."""
    claimed = await tools.resume(left.id, beyond_breaker=beyond_breaker)
    if claimed is None:
        return None
    try:
        await tools_to_work(tools, claimed)
    except RefusedError as error:
        await tools.give_up(claimed, str(error))
        return None
    return claimed


def _refused(look: _Look, goes_on: Run | None, breaker: str | None) -> str | None:
    """Why no run may start or go on."""
    if look.control.paused:
        return paused_sentence(look.control.paused_reason)
    if look.active is not None and goes_on is None:
        return active_sentence(look.active)
    return breaker


def _show_left(run: Run) -> None:
    console.print(
        f"Run {run.id} was put down at {run.position:,} of {run.planned_rows:,} rows, of which it"
        f" mended {run.inserted:,}: it goes on from there, and nothing new is planned."
    )


def _show(chosen: Repair, found: RepairPreview, rows: int, own: RepairControl) -> None:
    if own.suspended:
        print_text(suspended_sentence(own), "yellow")
    if found.named == 0:
        console.print(f"Nothing to mend: find of {chosen.name} names no row.", markup=False)
        return
    console.print(
        f"Plan: {chosen.action.value} {number(rows)} of {counted(found.named, 'row')} that find of"
        f" {chosen.name} names, {found.share:.2%} of {chosen.table}"
        f" ({counted(found.table_rows, 'row')}). One evaluation of find took"
        f" {duration(found.seconds)};"
        + (
            " each batch asks it again for its own keys."
            if found.asks_again
            else " PostgreSQL can't keep it to a batch's keys, so that the rows' versions are"
            " frozen with the keys: what has changed since is left alone."
        ),
        markup=False,
    )
    if rows < found.named:
        console.print(f"{number(found.named - rows)} more stay for a later run.")
    print_table(
        found.shown,
        {
            "key": lambda one: _values(one["key"]),
            "before → after": lambda one: _change(one["before"], one["after"]),
        },
    )
    if len(found.shown) < found.named:
        console.print(f"… and {number(found.named - len(found.shown))} more.")


def _values(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={_value(value)}" for name, value in values.items())


def _value(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"{text[:_SHORT]}…" if len(text) > _SHORT else text or "''"


def _change(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> str:
    """What would change: of a row that stays, the columns that do."""
    if before is None and after is None:
        return "is gone already"
    if after is None:
        return f"{_values(before or {})} → –"
    if before is None:
        return f"– → {_values(after)}"
    changed = {name: value for name, value in after.items() if before.get(name) != value}
    return f"{_values({name: before.get(name) for name in changed})} → {_values(changed)}"


async def _check_again(session: Session, chosen: Repair, begun: bool) -> CheckResults:
    """The check that the repair belongs to, as it is now; none where nothing was to be done."""
    if not begun or chosen.check not in check_names(session.settings):
        return ()
    board = await check_once(session.engine, session.settings, [chosen.check])
    found = CheckResult.all_of(board.current, time.monotonic())
    return [one.model_dump(mode="json") for one in found]


async def plan_repair_undo(session: Session, tools: Runtime, run: int) -> RunPlan:
    """The undo of a repair's run."""
    planner = tools.undo_planner
    assert isinstance(planner, RepairUndoPlanner)
    found = await planner.preview(run)
    async with session.snapshot() as connection:
        control = await read_control(connection, tools.state)

    async def start() -> StartedRun | None:
        planned = await planner.plan(tools.run_owner(Trigger.COMMAND), run, reason=REASON)
        return None if planned is None else StartedRun(planned.run, planned.resumed)

    fields = {
        "undoes": run,
        "would_undo": found.untouched,
        "touched": found.touched,
        "gone": found.gone,
        "refused": planner.refusal,
    }
    asked = found.untouched and planner.refusal is None
    return RunPlan(
        command=f"undo {run}",
        fields=fields,
        nothing={"run": None, "run_id": None, **fields},
        show=lambda: _show_undo(run, found, planner.refusal),
        refused=paused_sentence(control.paused_reason) if control.paused else None,
        question=f"Give {counted(found.untouched, 'row')} back?" if asked else None,
        start=start,
        counts="row",
    )


def _show_undo(run: int, found: RepairUndoPreview, refusal: str | None) -> None:
    stay = (
        f"{number(found.touched)} have been touched since and stay, {number(found.gone)} are gone."
    )
    if found.untouched == 0:
        console.print(f"Nothing to give back of run {run}: {stay}")
        return
    console.print(
        f"Plan: give back {number(found.untouched)} of {counted(found.listed, 'row')} of run {run}."
        f" {stay} The repair is suspended by it."
    )
    if refusal is not None:
        print_text(f"Impossible: {refusal}", "bold red")
