"""What a check brings back: numbers and a few example rows. Judging them is `judgement`'s."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

MAX_EVIDENCE = 20
"""Example rows that a check may show: ids and moments only, never labels."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One evaluation of a check."""

    value: float | None
    """The number that is judged; None only where `skipped`."""
    message: str
    """The result in one sentence, with its numbers."""
    numbers: Mapping[str, float] = field(default_factory=dict)
    """What the value is made of."""
    evidence: tuple[Mapping[str, str], ...] = ()
    """Example rows, at most MAX_EVIDENCE: ids and moments, as text."""
    skipped: str | None = None
    """Why the fault is impossible here, so that nothing was measured: the constraint's name."""
