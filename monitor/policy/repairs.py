"""The decision about one repair: a pure function of its check's outcome, what its `find` names, the
switches and the runs. docs/repairs.md draws its states.

A repair starts by itself only in `mode: heal` and while its check fails. What is unknown means
wait; what could not be planned is an error, never zero rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import time

from checks.judgement import Outcome
from monitor.config.types import MaintenanceWindow
from monitor.policy.breaker import ACCEPTED_GROWTH
from monitor.policy.decision import Code, Decision, Verdict
from monitor.policy.gates import cooling_down, mending_sentence, paused, window_closed
from monitor.policy.inputs import FinishedRun
from monitor.state.control import Control
from monitor.state.repairs import RepairControl, RepairCount
from monitor.state.runs import Run, Trigger

COUNT_BUDGET = 0.01
"""Share of the time that counting what `find` names may take, where nothing is about to start."""


@dataclass(frozen=True, slots=True)
class RepairSettings:
    """The settings of one repair that decide. Times in seconds, shares 0 to 1."""

    name: str
    check: str
    table: str
    heals: bool
    cooldown_seconds: float
    window: MaintenanceWindow | None
    max_rows: int
    """Of its breaker, as the next two."""
    max_share: float
    stuck_after: int


@dataclass(frozen=True, slots=True)
class CheckFound:
    """What the repair's check says now."""

    outcome: Outcome | None
    """None: it has not run yet, is not enabled, or is too old to be believed."""
    message: str = ""
    age_seconds: float | None = None
    """Since it last began; None before the first run."""


@dataclass(frozen=True, slots=True)
class RepairInput:
    """Everything that a decision about a repair looks at. Ages are seconds."""

    check: CheckFound
    control: Control
    own: RepairControl
    active_run: Run | None
    local_time: time
    """In the catalogue's time zone, by the database's clock."""
    goes_first: str = ""
    """Who was to start, and waits for a run that may have ended since: healing, or a repair."""
    changed_age: float | None = None
    """Since a run of this repair, or an undo of one, ended; None before the first."""
    automatic_age: float | None = None
    """Since a run ended that had started by itself."""
    count: RepairCount | None = None
    count_age: float | None = None
    last_runs: Sequence[FinishedRun] = ()
    """The runs that had started by themselves and ended since the breaker's reset, the newest
    first."""

    @property
    def check_due(self) -> bool:
        """The check began before the repair's last run ended, so that it says nothing of it."""
        age, changed = self.check.age_seconds, self.changed_age
        return age is not None and changed is not None and changed < age

    @property
    def count_is_older(self) -> bool:
        """What `find` names was counted before the check, or before the repair's last run ended."""
        if self.count_age is None:
            return True
        ages = (self.check.age_seconds, self.changed_age)
        return any(age is not None and age < self.count_age for age in ages)

    @property
    def left(self) -> Run | None:
        """A run of this repair on which nobody works."""
        run = self.active_run
        if run is None or run.repair != self.own.repair or run.undoes is not None:
            return None
        return run if run.claimable else None


def decide_repair(inputs: RepairInput, settings: RepairSettings) -> Decision:
    """Judge the inputs. A person's switch goes before any number, and a breaker before "nothing to
    do"."""
    left = inputs.left
    return (
        paused(inputs.control)
        or _sent_on(inputs, settings, left)
        or _running(inputs)
        or _own_breaker(inputs, settings)
        or _not_failing(inputs, settings)
        or _not_counted(inputs)
        or _switched_off(inputs, settings)
        or _healing_breaker(inputs, settings)
        or _others(inputs)
        or (None if left is not None else _cooling(inputs, settings))
        or window_closed(settings.window, inputs.local_time, f"repair {settings.name}")
        or _goes_on(left)
        or Decision(Verdict.HEAL, Code.CHECK_FAILS, _found_sentence(inputs, settings))
    )


def tripping_repair(inputs: RepairInput, settings: RepairSettings) -> Decision | None:
    """Why the repair's own breaker opens now; None where it is open already, or nothing speaks for
    it."""
    if inputs.own.breaker_open:
        return None
    count, check = inputs.count, inputs.check
    if count is not None and count.error is None:
        refusal = too_large(count.named, count.share, settings, inputs.own)
        if refusal is not None:
            return refusal
    last = inputs.last_runs[: settings.stuck_after]
    stuck = len(last) == settings.stuck_after and not any(run.reduced(None) for run in last)
    if not stuck or check.outcome is not Outcome.FAIL:
        return None
    runs = ", ".join(str(run.id) for run in reversed(last))
    return _breaker(
        Code.STUCK,
        f"The last {len(last)} runs that {settings.name} started by itself ({runs}) left as much as"
        f" they found, and its check still fails: what is mended does not stay, or can't be mended;"
        " `conservator runs` says how each of them ended.",
        settings.name,
    )


