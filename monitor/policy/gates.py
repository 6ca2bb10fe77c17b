"""What keeps healing and repairs alike from starting. Pure."""

from __future__ import annotations

from datetime import time

from monitor.config.types import MaintenanceWindow
from monitor.policy.decision import Code, Decision, Verdict
from monitor.state.control import Control
from monitor.state.runs import Run


def paused(control: Control) -> Decision | None:
    """The kill switch, which stops everything."""
    if not control.paused:
        return None
    reason = f"Paused: {control.paused_reason or 'no reason given'}."
    return Decision(Verdict.PAUSED, Code.PAUSED, reason)


def cooling_down(since_run: float | None, cooldown_seconds: float) -> Decision | None:
    """The last run ended less than the cooldown ago."""
    if since_run is None or since_run >= cooldown_seconds:
        return None
    return Decision(
        Verdict.WAIT,
        Code.COOLDOWN,
        f"The last run ended {since_run:.0f} s ago, the cooldown is {cooldown_seconds:.0f} s.",
        again_in_seconds=cooldown_seconds - since_run,
    )


def window_closed(
    window: MaintenanceWindow | None, local_time: time, what: str = "healing"
) -> Decision | None:
    """It is not the hour."""
    if window is None or window.contains(local_time):
        return None
    reason = f"It is {local_time:%H:%M}; the window for {what} is {window}."
    return Decision(Verdict.WAIT, Code.WINDOW, reason)


def mending_sentence(run: Run) -> str:
    """Where a repair's run, or the undo of one, stands."""
    where = f"{run.inserted} of {run.planned_rows} rows"
    if run.undoes is not None:
        return f"Run {run.id} is taking run {run.undoes} back: {where}."
    if run.claimable:
        return f"Run {run.id} of repair {run.repair} was left at {where}."
    return f"Run {run.id} is mending {run.repair}: {where}."
