"""The current run: how far it is, how fast, how long to go, what it waits for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from exporters.current import remaining_rows
from exporters.page.context import PageContext
from exporters.page.formatting import lasting
from monitor.healing.executor import Progress
from monitor.state.runs import Run, RunState
from monitor.status import Status


@dataclass(frozen=True, slots=True)
class CurrentRun:
    """The run over the audience that is under way or was put down."""

    id: int
    undoes: int | None
    doing: str
    reason: str
    started_at: datetime
    done: int
    planned: int
    left: int
    batches: int
    rate: str
    to_go: str
    waiting_for: str
    """Empty while it writes."""
    held: bool
    outcome: str
    """Of a run that was put down: why."""


def current_run(context: PageContext) -> CurrentRun | None:
    """None while no run is active."""
    status = context.status
    run = status.active_run
    if run is None:
        return None
    progress = status.progress
    if progress is not None and progress.run.id != run.id:
        progress = None
    left = remaining_rows(status)
    rate = _rate(run, progress)
    held = run.state is RunState.HELD
    return CurrentRun(
        id=run.id,
        undoes=run.undoes,
        doing="heals the audience" if run.undoes is None else f"takes run {run.undoes} back",
        reason=run.reason,
        started_at=run.started_at,
        done=max(0, run.planned_rows - left),
        planned=run.planned_rows,
        left=left,
        batches=run.batches,
        rate=f"{rate:,.0f} rows a second" if rate else "not known yet",
        to_go=_to_go(status, left, rate, held=held),
        waiting_for=_waiting_for(run, progress),
        held=held,
        outcome=run.outcome,
    )


def _rate(run: Run, progress: Progress | None) -> float:
    """Rows a second; what another process works on is judged by its row."""
    if progress is not None:
        return progress.rows_per_second
    seconds = run.writing_seconds + run.waiting_seconds
    return run.inserted / seconds if seconds > 0 else 0.0


def _to_go(status: Status, left: int, rate: float, *, held: bool) -> str:
    if held:
        return "put down"
    if left == 0:
        return "counting again"
    if status.control.paused:
        return "paused"
    return f"about {lasting(left / rate)}" if rate else "not known yet"


def _waiting_for(run: Run, progress: Progress | None) -> str:
    if run.state is RunState.HELD:
        return ""
    return (progress.waiting_for if progress is not None else run.waiting_for) or ""