def too_large(
    named: int, share: float, settings: RepairSettings, own: RepairControl
) -> Decision | None:
    """Why so much can't be right that `find` names, unless a person has accepted it."""
    if own.accepted_rows is not None and named <= own.accepted_rows * ACCEPTED_GROWTH:
        return None
    wrong = "so much wrong at once means that the data or `find` is."
    if named > settings.max_rows:
        return _breaker(
            Code.MAX_ROWS,
            f"`find` of {settings.name} names {named:,} rows, and breaker.max_rows is"
            f" {settings.max_rows:,}: {wrong}",
            settings.name,
        )
    if share > settings.max_share:
        return _breaker(
            Code.MAX_SHARE,
            f"`find` of {settings.name} names {named:,} rows, {_percent(share)} of"
            f" {settings.table}, and breaker.max_share is {_percent(settings.max_share)}: {wrong}",
            settings.name,
        )
    return None


def has_fallen(inputs: RepairInput, settings: RepairSettings) -> bool:
    """Whether what a person has accepted is few enough again to be accepted no more."""
    count, own = inputs.count, inputs.own
    if own.accepted_rows is None or count is None or count.error is not None:
        return False
    return count.named <= settings.max_rows and count.share <= settings.max_share


def open_repair_refusal(own: RepairControl) -> Decision | None:
    """The refusal of the repair's own breaker, where it is open."""
    if not own.breaker_open:
        return None
    known = own.breaker_code in tuple(Code)
    # A newer version may have opened it for a reason that this one doesn't know.
    code = Code(own.breaker_code) if known else Code.MAX_ROWS
    since = "" if own.breaker_at is None else f" since {own.breaker_at:%Y-%m-%d %H:%M %Z}"
    told = f"The breaker of {own.repair} is open{since}: {own.breaker_reason}"
    return Decision(Verdict.REFUSED, code, f"{told} {_ways_on(own.repair)}")


def count_is_due(inputs: RepairInput, settings: RepairSettings) -> bool:
    """Whether what `find` names is to be counted in this pass: after each run of its check as far
    as the budget allows, after each of its own, before each start, and again after an error once
    the cooldown is over."""
    count, age = inputs.count, inputs.count_age
    if inputs.control.paused:
        return False
    if count is None or age is None:
        return inputs.check.outcome is not None
    if count.error is not None and age >= settings.cooldown_seconds:
        return True
    if not inputs.count_is_older:
        return False
    mended = inputs.changed_age is not None and inputs.changed_age < age
    if mended or age >= count.seconds / COUNT_BUDGET:
        return True
    return count.error is None and decide_repair(inputs, settings).code is Code.CHECK_FAILS


def ends_left_run(inputs: RepairInput, decision: Decision) -> bool:
    """Whether a run that nobody works on is to be ended where it stands, because the repair may not
    go on with it: healing and other repairs would wait for it, and what it has left is planned
    anew. While everything is stopped it stays."""
    run, stopped = inputs.left, (Code.PAUSED, Code.HEALING_BREAKER)
    return run is not None and decision.kind is not Verdict.HEAL and decision.code not in stopped


def _breaker(code: Code, cause: str, name: str) -> Decision:
    return Decision(Verdict.REFUSED, code, f"{cause} {_ways_on(name)}", cause=cause)


def _percent(share: float) -> str:
    return f"{100 * share:.4g}%"


def _ways_on(name: str) -> str:
    return (
        f"Once you have looked, `conservator reset-breaker {name}` accepts what it names now, and"
        f" `conservator repair {name} --beyond-breaker` mends at once and leaves the breaker open."
    )


def _sent_on(inputs: RepairInput, settings: RepairSettings, left: Run | None) -> Decision | None:
    """A person has agreed to that run: mode, check, suspension and window are about what starts by
    itself."""
    if left is None or left.trigger is Trigger.SCHEDULE:
        return None
    stopped = None if left.beyond_breaker else _healing_breaker(inputs, settings)
    return stopped or _goes_on(left)


def _goes_on(left: Run | None) -> Decision | None:
    if left is None:
        return None
    where = f"{left.inserted} of {left.planned_rows} rows"
    return Decision(Verdict.HEAL, Code.RESUME, f"Run {left.id} was left at {where} and goes on.")


