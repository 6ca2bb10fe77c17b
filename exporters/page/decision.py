"""The last decision and why; who decides here, and on whose word."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from exporters.page.context import PageContext
from monitor.policy.decision import Verdict
from monitor.status import Status

_DONE = {
    Verdict.CLEAR: "Nothing to heal",
    Verdict.WAIT: "Wait",
    Verdict.PAUSED: "Leave it to a person",
    Verdict.REFUSED: "Refuse",
    Verdict.HEAL: "Heal",
}


@dataclass(frozen=True, slots=True)
class DecisionView:
    """What the section shows."""

    verdict: str | None
    """None before the first decision."""
    code: str
    reason: str
    at: datetime | None
    leader: str
    heal_offered: bool
    """A person may start what the policy left alone."""
    legacy: int
    recurring: int


def decision_view(context: PageContext) -> DecisionView:
    """The last decision of the snapshot."""
    status = context.status
    decision = status.decision
    legacy = 0 if status.census is None else status.census.legacy_untracked
    waits = decision is not None and decision.kind in (Verdict.WAIT, Verdict.PAUSED)
    return DecisionView(
        verdict=None if decision is None else _DONE[decision.kind],
        code="" if decision is None else decision.code.value,
        reason="" if decision is None else decision.reason,
        at=status.decided_at,
        leader=_leader(status),
        heal_offered=context.may_act
        and waits
        and legacy > 0
        and status.active_run is None
        and status.database_up
        and not status.control.paused
        and not status.control.breaker_open,
        legacy=legacy,
        recurring=status.recurring,
    )


def _leader(status: Status) -> str:
    if status.leader:
        return "This replica leads."
    if status.leader_name:
        return f"{status.leader_name} leads; this replica stands by and shows what that one found."
    return "No leader is known to this replica; it leads as soon as the lease is free."
