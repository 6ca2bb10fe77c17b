"""From a validation to results in the shape that every check has: one an expectation.

The records that leave the worker hold Python's own types only: a number of NumPy's could not be
unpickled without importing it into the service.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from checks.judgement import Outcome
from checks.measurement import MAX_EVIDENCE, Measurement
from monitor.config import ExpectationsCheck, Severity
from monitor.results import CheckResult

_OUTCOMES = {
    Severity.CRITICAL: Outcome.FAIL,
    Severity.WARNING: Outcome.WARN,
    Severity.INFO: Outcome.PASS,
}
_SUBJECTS = ("column", "column_A", "column_list", "column_set")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with an expectation of the configuration."""

    suite: str
    number: int
    """Its place in the suite, from 0."""
    path: str
    """`type`, or `kwargs.NAME`."""
    problem: str


@dataclass(frozen=True, slots=True)
class ExpectationResult:
    """What became of one expectation. Evidence holds primary keys only."""

    success: bool
    error: str | None
    """Why it could not be evaluated; `success` then means nothing."""
    unexpected: float | None
    """Rows that break it, where it counts rows."""
    observed: str | None
    """What it observed, where it observes one value."""
    evidence: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Validated:
    """What became of a suite."""

    results: tuple[ExpectationResult, ...]
    """One an expectation, in the suite's order."""
    seconds: float
    document: str
    """All that may be told of it, as JSON, for the report."""


def expectation_names(check: ExpectationsCheck) -> tuple[str, ...]:
    """`suite.type.column`, without the `expect_`; numbered where two would be the same."""
    names = []
    seen: Counter[str] = Counter()
    for one in check.expectations:
        parts = [check.name, one.type.removeprefix("expect_")]
        subject = next((one.kwargs[key] for key in _SUBJECTS if key in one.kwargs), None)
        if isinstance(subject, str):
            parts.append(subject)
        elif isinstance(subject, Sequence):
            parts.append("_".join(str(name) for name in subject))
        name = ".".join(parts)
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name}.{seen[name]}")
    return tuple(names)


def check_results(check: ExpectationsCheck, validated: Validated) -> tuple[CheckResult, ...]:
    """The suite's result, and then one an expectation, in the suite's order."""
    parts = [
        _expectation_result(name, one.severity, result)
        for name, one, result in zip(
            expectation_names(check), check.expectations, validated.results, strict=True
        )
    ]
    return (_suite_result(check.name, parts, validated.seconds), *parts)


def _expectation_result(name: str, severity: Severity, result: ExpectationResult) -> CheckResult:
    if result.error is not None:
        return CheckResult.failed(name, result.error, None)
    value = result.unexpected
    if value is None:
        value = 0.0 if result.success else 1.0
    measured = Measurement(
        value=value,
        message=_message(severity, result),
        evidence=() if result.success else result.evidence[:MAX_EVIDENCE],
    )
    outcome = Outcome.PASS if result.success else _OUTCOMES[severity]
    return CheckResult(name, outcome, measured, None, None)


def _message(severity: Severity, result: ExpectationResult) -> str:
    if result.success:
        return "As expected."
    noted = "" if severity is not Severity.INFO else " (noted only)"
    if result.unexpected is not None:
        rows = "row is" if result.unexpected == 1 else "rows are"
        return f"{result.unexpected:.0f} {rows} not as expected{noted}."
    if result.observed is not None:
        return f"Observed {result.observed}{noted}."
    return f"Not as expected{noted}."


def _suite_result(name: str, parts: Sequence[CheckResult], seconds: float) -> CheckResult:
    """The worst of its parts; its value is how many are not as expected."""
    for part in parts:
        if part.outcome is Outcome.ERROR:
            return CheckResult.failed(name, f"{part.name}: {part.error}", seconds)
    broken = [part.outcome for part in parts if part.outcome is not Outcome.PASS]
    if not broken:
        worst, message = Outcome.PASS, f"All {len(parts)} expectations are met."
    else:
        worst = Outcome.FAIL if Outcome.FAIL in broken else Outcome.WARN
        message = f"{len(broken)} of {len(parts)} expectations are not met."
    return CheckResult(name, worst, Measurement(len(broken), message), None, seconds)
