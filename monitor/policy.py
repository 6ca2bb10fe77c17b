"""The decision: a pure function of the newest censuses, the settings and the state.

Nothing here reads a clock or a database; every fact is handed in, so that each decision can be
repeated from its record.
"""

from __future__ import annotations

from checks.census import Census
from monitor.breaker import Signs, Trip, share_trips, trips
from monitor.decision import REFUSALS, Code, Decision, Verdict, latched, refusal_of
from monitor.situation import PolicySettings, Situation
from monitor.state.control import Control
from monitor.state.runs import RunKind

__all__ = [
    "REFUSALS",
    "Code",
    "Decision",
    "PolicySettings",
    "Situation",
    "Verdict",
    "breaker_refusal",
    "decide",
    "latched",
    "recurring_sentence",
    "tripping",
]


def decide(situation: Situation, settings: PolicySettings) -> Decision:
    """Judge the situation. Unknown means wait; a person's switch goes before any number.

    The breaker goes before "nothing to do": where everything was lost, nothing is legacy.
    """
    if situation.census_error is not None or not situation.censuses:
        why = situation.census_error or "none was taken yet"
        return Decision(Verdict.WAIT, Code.CENSUS_FAILED, f"No census to decide from: {why}")
    return (
        _paused(situation)
        or _taking_back(situation)
        or _broken(situation, settings)
        or _switched_off(situation, settings)
        or _unfinished(situation, settings)
        or _nothing_to_do(situation, settings)
        or _dangerous(situation)
        or _not_yet(situation, settings)
        or _untallied(situation)
        or Decision(
            Verdict.HEAL,
            Code.THRESHOLD,
            f"{situation.censuses[0].legacy_untracked} legacy-untracked pairs"
            f"{situation.in_quarantine}, threshold"
            f" {settings.threshold}.{recurring_sentence(situation)}",
        )
    )


def tripping(situation: Situation, settings: PolicySettings) -> Trip | None:
    """Why the breaker opens now; None where it is open already, or nothing is known."""
    if situation.census_error is not None or not situation.censuses:
        return None
    control = situation.control
    if control.breaker_open:
        return None
    signs = Signs(
        census=situation.censuses[0],
        accepted_share=control.accepted_share,
        most_audience=situation.most_audience,
        loss=situation.loss,
        last_runs=situation.last_runs,
    )
    return trips(signs, settings.breaker)


def breaker_refusal(census: Census, control: Control, settings: PolicySettings) -> Decision | None:
    """Why the breaker lets no run start from this census; None where it does."""
    if control.breaker_open:
        return latched(control)
    trip = share_trips(Signs(census, control.accepted_share), settings.breaker)
    return None if trip is None else refusal_of(trip)


def recurring_sentence(situation: Situation) -> str:
    """What to think of pairs that appeared where all was healed before; empty where none did."""
    if situation.recurring == 0:
        return ""
    within = situation.recurring + situation.recurring_before
    return (
        f" {situation.recurring} of them appeared behind the last verified heal, {within} within"
        " 24 h: the app's recording is broken, or impressions vanish, and healing only masks it."
    )


def _paused(situation: Situation) -> Decision | None:
    control = situation.control
    if not control.paused:
        return None
    reason = f"Paused: {control.paused_reason or 'no reason given'}."
    return Decision(Verdict.PAUSED, Code.PAUSED, reason)


def _taking_back(situation: Situation) -> Decision | None:
    """A person has asked for an undo: mode, suspension, breaker and window are about healing."""
    run = situation.active_run
    if run is None or run.kind is not RunKind.UNDO:
        return None
    rows = f"{run.inserted} of {run.planned_rows} rows"
    if run.claimable:
        return Decision(
            Verdict.HEAL,
            Code.RESUME,
            f"Run {run.id}, which takes run {run.undoes} back, was left at {rows} and goes on.",
        )
    return Decision(
        Verdict.WAIT, Code.ACTIVE_RUN, f"Run {run.id} is taking run {run.undoes} back: {rows}."
    )


def _broken(situation: Situation, settings: PolicySettings) -> Decision | None:
    run = situation.active_run
    # A person has sent that run beyond the breaker.
    if run is not None and run.beyond_breaker:
        return None
    trip = tripping(situation, settings)
    return latched(situation.control) or (None if trip is None else refusal_of(trip))


def _switched_off(situation: Situation, settings: PolicySettings) -> Decision | None:
    control = situation.control
    legacy = situation.censuses[0].legacy_untracked
    # With nothing to heal, "clean" says more than "switched off".
    to_heal = situation.to_heal(situation.censuses[0])
    if situation.active_run is None and to_heal < settings.threshold:
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


def _nothing_to_do(situation: Situation, settings: PolicySettings) -> Decision | None:
    legacy = situation.censuses[0].legacy_untracked
    to_heal = situation.to_heal(situation.censuses[0])
    if legacy == 0:
        return Decision(Verdict.CLEAR, Code.CLEAN, "No legacy-untracked pairs.")
    if to_heal == 0:
        when = "" if situation.retry_at is None else f" at {situation.retry_at:%Y-%m-%d %H:%M %Z}"
        return Decision(
            Verdict.CLEAR,
            Code.CLEAN,
            f"{legacy} legacy-untracked pairs, all in quarantine; the first is tried again{when}.",
        )
    if to_heal < settings.threshold:
        return Decision(
            Verdict.CLEAR,
            Code.CLEAN,
            f"{legacy} legacy-untracked pairs{situation.in_quarantine}, below the threshold of"
            f" {settings.threshold}.",
        )
    return None


def _dangerous(situation: Situation) -> Decision | None:
    if situation.blockers:
        return Decision(Verdict.REFUSED, Code.CATALOGUE, situation.blockers[0])
    return None


def _untallied(situation: Situation) -> Decision | None:
    """Without a tally nobody knows whether impressions were lost: unknown means wait."""
    if situation.tally_error is None:
        return None
    return Decision(
        Verdict.WAIT,
        Code.TALLY_FAILED,
        "Before a heal the impressions are tallied, to see whether any were lost, and that could"
        f" not be done: {situation.tally_error}",
    )


def _not_yet(situation: Situation, settings: PolicySettings) -> Decision | None:
    reached = 0
    for census in situation.censuses:
        if situation.to_heal(census) < settings.threshold:
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
            again_in_seconds=settings.cooldown_seconds - since,
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
