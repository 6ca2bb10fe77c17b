"""What a check brings back, in numbers, words and examples, and what its number means. Pure."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from itertools import chain, islice, zip_longest

MAX_EVIDENCE = 20
"""Example rows that a check may show: ids and moments only, never labels."""
NO_ID = "(null)"
"""In evidence, the id that a row does not have."""


class Outcome(StrEnum):
    """What a check found. Could not be evaluated (error) is never failed."""

    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"
    ERROR = "error"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Measurement:
    """One evaluation of a check."""

    value: float | None
    """The number that is judged; None where `skipped`, or where it could not be evaluated."""
    message: str
    """The result in one sentence, with its numbers; or why it could not be evaluated."""
    numbers: Mapping[str, float] = field(default_factory=dict)
    """What the value is made of."""
    evidence: tuple[Mapping[str, str], ...] = ()
    """Example rows, at most MAX_EVIDENCE: ids and moments, as text."""
    skipped: str | None = None
    """Why the fault is impossible here, so that nothing was measured: the constraint's name."""
    outcome: Outcome | None = None
    """Once judged; a check that knows better than its thresholds brings it along."""
    seconds: float | None = None
    """Spent reading, where that is not all that the run took."""


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


def interleave_evidence(
    kinds: Iterable[Sequence[Mapping[str, str]]],
) -> tuple[Mapping[str, str], ...]:
    """The first of each kind, then the second of each, until MAX_EVIDENCE or the end."""
    rounds = chain.from_iterable(zip_longest(*kinds))
    return tuple(islice((row for row in rounds if row is not None), MAX_EVIDENCE))


def count_of(number: int, thing: str) -> str:
    """`1 pair`, `2 pairs`, `12,000 pairs`; `no pairs` for none."""
    if number == 0:
        return f"no {thing}s"
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def iso_utc(seconds: float) -> str:
    """Seconds since 1970 as a person reads them, in UTC."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")
    except (OverflowError, ValueError, OSError):
        return "-infinity" if seconds < 0 else "infinity"
