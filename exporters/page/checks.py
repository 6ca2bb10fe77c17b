"""The checks: outcome, what was measured against which limits, since when, and examples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from checks.judgement import Outcome
from exporters.current import current_outcome
from exporters.page.context import PageContext
from exporters.page.formatting import from_unix
from monitor.status import CheckResult

_QUIET = (Outcome.PASS, Outcome.SKIPPED)
_LEVELS = {
    Outcome.PASS: "fine",
    Outcome.WARN: "attention",
    Outcome.FAIL: "attention",
    Outcome.ERROR: "attention",
}


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One check as it is shown."""

    name: str
    level: str
    outcome: str
    value: float | None
    warn: str | None
    fail: str | None
    since: datetime | None
    message: str
    evidence: tuple[str, ...]
    owner: str | None
    runbook: str | None
    runbook_is_link: bool


def check_rows(context: PageContext) -> tuple[CheckRow, ...]:
    """All of them in order. An expectation that is met is told by the row of its suite."""
    return tuple(_row(check, current_outcome(check, context.now)) for check in _shown(context))


def _shown(context: PageContext) -> Iterator[CheckResult]:
    for check in context.status.checks.values():
        if check.facts.suite is None or current_outcome(check, context.now) not in (*_QUIET, None):
            yield check


def _row(check: CheckResult, outcome: Outcome | None) -> CheckRow:
    facts = check.facts
    return CheckRow(
        name=check.name,
        level="unknown" if outcome is None else _LEVELS.get(outcome, "unknown"),
        outcome=_word(check, outcome),
        value=check.value,
        warn=facts.warn,
        fail=facts.fail,
        since=None if outcome is None else from_unix(check.since),
        message=check.message,
        evidence=tuple(
            ", ".join(f"{key} {value}" for key, value in row.items()) for row in check.evidence
        ),
        owner=facts.owner,
        runbook=facts.runbook,
        runbook_is_link=(facts.runbook or "").startswith(("https://", "http://", "/")),
    )


def _word(check: CheckResult, outcome: Outcome | None) -> str:
    if outcome is not None:
        return outcome.value
    return "out of date" if check.outcome is not None else "not yet run"
