"""What was measured: samples, their median and spread, a ratio within the run, a goal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Goal:
    """A limit on a measure's ratio where it has one, else on its median."""

    limit: float
    at_most: bool = True

    def reached(self, value: float) -> bool:
        """Whether `value` is on the good side of the limit."""
        return value <= self.limit if self.at_most else value >= self.limit

    @property
    def text(self) -> str:
        """As people read it, without the unit."""
        return f"{'≤' if self.at_most else '≥'} {self.limit:g}"


@dataclass(frozen=True, slots=True)
class Measure:
    """One thing, measured one or more times, in `unit`."""

    name: str
    unit: str
    samples: tuple[float, ...]
    base: str | None = None
    """What the ratio is to."""
    ratio: float | None = None
    goal: Goal | None = None

    @property
    def median(self) -> float:
        """Of the samples; not a number where there are none, because it could not be measured."""
        return median(self.samples) if self.samples else math.nan

    @property
    def spread(self) -> tuple[float, float]:
        """The least and the greatest sample."""
        return min(self.samples, default=math.nan), max(self.samples, default=math.nan)

    @property
    def reached(self) -> bool | None:
        """Whether the goal was reached; None without a goal."""
        if self.goal is None:
            return None
        return self.goal.reached(self.median if self.ratio is None else self.ratio)


def compared(
    name: str, unit: str, samples: Sequence[float], base: Measure, goal: Goal | None = None
) -> Measure:
    """A measure with its ratio to `base`.

    The median of the ratios round by round: whatever slowed the machine down in one round slowed
    both. Where the rounds are not the same in number, the ratio of the medians.
    """
    if len(samples) == len(base.samples):
        ratio = median(s / b for s, b in zip(samples, base.samples, strict=True))
    else:
        ratio = median(samples) / base.median
    return Measure(name, unit, tuple(samples), base.name, ratio, goal)


def times_faster(
    name: str, samples: Sequence[float], base: Measure, goal: Goal | None = None
) -> Measure:
    """A slower measure in seconds and how many times `base` fits into it. Without samples, only a
    row that says so."""
    if not samples:
        return Measure(name, "s", (), base.name)
    ratio = median(samples) / base.median
    return Measure(name, "s", tuple(samples), base.name, ratio, goal)


def percentile(samples: Sequence[float], share: float) -> float:
    """By nearest rank; `samples` is not empty, `share` is above 0 up to 1."""
    ordered = sorted(samples)
    return ordered[math.ceil(share * len(ordered)) - 1]
