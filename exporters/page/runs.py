"""Runs as a reader sees them: the current one with its progress, and earlier ones as rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from exporters.current import remaining_rows
from exporters.page.formatting import lasting
from monitor.healing.executor import Progress
from monitor.state.runs import BatchRow, QuarantinedPair, Run, RunKind, RunState
from monitor.status import Status

_LEVELS = {
    RunState.SUCCEEDED: "fine",
    RunState.PARTIAL: "attention",
    RunState.FAILED: "attention",
}


@dataclass(frozen=True, slots=True)
class RunsRead:
    """The newest runs as they were read last."""

    runs: tuple[Run, ...] = ()
    more: bool = False
    """There are earlier ones."""
    error: str | None = None
    """Why they could not be read again, in a sentence."""

    @property
    def following(self) -> int | None:
        """The `before` of the page that follows; None on the last one."""
        return self.runs[-1].id if self.more and self.runs else None


@dataclass(frozen=True, slots=True)
class RunShown:
    """One run with all that is kept of it."""

    run: Run
    waits: Mapping[str, float]
    quarantine: tuple[QuarantinedPair, ...]
    batches: tuple[BatchRow, ...]
    following: int | None
    """The `after` of the next page of batches."""
    other_settings: tuple[str, ...] = ()
    """What is configured otherwise by now."""


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run as a row of a table."""

    run: Run
    what: str
    level: str
    seconds: float | None
    """None while it goes on."""
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
        run=run,
        what=_what(run),
        level=_LEVELS.get(run.state, "unknown"),
        seconds=None if ended is None else (ended - run.started_at).total_seconds(),
        undoable=may_act and _undoable(run),
    )


def _what(run: Run) -> str:
    if run.kind is RunKind.UNDO:
        return f"undo of {run.undoes}" + ("" if run.repair is None else f", repair {run.repair}")
    if run.kind is RunKind.REPAIR:
        return f"repair {run.repair}"
    return "one user" if run.kind is RunKind.USER else "audience"


def _undoable(run: Run) -> bool:
    """It has written, and nobody is at it."""
    return run.kind is not RunKind.UNDO and run.inserted > 0 and run.state is not RunState.RUNNING


@dataclass(frozen=True, slots=True)
class CurrentRun:
    """The run over the audience that is under way or was put down."""

    run: Run
    doing: str
    done: int
    left: int
    rate: str
    to_go: str
    waits_for: str


def current_run(status: Status) -> CurrentRun | None:
    """None while no run is active."""
    run, progress = status.active_run, status.progress
    if run is None:
        return None
    if progress is not None and progress.run.id != run.id:
        progress = None
    left = remaining_rows(status)
    rate = _rate(run, progress)
    return CurrentRun(
        run=run,
        doing=_doing(run),
        done=max(0, run.planned_rows - left),
        left=left,
        rate=f"{rate:,.0f} rows a second" if rate else "not known yet",
        to_go=_to_go(run, left, rate, paused=status.control.paused),
        waits_for=_waits_for(run, progress),
    )


def _doing(run: Run) -> str:
    if run.undoes is not None:
        return f"takes run {run.undoes} back"
    return "heals the audience" if run.repair is None else f"mends {run.repair}"


def _rate(run: Run, progress: Progress | None) -> float:
    """Rows a second; what another process works on is judged by its row."""
    if progress is not None:
        return progress.rows_per_second
    seconds = run.writing_seconds + run.waiting_seconds
    return run.inserted / seconds if seconds > 0 else 0.0


def _to_go(run: Run, left: int, rate: float, *, paused: bool) -> str:
    if run.state is RunState.HELD:
        return "put down"
    if left == 0:
        return "counting again"
    if paused:
        return "paused"
    return f"about {lasting(left / rate)}" if rate else "not known yet"


def _waits_for(run: Run, progress: Progress | None) -> str:
    if run.state is RunState.HELD:
        return f"put down: {run.outcome}"
    waiting_for = run.waiting_for if progress is None else progress.waiting_for
    return waiting_for or "nothing"
