"""The checks: outcome, what was measured against which limits, since when, and examples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from checks.judgement import Outcome
from exporters.current import current_outcome
from exporters.page.scene import Scene
from exporters.page.words import from_unix
from monitor.status import CheckResult

_QUIET = (Outcome.PASS, Outcome.SKIPPED)
_MOODS = {
    Outcome.PASS: "fine",
    Outcome.WARN: "attention",
    Outcome.FAIL: "attention",
    Outcome.ERROR: "attention",
}


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One check as it is shown."""

    name: str
    mood: str
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


def check_rows(scene: Scene) -> tuple[CheckRow, ...]:
    """All of them in order. An expectation that is met is told by the row of its suite."""
    return tuple(_row(check, current_outcome(check, scene.now)) for check in _shown(scene))


def _shown(scene: Scene) -> Iterator[CheckResult]:
    for check in scene.status.checks.values():
        if check.facts.suite is None or current_outcome(check, scene.now) not in (*_QUIET, None):
            yield check


def _row(check: CheckResult, outcome: Outcome | None) -> CheckRow:
    facts = check.facts
    return CheckRow(
        name=check.name,
        mood="unknown" if outcome is None else _MOODS.get(outcome, "unknown"),
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
