"""What a check brings back: numbers and a few example rows. Judging them is `judgement`'s."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

MAX_EVIDENCE = 20
"""Example rows that a check may show: ids and moments only, never labels."""


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
