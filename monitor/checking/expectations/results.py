"""From a validation to results in the shape that every check has: one an expectation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from checks.judgement import MAX_EVIDENCE, Measurement, Outcome
from monitor.checking.expectations.messages import ExpectationResult, ExpectationSpec, SuiteSpec
from monitor.config import ExpectationsCheck, Severity

_OUTCOMES = {
    Severity.CRITICAL: Outcome.FAIL,
    Severity.WARNING: Outcome.WARN,
    Severity.INFO: Outcome.PASS,
}
_SUBJECTS = ("column", "column_A", "column_list", "column_set")


@dataclass(frozen=True, slots=True)
class ExpectationOutcome:
    """What became of one expectation, under the name that it has everywhere."""

    name: str
    outcome: Outcome
    measurement: Measurement | None
    """None where it could not be evaluated."""
    error: str | None


def suite_spec(check: ExpectationsCheck, schema: str | None, table: str) -> SuiteSpec:
    """The suite as the worker gets it."""
    return SuiteSpec(
        check.name,
        schema,
        table,
        tuple(ExpectationSpec(one.type, dict(one.kwargs)) for one in check.expectations),
    )


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


def outcomes(
    check: ExpectationsCheck, results: Sequence[ExpectationResult]
) -> tuple[ExpectationOutcome, ...]:
    """One outcome an expectation, in the suite's order."""
    return tuple(
        _outcome(name, one.severity, result)
        for name, one, result in zip(
            expectation_names(check), check.expectations, results, strict=True
        )
    )


def _outcome(name: str, severity: Severity, result: ExpectationResult) -> ExpectationOutcome:
    if result.error is not None:
        return ExpectationOutcome(name, Outcome.ERROR, None, result.error)
    value = result.unexpected
    if value is None:
        value = 0.0 if result.success else 1.0
    measured = Measurement(
        value=value,
        message=_message(severity, result),
        evidence=() if result.success else result.evidence[:MAX_EVIDENCE],
    )
    outcome = Outcome.PASS if result.success else _OUTCOMES[severity]
    return ExpectationOutcome(name, outcome, measured, None)


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


def suite_outcome(parts: Sequence[ExpectationOutcome]) -> tuple[Outcome, Measurement | None, str]:
    """The suite as a whole: its worst part; its value is how many are not as expected."""
    errors = [part for part in parts if part.outcome is Outcome.ERROR]
    if errors:
        return Outcome.ERROR, None, f"{errors[0].name}: {errors[0].error}"
    broken = [part for part in parts if part.outcome in (Outcome.FAIL, Outcome.WARN)]
    worst = Outcome.PASS
    if broken:
        failed = any(part.outcome is Outcome.FAIL for part in broken)
        worst = Outcome.FAIL if failed else Outcome.WARN
    message = (
        f"All {len(parts)} expectations are met."
        if not broken
        else f"{len(broken)} of {len(parts)} expectations are not met."
    )
    return worst, Measurement(value=float(len(broken)), message=message), message
