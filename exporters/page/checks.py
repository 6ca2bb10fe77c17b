"""The checks: outcome, what was measured against which limits, since when, and examples; and above
all the one sentence: is the gallery fine? What isn't known is not called fine."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from checks.census import Census
from checks.judgement import Outcome
from exporters.current import current_census, current_outcome
from exporters.page.formatting import from_unix
from monitor.policy.decision import Verdict
from monitor.status import CheckResult, Status

_QUIET = (Outcome.PASS, Outcome.SKIPPED)


class Level(StrEnum):
    """How the sentence looks; the words say the same."""

    FINE = "fine"
    ATTENTION = "attention"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Summary:
    """The sentence, and how it looks."""

    level: Level
    sentence: str


def summarise(status: Status, now: float) -> Summary:
    """Judge the snapshot at `now` on the monotonic clock."""
    if not status.database_up:
        return _unknown(
            "The database can't be reached, so nothing here is current."
            if status.database_error
            else "The database has not answered yet."
        )
    if status.control.breaker_open:
        return Summary(
            Level.ATTENTION, "Healing has stopped until a person has looked: the breaker is open."
        )
    if status.census is None:
        return _unknown("Nothing has been counted yet.")
    census = current_census(status, now)
    if census is None:
        return _unknown("The last census is too old to tell how the gallery is.")
    if status.examination.suspicions:
        return Summary(Level.ATTENTION, "The counts may not mean what they say: see below.")
    return _judge(census, _troubled(status, now))


def _judge(census: Census, troubled: list[str]) -> Summary:
    if census.pairs == 0:
        return _unknown("There is nothing to count: no artworks, or no users in the audience.")
    if census.legacy_untracked:
        return Summary(
            Level.ATTENTION,
            f"{census.legacy_untracked:,} old artworks, summed over the users, have no impression"
            " and may be shown again.",
        )
    if troubled:
        sentence = f"Every old artwork has its impression, but look at: {', '.join(troubled)}."
        return Summary(Level.ATTENTION, sentence)
    return Summary(Level.FINE, "The gallery is fine: every old artwork has its impression.")


def _troubled(status: Status, now: float) -> list[str]:
    bad = (Outcome.FAIL, Outcome.ERROR)
    # An expectation stands in the list as its suite.
    checks = [
        check.name
        for check in status.checks.values()
        if check.facts.suite is None and current_outcome(check, now) in bad
    ]
    stopped = (Verdict.REFUSED, Verdict.ERROR)
    repairs = [
        f"repair {one.name}"
        for one in status.repairs.values()
        if one.decision is not None and one.decision.kind in stopped
    ]
    return checks + repairs


def _unknown(sentence: str) -> Summary:
    return Summary(Level.UNKNOWN, sentence)


_LEVELS = {
    Outcome.PASS: Level.FINE,
    Outcome.WARN: Level.ATTENTION,
    Outcome.FAIL: Level.ATTENTION,
    Outcome.ERROR: Level.ATTENTION,
}


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One check as it is shown."""

    check: CheckResult
    outcome: str
    level: Level
    since: datetime | None
    evidence: tuple[str, ...]
    runbook_is_link: bool


def check_rows(status: Status, now: float) -> tuple[CheckRow, ...]:
    """All of them in order. An expectation that is met is told by the row of its suite."""
    judged = [(check, current_outcome(check, now)) for check in status.checks.values()]
    return tuple(
        _row(check, outcome)
        for check, outcome in judged
        if check.facts.suite is None or outcome not in (*_QUIET, None)
    )


def _row(check: CheckResult, outcome: Outcome | None) -> CheckRow:
    return CheckRow(
        check=check,
        outcome=_word(check, outcome),
        level=Level.UNKNOWN if outcome is None else _LEVELS.get(outcome, Level.UNKNOWN),
        since=None if outcome is None else from_unix(check.since),
        evidence=tuple(
            ", ".join(f"{key} {value}" for key, value in row.items()) for row in check.evidence
        ),
        runbook_is_link=(check.facts.runbook or "").startswith(("https://", "http://", "/")),
    )


def _word(check: CheckResult, outcome: Outcome | None) -> str:
    if outcome is not None:
        return outcome.value
    return "out of date" if check.outcome is not None else "not yet run"
