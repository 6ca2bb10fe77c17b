"""The decision: a pure function of the newest censuses, the settings and the state.

Nothing here reads a clock or a database; every fact is handed in, so that each decision can be
repeated from its record.
"""

from __future__ import annotations

from dataclasses import replace

from monitor.policy.breaker import tripping
from monitor.policy.decision import Code, Decision, Verdict, catalogue_refusal, open_refusal
from monitor.policy.gates import cooling_down, mending_sentence, paused, window_closed
from monitor.policy.inputs import PolicyInput, PolicySettings
from monitor.state.runs import RunKind


def decide(inputs: PolicyInput, settings: PolicySettings) -> Decision:
    """Judge the inputs. Unknown means wait; a person's switch goes before any number.

    The breaker goes before "nothing to do": where everything was lost, nothing is legacy. Whatever
    is decided, an open suspicion is told with it.
    """
    decision = _decide(inputs, settings)
    if inputs.suspicion in decision.reason:
        return decision
    return replace(decision, reason=f"{decision.reason} {inputs.suspicion}")


def _decide(inputs: PolicyInput, settings: PolicySettings) -> Decision:
    if not inputs.counted:
        why = inputs.census_error or "none was taken yet"
        return Decision(Verdict.WAIT, Code.CENSUS_FAILED, f"No census to decide from: {why}")
    return (
        paused(inputs.control)
        or _taking_back(inputs)
        or _broken(inputs, settings)
        or _switched_off(inputs, settings)
        or _unfinished(inputs, settings)
        or _nothing_to_do(inputs, settings)
        or _mending(inputs)
        or catalogue_refusal(inputs.blockers, inputs.suspicion)
        or _not_yet(inputs, settings)
        or _untallied(inputs)
        or Decision(
            Verdict.HEAL,
            Code.THRESHOLD,
            f"{inputs.censuses[0].legacy_untracked} legacy-untracked pairs"
            f"{inputs.not_written}, threshold"
            f" {settings.threshold}.{recurring_sentence(inputs)}",
        )
    )


def recurring_sentence(inputs: PolicyInput) -> str:
    """What to think of pairs that appeared where all was healed before; empty where none did."""
    if inputs.recurring == 0:
        return ""
    within = inputs.recurring + inputs.recurring_before
    return (
        f" {inputs.recurring} of them appeared behind the last verified heal, {within} within"
        " 24 h: the app's recording is broken, or impressions vanish, and healing only masks it."
    )


def _taking_back(inputs: PolicyInput) -> Decision | None:
    """A person has asked for an undo: mode, suspension, breaker and window are about healing."""
    run = inputs.active_run
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


def _broken(inputs: PolicyInput, settings: PolicySettings) -> Decision | None:
    run = inputs.active_run
    # A person has sent that run beyond the breaker.
    if run is not None and run.beyond_breaker:
        return None
    return open_refusal(inputs.control, inputs.suspicion) or tripping(inputs, settings)


def _mending(inputs: PolicyInput) -> Decision | None:
    """A repair's run is the repair's own to go on with, or to end (`policy/repairs.py`)."""
    run = inputs.active_run
    if run is None or run.repair is None:
        return None
    return Decision(Verdict.WAIT, Code.ACTIVE_RUN, mending_sentence(run))


def _switched_off(inputs: PolicyInput, settings: PolicySettings) -> Decision | None:
    control = inputs.control
    legacy = inputs.censuses[0].legacy_untracked
    # With nothing to heal, "clean" says more than "switched off".
    to_heal = inputs.to_heal(inputs.censuses[0])
    healing = inputs.active_run is not None and inputs.active_run.repair is None
    if not healing and to_heal < settings.threshold:
        return None
    if not settings.heals:
        refusal = catalogue_refusal(inputs.blockers, inputs.suspicion)
        who = (
            ": only a person heals." if refusal is None else f", nor can anybody: {refusal.reason}"
        )
        return Decision(
            Verdict.PAUSED,
            Code.OBSERVE,
            f"{legacy} legacy-untracked pairs, and healing.mode is observe{who}",
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


def _unfinished(inputs: PolicyInput, settings: PolicySettings) -> Decision | None:
    run = inputs.active_run
    if run is None or run.repair is not None:
        return None
    if not run.claimable:
        return Decision(
            Verdict.WAIT,
            Code.ACTIVE_RUN,
            f"Run {run.id} is healing: {run.inserted} of {run.planned_rows} rows.",
        )
    kept_from = catalogue_refusal(inputs.blockers, inputs.suspicion)
    return (
        kept_from
        or window_closed(settings.window, inputs.local_time)
        or Decision(
            Verdict.HEAL,
            Code.RESUME,
            f"Run {run.id} was left at {run.inserted} of {run.planned_rows} rows and goes on.",
        )
    )


def _nothing_to_do(inputs: PolicyInput, settings: PolicySettings) -> Decision | None:
    legacy = inputs.censuses[0].legacy_untracked
    to_heal = inputs.to_heal(inputs.censuses[0])
    if legacy == 0:
        return Decision(Verdict.CLEAR, Code.CLEAN, "No legacy-untracked pairs.")
    if to_heal == 0 and inputs.left_alone:
        return Decision(
            Verdict.CLEAR,
            Code.CLEAN,
            f"{legacy} legacy-untracked pairs{inputs.not_written}: their row is there and does not"
            " count, and catalog.impressions.set says of no column what would make it count.",
        )
    if to_heal == 0:
        when = "" if inputs.retry_at is None else f" at {inputs.retry_at:%Y-%m-%d %H:%M %Z}"
        return Decision(
            Verdict.CLEAR,
            Code.CLEAN,
            f"{legacy} legacy-untracked pairs, all in quarantine; the first is tried again{when}.",
        )
    if to_heal < settings.threshold:
        return Decision(
            Verdict.CLEAR,
            Code.CLEAN,
            f"{legacy} legacy-untracked pairs{inputs.not_written}, below the threshold of"
            f" {settings.threshold}.",
        )
    return None


def _untallied(inputs: PolicyInput) -> Decision | None:
    """Without a tally nobody knows whether impressions were lost: unknown means wait."""
    if inputs.tally_error is None:
        return None
    return Decision(
        Verdict.WAIT,
        Code.TALLY_FAILED,
        "Before a heal the impressions are tallied, to see whether any were lost, and that could"
        f" not be done: {inputs.tally_error}",
    )


def _not_yet(inputs: PolicyInput, settings: PolicySettings) -> Decision | None:
    reached = 0
    for census in inputs.censuses:
        if inputs.to_heal(census) < settings.threshold:
            break
        reached += 1
    if reached < settings.consecutive:
        return Decision(
            Verdict.WAIT,
            Code.CONSECUTIVE,
            f"{inputs.censuses[0].legacy_untracked} legacy-untracked pairs in {reached} of"
            f" {settings.consecutive} consecutive censuses that it takes.",
        )
    return cooling_down(inputs.seconds_since_run, settings.cooldown_seconds) or window_closed(
        settings.window, inputs.local_time
    )
