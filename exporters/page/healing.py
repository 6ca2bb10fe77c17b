"""Whether healing goes on: the last decision; breaker, pause, suspension and mode, how each stands
and what its button would do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from checks.census import Census
from exporters.page.formatting import share
from monitor.policy.decision import Verdict
from monitor.status import Status

_DONE = {
    Verdict.CLEAR: "Nothing to heal",
    Verdict.WAIT: "Wait",
    Verdict.PAUSED: "Leave it to a person",
    Verdict.REFUSED: "Refuse",
    Verdict.ERROR: "Not known",
    Verdict.HEAL: "Heal",
}


TABLES_SHOWN = 3
"""Findings about the app's tables that are told in full."""


@dataclass(frozen=True, slots=True)
class DecisionView:
    """What is shown beside the decision itself."""

    verdict: str | None
    """None before the first decision."""
    leader: str
    heal_offered: bool
    """A person may start what the policy left alone."""


def decision_view(status: Status, *, may_act: bool) -> DecisionView:
    """The last decision of the snapshot, in words."""
    decision = status.decision
    waits = decision is not None and decision.kind in (Verdict.WAIT, Verdict.PAUSED)
    heal_offered = (
        may_act
        and waits
        and status.census is not None
        and status.census.legacy_untracked > 0
        and status.active_run is None
        and status.database_up
        and not status.control.paused
        and not status.control.breaker_open
        and not status.examination.blocking()
    )
    verdict = None if decision is None else _DONE[decision.kind]
    return DecisionView(verdict, _leader(status), heal_offered)


def _leader(status: Status) -> str:
    if status.leader:
        return "This replica leads."
    if status.leader_name:
        return f"{status.leader_name} leads; this replica stands by and shows what that one found."
    return "No leader is known to this replica; it leads as soon as the lease is free."


@dataclass(frozen=True, slots=True)
class Button:
    """A call that a person may make, with the plan that is shown before."""

    label: str
    title: str
    path: str
    plan: str
    verb: str
    asks_reason: bool = False
    body: str = ""
    """What is sent, as JSON."""


@dataclass(frozen=True, slots=True)
class Switch:
    """One thing that keeps healing from going on, or doesn't."""

    name: str
    on: bool
    """It keeps healing from going on."""
    word: str
    sentence: str
    since: datetime | None = None
    button: Button | None = None


def switches(status: Status, *, observe: bool, may_act: bool) -> tuple[Switch, ...]:
    """All five; a button only where it changes something and somebody may press it."""
    found = (_breaker(status), _pause(status), _suspension(status))
    shown = found if may_act else tuple(replace(one, button=None) for one in found)
    return (*shown, _tables(status), _mode(observe=observe))


def _breaker(status: Status) -> Switch:
    control = status.control
    if not control.breaker_open:
        return Switch("Breaker", False, "closed", "Nothing speaks against healing.")
    button: Button | None = Button(
        label="Reset the breaker…",
        title="Reset the breaker",
        path="/api/healing/reset-breaker",
        plan=f"It opened because: {control.breaker_reason} Reset it once you have looked."
        f"{_accepting(status.census)} Automatic healing goes on at once.",
        verb="Reset the breaker",
    )
    word = f"open ({control.breaker_code})" if control.breaker_code else "open"
    sentence = control.breaker_reason
    if status.examination.suspicions:
        # What it judged may be counted wrongly: there is nothing to accept yet.
        sentence = f"{sentence} First answer what is suspected of the counts: see Tables."
        button = None
    return Switch("Breaker", True, word, sentence, control.breaker_at, button)


def _accepting(census: Census | None) -> str:
    if census is None:
        return ""
    now = share(census.legacy_untracked, census.pairs)
    return f" The legacy share, {now} now, is accepted if it is above the limit."


def _pause(status: Status) -> Switch:
    control = status.control
    if control.paused:
        said = control.paused_reason or "no reason given"
        button = _resume(status, f"The pause ends ({said}).")
        return Switch("Pause", True, "paused", said, control.paused_at, button)
    run = status.active_run
    consequence = "" if run is None else f" Run {run.id} is put down before its next batch."
    button = Button(
        label="Pause…",
        title="Pause healing",
        path="/api/healing/pause",
        plan="Nobody writes until somebody resumes: no automatic and no manual run, no undo, no"
        f" backfill of a single user.{consequence}",
        verb="Pause healing",
        asks_reason=True,
    )
    return Switch("Pause", False, "not paused", "Every replica may write.", None, button)


def _suspension(status: Status) -> Switch:
    control = status.control
    if not control.suspended:
        return Switch("Suspension", False, "none", "No undo keeps automatic healing away.")
    said = control.suspended_reason or "no reason given"
    # A pause has the same button already.
    button = None if control.paused else _resume(status, f"The suspension ends ({said}).")
    return Switch("Suspension", True, "suspended", said, control.suspended_at, button)


def _resume(status: Status, ends: str) -> Button:
    control, census = status.control, status.census
    also = " So does the suspension." if control.paused and control.suspended else ""
    legacy = 0 if census is None else census.legacy_untracked
    return Button(
        label="Resume…",
        title="Resume healing",
        path="/api/healing/resume",
        plan=f"{ends}{also} {legacy:,} legacy pairs were counted last; healing may begin at once.",
        verb="Resume",
    )


def _tables(status: Status) -> Switch:
    blocking = status.examination.blocking()
    if not blocking:
        return Switch("Tables", False, "as needed", "Nothing in the app's tables blocks healing.")
    told = "; ".join(f"{one.subject}: {one.problem}" for one in blocking[:TABLES_SHOWN])
    more = " and more" if len(blocking) > TABLES_SHOWN else ""
    sentence = f"{told}{more}. `conservator doctor` says what mends it."
    return Switch("Tables", True, "block healing", sentence)


def _mode(*, observe: bool) -> Switch:
    if observe:
        return Switch("Mode", True, "observe", "Only a person heals: healing.mode is observe.")
    return Switch("Mode", False, "heal", "What is found is healed.")
