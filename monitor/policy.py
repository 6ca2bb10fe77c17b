"""The decision: a pure function of the newest censuses, the settings and the state.

Nothing here reads a clock or a database; every fact is handed in, so that each decision can be
repeated from its record.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import time
from enum import StrEnum

from checks.census import Census
from monitor.config.values import Window
from monitor.state.control import Control
from monitor.state.runs import Run


class Verdict(StrEnum):
    """What is done now."""

    CLEAR = "clear"
    """Nothing to heal."""
    WAIT = "wait"
    """Something to heal, but not yet, or somebody is at it."""
    PAUSED = "paused"
    """A person has switched automatic healing off."""
    REFUSED = "refused"
    """Healing now would be dangerous: a person should look."""
    HEAL = "heal"
    """Heal now."""


class Code(StrEnum):
    """Why, as a word that metrics and records can carry."""

    CLEAN = "clean"
    CENSUS_FAILED = "census_failed"
    ACTIVE_RUN = "active_run"
    CONSECUTIVE = "consecutive"
    COOLDOWN = "cooldown"
    WINDOW = "window"
    PAUSED = "paused"
    SUSPENDED = "suspended"
    OBSERVE = "observe"
    MAX_SHARE = "max_share"
    CATALOGUE = "catalogue"
    THRESHOLD = "threshold"
    RESUME = "resume"


REFUSALS = (Code.MAX_SHARE, Code.CATALOGUE)
"""The codes that a refusal can have."""


@dataclass(frozen=True, slots=True)
class PolicySettings:
    """The settings that decide. Times in seconds, shares 0 to 1."""

    heals: bool
    threshold: int
    consecutive: int
    cooldown_seconds: float
    window: Window | None
    max_share: float


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything that a decision looks at."""

    censuses: Sequence[Census]
    """The newest first; at least `consecutive` of them once the service has run that long."""
    census_error: str | None
    """Why the newest census could not be taken, or None."""
    control: Control
    active_run: Run | None
    seconds_since_run: float | None
    """Since the last heal run ended; None before the first."""
    local_time: time
    """In the catalogue's time zone, by the database's clock."""
    blockers: Sequence[str] = ()
    """What `doctor` says must be mended before anything is written."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What is done, and the sentence that says why."""

    kind: Verdict
    code: Code
    reason: str


def decide(situation: Situation, settings: PolicySettings) -> Decision:
    """Judge the situation. Unknown means wait; a person's switch goes before any number."""
    if situation.census_error is not None or not situation.censuses:
        why = situation.census_error or "none was taken yet"
        return Decision(Verdict.WAIT, Code.CENSUS_FAILED, f"No census to decide from: {why}")
    return (
        _switched_off(situation, settings)
        or _unfinished(situation, settings)
        or _nothing_to_do(situation.censuses, settings)
        or _dangerous(situation, settings)
        or _not_yet(situation, settings)
        or Decision(
            Verdict.HEAL,
            Code.THRESHOLD,
            f"{situation.censuses[0].legacy_untracked} legacy-untracked pairs,"
            f" threshold {settings.threshold}.",
        )
    )


def _switched_off(situation: Situation, settings: PolicySettings) -> Decision | None:
    control = situation.control
    legacy = situation.censuses[0].legacy_untracked
    if control.paused:
        reason = f"Paused: {control.paused_reason or 'no reason given'}."
        return Decision(Verdict.PAUSED, Code.PAUSED, reason)
    # With nothing to heal, "clean" says more than "switched off".
    if situation.active_run is None and legacy < settings.threshold:
        return None
    if not settings.heals:
        return Decision(
            Verdict.PAUSED,
            Code.OBSERVE,
            f"{legacy} legacy-untracked pairs, and healing.mode is observe: only a person heals.",
        )
    if control.suspended:
        why = control.suspended_reason or "no reason given"
        return Decision(
            Verdict.PAUSED,
            Code.SUSPENDED,
            f"{legacy} legacy-untracked pairs, and automatic healing is suspended: {why}."
            " `conservator resume` ends it.",
        )
    return None


def _unfinished(situation: Situation, settings: PolicySettings) -> Decision | None:
    run = situation.active_run
    if run is None:
        return None
    if not run.claimable:
        return Decision(
            Verdict.WAIT,
            Code.ACTIVE_RUN,
            f"Run {run.id} is healing: {run.inserted} of {run.planned_rows} rows.",
        )
    closed = _window_closed(situation, settings)
    return closed or Decision(
        Verdict.HEAL,
        Code.RESUME,
        f"Run {run.id} was left at {run.inserted} of {run.planned_rows} rows and goes on.",
    )


def _nothing_to_do(censuses: Sequence[Census], settings: PolicySettings) -> Decision | None:
    legacy = censuses[0].legacy_untracked
    if legacy == 0:
        return Decision(Verdict.CLEAR, Code.CLEAN, "No legacy-untracked pairs.")
    if legacy < settings.threshold:
        return Decision(
            Verdict.CLEAR,
            Code.CLEAN,
            f"{legacy} legacy-untracked pairs, below the threshold of {settings.threshold}.",
        )
    return None


def _dangerous(situation: Situation, settings: PolicySettings) -> Decision | None:
    if situation.blockers:
        return Decision(Verdict.REFUSED, Code.CATALOGUE, situation.blockers[0])
    return breaker_by_share(situation.censuses[0], settings.max_share)


def breaker_by_share(census: Census, max_share: float) -> Decision | None:
    """A refusal when so much is legacy that the count or the data must be wrong, or None."""
    if census.legacy_share <= max_share:
        return None
    return Decision(
        Verdict.REFUSED,
        Code.MAX_SHARE,
        f"{census.legacy_untracked} of {census.pairs} pairs ({census.legacy_share:.1%}) are"
        f" legacy-untracked, healing.breaker.max_share is {max_share:.1%}: the data or the"
        " configuration may be wrong. If they are right, as on a first run over a truly legacy"
        " gallery, `conservator heal --beyond-breaker` goes on.",
    )


def _not_yet(situation: Situation, settings: PolicySettings) -> Decision | None:
    reached = 0
    for census in situation.censuses:
        if census.legacy_untracked < settings.threshold:
            break
        reached += 1
    if reached < settings.consecutive:
        return Decision(
            Verdict.WAIT,
            Code.CONSECUTIVE,
            f"{situation.censuses[0].legacy_untracked} legacy-untracked pairs in {reached} of"
            f" {settings.consecutive} consecutive censuses that it takes.",
        )
    since = situation.seconds_since_run
    if since is not None and since < settings.cooldown_seconds:
        return Decision(
            Verdict.WAIT,
            Code.COOLDOWN,
            f"The last run ended {since:.0f} s ago, the cooldown is"
            f" {settings.cooldown_seconds:.0f} s.",
        )
    return _window_closed(situation, settings)


def _window_closed(situation: Situation, settings: PolicySettings) -> Decision | None:
    window = settings.window
    if window is None or window.contains(situation.local_time):
        return None
    return Decision(
        Verdict.WAIT,
        Code.WINDOW,
        f"It is {situation.local_time:%H:%M}; the window for healing is {window}.",
    )
