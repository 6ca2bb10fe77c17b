"""The repairs, each beside its check: what is pending, what was decided and why, its buttons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from exporters.current import pending_rows
from exporters.page.checks import Level
from exporters.page.healing import Button
from monitor.policy.decision import Code, Verdict
from monitor.state.repairs import RepairControl
from monitor.status import RepairStatus, Status

_WORDS = {
    Verdict.CLEAR: ("nothing to mend", Level.FINE),
    Verdict.WAIT: ("waits", Level.UNKNOWN),
    Verdict.PAUSED: ("left to a person", Level.ATTENTION),
    Verdict.REFUSED: ("refused", Level.ATTENTION),
    Verdict.ERROR: ("could not be planned", Level.ATTENTION),
    Verdict.HEAL: ("mends", Level.ATTENTION),
}
_DOES = {"insert": "inserts into", "update": "updates", "delete": "deletes from"}


@dataclass(frozen=True, slots=True)
class RepairRow:
    """One repair as it is shown."""

    repair: RepairStatus
    does: str
    word: str
    level: Level
    pending: int | None
    """None: not known."""
    mend_offered: bool
    undo: int | None
    """A run that an undo may be asked of."""
    switches: tuple[Button, ...]
    """What ends a suspension, or closes its breaker."""


def repair_rows(
    status: Status, now: float, *, may_act: bool
) -> Mapping[str, tuple[RepairRow, ...]]:
    """By check, in the order of the configuration."""
    found: dict[str, tuple[RepairRow, ...]] = {}
    for one in status.repairs.values():
        row = _row(status, one, now, may_act=may_act)
        found[one.check] = (*found.get(one.check, ()), row)
    return found


def _row(status: Status, one: RepairStatus, now: float, *, may_act: bool) -> RepairRow:
    pending = pending_rows(status, one, now)
    word, level = _word(one, pending)
    free = may_act and status.active_run is None and not status.control.paused
    return RepairRow(
        repair=one,
        does=f"{_DOES[one.action]} {one.table}",
        word=word,
        level=level,
        pending=pending,
        mend_offered=free and status.database_up,
        undo=one.newest_run if free and one.newest_run else None,
        switches=tuple(_switches(one)) if may_act else (),
    )


def _word(one: RepairStatus, pending: int | None) -> tuple[str, Level]:
    """What was decided, in few words that say nothing else than the number beside them."""
    decision = one.decision
    if decision is None:
        return "not decided yet", Level.UNKNOWN
    if decision.code is Code.NOTHING_NAMED:
        return "find names nothing", Level.UNKNOWN
    if decision.kind is Verdict.CLEAR and pending != 0:
        return "its check does not fail", Level.FINE if pending else Level.UNKNOWN
    return _WORDS[decision.kind]


def _switches(one: RepairStatus) -> list[Button]:
    own, buttons = one.own, []
    if own.suspended:
        buttons.append(
            _switch(
                one,
                "Resume…",
                "Resume",
                "resume",
                f"The suspension ends ({own.suspended_reason or 'no reason given'})."
                " It may mend at once.",
            )
        )
    if own.breaker_open:
        buttons.append(
            _switch(
                one, "Reset its breaker…", "Reset the breaker of", "reset-breaker", _reset_plan(own)
            )
        )
    return buttons


def _switch(one: RepairStatus, label: str, verb: str, call: str, plan: str) -> Button:
    return Button(
        label=label,
        title=f"{verb} {one.name}",
        path=f"/api/healing/{call}",
        plan=plan,
        verb=verb if verb == "Resume" else "Reset the breaker",
        body=f'{{"repair": "{one.name}"}}',
    )


def _reset_plan(own: RepairControl) -> str:
    return (
        f"It opened because: {own.breaker_reason} Reset it once you have looked. What `find` named"
        " last is accepted where it is above the limits. It may mend at once."
    )