def _running(inputs: RepairInput) -> Decision | None:
    """A run of this repair, or an undo of one, is at work."""
    run = inputs.active_run
    if run is None or run.repair != inputs.own.repair or inputs.left is not None:
        return None
    return Decision(Verdict.WAIT, Code.ACTIVE_RUN, mending_sentence(run))


def _own_breaker(inputs: RepairInput, settings: RepairSettings) -> Decision | None:
    return open_repair_refusal(inputs.own) or tripping_repair(inputs, settings)


def _not_failing(inputs: RepairInput, settings: RepairSettings) -> Decision | None:
    """Unknown means wait, and a warning starts nothing."""
    check, name = inputs.check, settings.check
    if check.outcome is None:
        told = f"Its check {name} has no current outcome: it has not run yet, or not for long."
        return Decision(Verdict.WAIT, Code.CHECK_UNKNOWN, told)
    if inputs.check_due:
        told = f"Its check {name} runs again first: the repair has changed rows since it began."
        return Decision(Verdict.WAIT, Code.CHECK_DUE, told)
    if check.outcome is Outcome.ERROR:
        told = f"Its check {name} could not be evaluated: {check.message}"
        return Decision(Verdict.WAIT, Code.CHECK_UNKNOWN, told)
    if check.outcome is Outcome.FAIL:
        return None
    says = {Outcome.WARN: "warns, and only a failure starts a repair"}
    told = f"Its check {name} {says.get(check.outcome, 'does not fail')}.{_named(inputs)}"
    return Decision(Verdict.CLEAR, Code.CLEAN, told)


def _named(inputs: RepairInput) -> str:
    count = inputs.count
    if count is None:
        return ""
    if count.error is not None:
        return f" What it would mend is not known: {count.error}"
    return f" `find` names {count.named:,} rows." if count.named else ""


def _not_counted(inputs: RepairInput) -> Decision | None:
    """What it would mend is unknown, which is no number; or it is nothing."""
    count = inputs.count
    if count is None:
        return None
    if count.error is not None:
        return Decision(Verdict.ERROR, Code.NOT_PLANNED, count.error)
    if count.named == 0 and not inputs.count_is_older:
        told = f"Its check fails ({inputs.check.message}), and `find` names no row."
        return Decision(Verdict.CLEAR, Code.NOTHING_NAMED, told)
    return None


def _found_sentence(inputs: RepairInput, settings: RepairSettings) -> str:
    """Why something is to be mended."""
    return f"Its check {settings.check} fails: {inputs.check.message}{_named(inputs)}"


def _switched_off(inputs: RepairInput, settings: RepairSettings) -> Decision | None:
    told, own = _found_sentence(inputs, settings), inputs.own
    if not settings.heals:
        told = f"{told} Its mode is observe: `conservator repair {own.repair}` starts it."
        return Decision(Verdict.PAUSED, Code.OBSERVE, told)
    if own.suspended:
        told = (
            f"{told} It is suspended: {own.suspended_reason or 'no reason given'}. `conservator"
            f" resume {own.repair}` ends that."
        )
        return Decision(Verdict.PAUSED, Code.SUSPENDED, told)
    return None


def _healing_breaker(inputs: RepairInput, settings: RepairSettings) -> Decision | None:
    control = inputs.control
    if not control.breaker_open:
        return None
    return Decision(
        Verdict.REFUSED,
        Code.HEALING_BREAKER,
        f"The breaker of healing is open and stops repairs, too: {control.breaker_reason} Once you"
        " have looked, `conservator reset-breaker` closes it, and `conservator repair"
        f" {settings.name} --beyond-breaker` mends at once and leaves it open.",
    )


def _others(inputs: RepairInput) -> Decision | None:
    """One run at a time, over all of healing and repairs."""
    run = inputs.active_run
    if run is not None and inputs.left is None:
        told = mending_sentence(run)
        if run.repair is None and run.undoes is None:
            told = f"Run {run.id} is healing: {run.inserted} of {run.planned_rows} rows."
        return Decision(Verdict.WAIT, Code.ACTIVE_RUN, told)
    if inputs.goes_first and run is None:
        told = f"A run has ended for which {inputs.goes_first} has waited, which goes first."
        return Decision(Verdict.WAIT, Code.OTHERS_FIRST, told, again_in_seconds=0.0)
    return None


def _cooling(inputs: RepairInput, settings: RepairSettings) -> Decision | None:
    return cooling_down(inputs.automatic_age, settings.cooldown_seconds)
