"""From a validation to results in the shape that every check has: the suite's, and one an
expectation.

They are made in the worker, and hold Python's own types only: a number of NumPy's could not be
unpickled without importing it into the service.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from checks.judgement import Measurement, Outcome
from monitor.config import ExpectationsCheck, Severity

NUMBER = "conservator_number"
"""Where an expectation's `meta` has its place in the suite: results come back in another order."""
_OUTCOMES = {
    Severity.CRITICAL: Outcome.FAIL,
    Severity.WARNING: Outcome.WARN,
    Severity.INFO: Outcome.PASS,
}
_SUBJECTS = ("column", "column_A", "column_list", "column_set")
_MAX_OBSERVED = 200


@dataclass(frozen=True, slots=True)
class Validated:
    """What became of a suite."""

    results: tuple[Measurement, ...]
    """The suite's, and then one an expectation, in the suite's order."""
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


def check_results(
    check: ExpectationsCheck, document: Mapping[str, Any], *, seconds: float
) -> tuple[Measurement, ...]:
    """The suite's result, and then one an expectation; `document` is the redacted validation."""
    found = {one["expectation_config"]["meta"][NUMBER]: one for one in document["results"]}
    parts = [
        _expectation_result(one.severity, found.get(number))
        for number, one in enumerate(check.expectations)
    ]
    return (_suite_result(expectation_names(check), parts, seconds), *parts)


def _suite_result(
    names: Sequence[str], parts: Sequence[Measurement], seconds: float
) -> Measurement:
    """The worst of its parts; its value is how many are not as expected."""
    for name, part in zip(names, parts, strict=True):
        if part.outcome is Outcome.ERROR:
            message = f"{name}: {part.message}"
            return Measurement(None, message, outcome=Outcome.ERROR, seconds=seconds)
    broken = [part.outcome for part in parts if part.outcome is not Outcome.PASS]
    if not broken:
        worst, message = Outcome.PASS, f"All {len(parts)} expectations are met."
    else:
        worst = Outcome.FAIL if Outcome.FAIL in broken else Outcome.WARN
        message = f"{len(broken)} of {len(parts)} expectations are not met."
    return Measurement(float(len(broken)), message, outcome=worst, seconds=seconds)


def _expectation_result(severity: Severity, raw: Mapping[str, Any] | None) -> Measurement:
    if raw is None:
        message = "Great Expectations returned no result for it."
        return Measurement(None, message, outcome=Outcome.ERROR)
    if error := raw["exception_info"]["exception_message"]:
        return Measurement(None, error, outcome=Outcome.ERROR)
    details, met = raw["result"], raw["success"]
    observed = details.get("observed_value")
    rows = details.get("unexpected_count")
    if rows is None and raw["expectation_config"]["type"] == "unexpected_rows_expectation":
        rows = observed
    value = float(not met if rows is None else rows)
    if met:
        return Measurement(value, "As expected.", outcome=Outcome.PASS)
    message = _unmet(severity, rows, observed)
    outcome = _OUTCOMES[severity]
    return Measurement(value, message, evidence=_evidence(details), outcome=outcome)


def _unmet(severity: Severity, rows: float | None, observed: object) -> str:
    noted = " (noted only)" if severity is Severity.INFO else ""
    if rows is not None:
        return f"{rows:.0f} {'row is' if rows == 1 else 'rows are'} not as expected{noted}."
    if observed is not None:
        return f"Observed {str(observed)[:_MAX_OBSERVED]}{noted}."
    return f"Not as expected{noted}."


def _evidence(details: Mapping[str, Any]) -> tuple[Mapping[str, str], ...]:
    """Primary keys; redaction has limited their number."""
    keys = details.get("unexpected_index_column_names") or ()
    rows = details.get("partial_unexpected_index_list") or ()
    return tuple({key: str(row[key]) for key in keys} for row in rows)
