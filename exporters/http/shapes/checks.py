"""Results of checks."""

from __future__ import annotations

from typing_extensions import TypedDict

from checks.judgement import Outcome
from exporters.http.shapes.base import Moment, Seconds, described


@described
class CheckResult(TypedDict):
    """The last result of one check."""

    name: str
    outcome: Outcome | None
    """Null before the first run. `error`: it could not be evaluated, which is not a failure;
    `skipped`: a constraint makes what it looks for impossible."""
    value: float | None
    """The number that the thresholds judge."""
    message: str
    """What was found, in a sentence."""
    stale: bool
    """Last evaluated more than three of its intervals ago, or never."""
    since: Moment | None
    """Since when the outcome has been this."""
    last_run: Moment | None
    last_success: Moment | None
    """Last evaluated, whatever the verdict."""
    duration_seconds: Seconds | None
    interval_seconds: Seconds
    """In effect now, after the budget stretched it."""
    configured_interval_seconds: Seconds
    numbers: dict[str, float]
    """What the value is made of."""
    evidence: list[dict[str, str]]
    """At most 20 examples: ids and moments, as text."""
    warn: str | None
    """The condition on which it warns; null: never."""
    fail: str | None
    """The condition on which it fails; null: never."""
    owner: str | None
    """Who looks after it, as configured."""
    runbook: str | None
    """Where its runbook is, as configured."""
    suite: str | None
    """Of an expectation: the suite that it belongs to."""


@described
class Checks(TypedDict):
    """Every check."""

    leader: bool
    """This replica runs the checks; the others show what it found."""
    led_by: str | None
    """The replica that runs them; null: nobody that is known of."""
    checks: list[CheckResult]


@described
class Transition(TypedDict):
    """A change of a check's outcome."""

    changed_at: Moment
    before: str | None
    """Null: its first result."""
    after: str
    value: float | None
    message: str


@described
class Measured(TypedDict):
    """One run of a check."""

    taken_at: Moment
    outcome: str
    value: float | None
    """Null where it could not be evaluated, or was skipped."""
    seconds: Seconds | None


@described
class CheckPast(TypedDict):
    """One check with its history, the newest first."""

    check: CheckResult
    transitions: list[Transition]
    """At most `limit` changes of its outcome."""
    results: list[Measured]
    """At most `limit` results."""
