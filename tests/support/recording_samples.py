"""Samples of an app that lives by the clocks of its time zone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from random import Random
from zoneinfo import ZoneInfo

from checks.recording_rate.assessment import Assessment, Limits, assess
from checks.recording_rate.samples import Sample, Series

EVERY = timedelta(minutes=5)
WEEK = timedelta(weeks=1)
LIMITS = Limits(warn=4, fail=8)
ZONE = ZoneInfo("UTC")
EVENING = datetime(2026, 2, 10, 19, 0, tzinfo=UTC)
NIGHT = datetime(2026, 2, 10, 7, 0, tzinfo=UTC)
"""When the rhythm is at its peak and at its trough."""

Rate = Callable[[datetime], float]
"""Usual impressions an interval at a moment on the app's own clocks."""


def rhythm(average: float, *, steepness: float = 1.0) -> Rate:
    """An evening peak, a quiet night; weekends at three quarters."""

    def rate(local: datetime) -> float:
        hour = local.hour + local.minute / 60
        day = math.exp(steepness * math.cos((hour - 19) / 24 * 2 * math.pi))
        return average * day * (0.75 if local.weekday() > 4 else 1.0)

    return rate


def samples(
    rate: Rate,
    zone: tzinfo,
    end: datetime,
    *,
    weeks: float = 8,
    seed: int = 1,
    artworks: int = 1,
    every: timedelta = EVERY,
) -> list[Sample]:
    """What is sampled up to `end`, the newest last, with the noise of chance."""
    random = Random(seed)
    count = round(timedelta(weeks=weeks) / every)
    starts = (end.astimezone(UTC) - every * number for number in range(count, 0, -1))
    return [
        Sample(start, start + every, _chance(random, rate(start.astimezone(zone))), artworks)
        for start in starts
    ]


@cache
def history(average: float, end: datetime = EVENING, weeks: float = 9) -> tuple[Sample, ...]:
    """Quiet weeks of an app with so many impressions an interval."""
    return tuple(samples(rhythm(average), ZONE, end, weeks=weeks))


def newest(given_samples: tuple[Sample, ...], *impressions: int, artworks: int = 1) -> list[Sample]:
    """The same, but the newest samples hold so many."""
    kept = list(given_samples[: len(given_samples) - len(impressions)])
    changed = given_samples[len(kept) :]
    return kept + [
        replace(sample, impressions=number, artworks=artworks)
        for sample, number in zip(changed, impressions, strict=True)
    ]


def _chance(random: Random, mean: float) -> int:
    """A Poisson number by its normal limit; by the process itself where it is small."""
    if mean > 30:
        return max(0, round(random.gauss(mean, math.sqrt(mean))))
    number, passed = 0, random.expovariate(1)
    while passed < mean:
        number, passed = number + 1, passed + random.expovariate(1)
    return number


def judged(given: Iterable[Sample], zone: tzinfo, limits: Limits = LIMITS) -> Assessment:
    """The newest of the samples."""
    return assess(Series(given), zone, limits)


def watched(history: list[Sample], more: Iterable[Sample], zone: tzinfo) -> list[Assessment]:
    """The samples `more`, one after the other, each kept with what was found about it."""
    series = Series(history)
    found = []
    for sample in more:
        series.append(sample)
        assessment = assess(series, zone, LIMITS)
        series.judge_newest(suspect=assessment.suspect, day_factor=assessment.day_factor)
        found.append(assessment)
    return found
