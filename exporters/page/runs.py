"""Runs as rows: what they did, from how many to how many, and whether they can be taken back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from monitor.state.runs import Run, RunKind, RunState

_LEVELS = {
    RunState.SUCCEEDED: "fine",
    RunState.PARTIAL: "attention",
    RunState.FAILED: "attention",
}


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run as it is shown."""

    id: int
    what: str
    trigger: str
    state: str
    level: str
    started_at: datetime
    seconds: float | None
    """None while it goes on."""
    rows: int
    planned: int
    before: int | None
    after: int | None
    quarantined: int
    outcome: str
    undoable: bool


def run_rows(runs: Iterable[Run], *, may_act: bool) -> tuple[RunRow, ...]:
    """The runs in their order; a button only where an undo may find something."""
    several = tuple(runs)
    taken_back = {
        run.undoes
        for run in several
        if run.kind is RunKind.UNDO and run.state is RunState.SUCCEEDED
    }
    return tuple(run_row(run, may_act=may_act and run.id not in taken_back) for run in several)


def run_row(run: Run, *, may_act: bool) -> RunRow:
    """One run."""
    ended = run.finished_at
    return RunRow(
        id=run.id,
        what=_what(run),
        trigger=run.trigger.value,
        state=run.state.value,
        level=_LEVELS.get(run.state, "unknown"),
        started_at=run.started_at,
        seconds=None if ended is None else (ended - run.started_at).total_seconds(),
        rows=run.inserted,
        planned=run.planned_rows,
        before=run.legacy_before,
        after=run.legacy_after,
        quarantined=run.quarantined,
        outcome=run.outcome,
        undoable=may_act and _undoable(run),
    )


def _what(run: Run) -> str:
    if run.kind is RunKind.UNDO:
        return f"undo of {run.undoes}"
    return "one user" if run.kind is RunKind.USER else "audience"


def _undoable(run: Run) -> bool:
    """It has written, and nobody is at it."""
    return run.kind is not RunKind.UNDO and run.inserted > 0 and run.state is not RunState.RUNNING
