"""What of a validation may leave the worker: counts, primary keys, names of columns, numbers.

Great Expectations puts the unexpected values themselves into its results. They are the app's, and
neither the state schema nor a report is a place for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from checks.judgement import MAX_EVIDENCE

_COUNTS = (
    "element_count",
    "missing_count",
    "missing_percent",
    "unexpected_count",
    "unexpected_percent",
    "unexpected_percent_total",
    "unexpected_percent_nonmissing",
)
_OF_TYPES = ("expect_column_values_to_be_of_type", "expect_column_values_to_be_in_type_list")
_LEFT_OUT = "Left out: it may hold a statement with its values."
_KEYS = "unexpected_index_column_names"
_ROWS = "partial_unexpected_index_list"


def redacted(document: Mapping[str, Any]) -> dict[str, Any]:
    """A validation as JSON without the values of the app's rows; the arguments, which stand in the
    configuration, stay. Only what is listed here goes on: what a later version adds does not."""
    return {**document, "results": [_result(one) for one in document["results"]]}


def _result(raw: Mapping[str, Any]) -> dict[str, Any]:
    found = raw.get("result") or {}
    result = {name: found[name] for name in _COUNTS if name in found}
    if "unexpected_percent" not in found:
        # Distinct values were counted, not rows; and the report can't show one without the other.
        result.pop("unexpected_count", None)
    kind = raw["expectation_config"]["type"]
    if "observed_value" in found:
        about_columns = kind.startswith("expect_table_") or kind in _OF_TYPES
        observed = found["observed_value"]
        result["observed_value"] = observed if about_columns else _numbers(observed)
    keys = found.get(_KEYS)
    if keys:
        result[_KEYS] = list(keys)
        rows = (found.get(_ROWS) or ())[:MAX_EVIDENCE]
        result[_ROWS] = [{key: row[key] for key in keys} for row in rows]
    raised = _raised_message(raw.get("exception_info") or {})
    return {
        "success": bool(raw["success"]),
        "expectation_config": raw["expectation_config"],
        "result": result,
        "meta": {},
        "exception_info": {
            "raised_exception": raised is not None,
            "exception_message": raised or "",
            "exception_traceback": "" if raised is None else _LEFT_OUT,
        },
    }


def _numbers(observed: Any) -> Any:
    """`observed` with numbers only; None where there is none."""
    if isinstance(observed, bool | int | float):
        return observed
    if isinstance(observed, Mapping):
        kept = {name: _numbers(one) for name, one in observed.items()}
        return {name: one for name, one in kept.items() if one is not None} or None
    if isinstance(observed, Sequence) and not isinstance(observed, str):
        return [one for one in map(_numbers, observed) if one is not None] or None
    return None


def _raised_message(info: Mapping[str, Any]) -> str | None:
    """The first exception's first line; Great Expectations nests them by metric, or does not."""
    nested = [info] if "raised_exception" in info else list(info.values())
    for one in nested:
        if isinstance(one, Mapping) and one.get("raised_exception"):
            lines = str(one.get("exception_message") or "").strip().splitlines()
            return lines[0] if lines else "It raised an exception."
    return None
