"""From a number to an outcome: pure."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from checks.measurement import Measurement, Outcome

__all__ = ["Comparison", "Outcome", "Threshold", "Thresholds", "at_least", "judge"]


class Comparison(StrEnum):
    """How a measured number is compared with a limit."""

    ABOVE = ">"
    AT_LEAST = ">="
    BELOW = "<"
    AT_MOST = "<="
    EQUAL = "=="
    UNEQUAL = "!="


_COMPARE: dict[Comparison, Callable[[float, float], bool]] = {
    Comparison.ABOVE: operator.gt,
    Comparison.AT_LEAST: operator.ge,
    Comparison.BELOW: operator.lt,
    Comparison.AT_MOST: operator.le,
    Comparison.EQUAL: operator.eq,
    Comparison.UNEQUAL: operator.ne,
}


@dataclass(frozen=True, slots=True)
class Threshold:
    """A condition on a measured number, such as `> 10`. A limit of `5%` is 0.05."""

    comparison: Comparison
    limit: float
    text: str
    """As it was written."""

    def holds(self, measured: float) -> bool:
        """True where `measured` meets the condition. Never for not-a-number."""
        if measured != measured:  # noqa: PLR0124
            return False
        return _COMPARE[self.comparison](measured, self.limit)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Thresholds:
    """On which condition a check warns, and on which it fails; None: never."""

    warn: Threshold | None = None
    fail: Threshold | None = None


def at_least(limit: float, written: str | None = None) -> Threshold:
    """The condition `>= limit`; `written` is the limit as a person writes it."""
    return Threshold(Comparison.AT_LEAST, limit, f">= {written or format(limit, 'g')}")


def judge(measurement: Measurement, thresholds: Thresholds) -> Outcome:
    """The outcome of a measurement, where it does not bring one: fail goes before warn."""
    if measurement.outcome is not None:
        return measurement.outcome
    if measurement.skipped is not None or measurement.value is None:
        return Outcome.SKIPPED
    if thresholds.fail is not None and thresholds.fail.holds(measurement.value):
        return Outcome.FAIL
    if thresholds.warn is not None and thresholds.warn.holds(measurement.value):
        return Outcome.WARN
    return Outcome.PASS
