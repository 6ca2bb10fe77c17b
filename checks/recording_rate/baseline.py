"""What is usual for a stretch of time, how much it varies, and how today compares with it.

Deviations are taken between square roots, not between counts: the root of a count varies by the
same amount whatever its size (Anscombe 1948, "The transformation of Poisson, binomial and
negative-binomial data"), so that one scale serves busy evenings and quiet nights.

The day's factor is there because half as many visitors on a holiday are no outage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import median

from checks.recording_rate.samples import DAY_FACTOR_SPANS, Series, Stretch

MAD_TO_SIGMA = 1.4826
"""1 / Φ⁻¹(¾): makes the median absolute deviation of normal noise its standard deviation.
Rousseeuw and Croux 1993, "Alternatives to the Median Absolute Deviation"."""
ENOUGH_WEEKS = 3
"""From so many observed weeks on, what was read back from the table is left out: one outage among
three does not move a median."""
LEAST_SPREAD = 0.1
"""The least that the usual is taken to vary, as a share of it. An hour that was alike in all weeks
by chance would else alarm at nothing."""
_UNKNOWN_SPREAD = 0.2
"""As much more with one week, half of that with two …: weeks not seen yet may differ."""
_FEW = 2.0
"""The MAD of n independent values is raised by this share of n: it may be small by chance."""
LOWEST = 0.5
"""However quiet a day is, at least this share of the usual is expected of it. What comes down
slowly to less than that alarms all the same."""
_ENOUGH = 16.0
"""So many bursts of impressions must be usual in the span: with fewer, chance alone moves the
factor by more than a quarter."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """What earlier weeks held in a stretch like this, at this time."""

    expected: float
    """Real impressions: the median; of two weeks, which can't outvote one another, the lower."""
    varies: float
    """Standard deviation of the root (see `root`) from week to week, by MAD."""
    burstiness: float
    """Variance over mean from one interval to the next: 1 where impressions come singly."""
    weeks: int
    """So many weeks have a say."""
    seeded: bool
    """Partly read back from the table."""

    @property
    def least(self) -> float:
        """The least spread, as a share of what is expected."""
        return LEAST_SPREAD + _UNKNOWN_SPREAD / self.weeks

    def root(self, impressions: float) -> float:
        """Anscombe's root, by burst: its standard deviation is 1 where only chance varies it."""
        return 2.0 * sqrt(impressions / self.burstiness + 0.375)

    def spread(self, expected: float) -> float:
        """One robust deviation, in roots, where `expected` impressions are.

        The largest of: how much weeks vary; chance alone, 1; the least spread.
        """
        # A share s of a count is s × the count × the root's slope there.
        least = self.least * 2 * expected / (self.burstiness * self.root(expected))
        return max(self.varies, 1.0, least)

    def deviation(self, expected: float, impressions: float) -> float:
        """Robust deviations of `impressions` below `expected`; negative where above."""
        return (self.root(expected) - self.root(impressions)) / self.spread(expected)


def find_baseline(
    series: Series, moments: Sequence[float], slack: float, seconds: float
) -> Baseline | None:
    """From the stretches of about `seconds` that end within `slack` of `moments`, one a week.

    None where no earlier week has one. Unix seconds.
    """
    weeks = [series.stretches(moment, slack, seconds) for moment in moments]
    chosen, seeded = choose([week for week in weeks if week])
    if not chosen:
        return None
    burstiness = series.burstiness(moments, slack, seconds)
    rates = [stretch.rate for week in chosen for stretch in week]
    rate = (
        median(rates)
        if len(chosen) >= ENOUGH_WEEKS
        else min(median(each.rate for each in week) for week in chosen)
    )
    scale = seconds / burstiness
    middle = sqrt(rate * scale + 0.375)
    mad = 2.0 * median([abs(sqrt(each * scale + 0.375) - middle) for each in rates])
    independent = len(chosen) * max(1.0, 2 * slack / seconds)
    return Baseline(
        expected=rate * seconds,
        varies=MAD_TO_SIGMA * mad * (1 + _FEW / independent),
        burstiness=burstiness,
        weeks=len(chosen),
        seeded=seeded,
    )


def choose(weeks: list[list[Stretch]]) -> tuple[list[list[Stretch]], bool]:
    """The stretches that have a say, week by week, and whether any is from the table.

    Observed ones alone, as soon as there are enough weeks of them. Abnormal ones only where they
    are the majority of the weeks: then they are what is usual now.
    """
    observed = _kept([[each for each in week if each.observed] for week in weeks])
    if len(observed) >= ENOUGH_WEEKS:
        weeks = observed
    clean = _kept([[each for each in week if each.clean] for week in weeks])
    if 2 * len(clean) >= len(weeks):
        weeks = clean
    return weeks, any(not each.observed for week in weeks for each in week)


def _kept(weeks: list[list[Stretch]]) -> list[list[Stretch]]:
    return [week for week in weeks if week]


def find_day_factor(
    series: Series, last: int, moments: Sequence[float], slack: float, burstiness: float
) -> float:
    """Today's share of the usual, LOWEST to 1, over the hours up to the sample `last`.

    `moments` are the ends of the same hours in earlier weeks, in Unix seconds. While something
    abnormal lies in those hours, the factor is what it was before: an outage must not
    become the measure of the day, or it would end by itself.
    """
    for hours in DAY_FACTOR_SPANS:
        seconds = hours.total_seconds()
        span = series.before(last, seconds) if last >= 0 else None
        if span is None:
            break
        if not span.clean:
            return series.samples[last].day_factor
        weeks = [series.stretches(moment, slack, seconds)[:1] for moment in moments]
        chosen, _ = choose([week for week in weeks if week])
        if not chosen:
            break
        expected = median(week[0].rate for week in chosen)
        if expected * seconds >= _ENOUGH * burstiness:
            return min(1.0, max(LOWEST, span.rate / expected))
    return 1.0
