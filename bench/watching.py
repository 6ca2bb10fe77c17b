"""The recording-rate check watches made-up apps; `recording` tells how it fared."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass
from random import Random

from bench.apps import EVERY, WEEK, Interval, Outage, Traffic, generate, outages
from checks.recording_rate.assessment import Assessment, Limits, assess
from checks.recording_rate.samples import Sample, Series

WEEKS = 8
SIZES = {"busy": 600.0, "steady": 120.0, "modest": 30.0, "small": 6.0}
"""Impressions an interval, on average."""
PARTIAL = 0.7
"""Share of the impressions that is lost in the partial pass."""
_FIRST_WEEK = 2
"""Outages are planted after so many weeks."""
_OUTAGES = 20
_LIMITS = Limits()
_BEFORE, _AFTER = 4, 48
"""Samples judged around an outage; the others are only kept."""


@dataclass(frozen=True, slots=True)
class Told:
    """One outage, and what the check made of it."""

    outage: Outage
    lost: int
    """Impressions that it cost."""
    found: bool
    in_time: bool
    failed: bool
    """It came to the outcome fail."""
    clear_after: int
    """Samples after its end until the check passed again."""


@dataclass(frozen=True, slots=True)
class App:
    """All passes of one seed."""

    size: str
    false_alarms: int
    alarmed: int
    """Samples of the quiet pass that did not pass."""
    full: tuple[Told, ...]
    partial: tuple[Told, ...]
    judgements: int
    seconds: float
    """Processor time of the quiet pass's judgements."""


def watch(seed: int) -> App:
    """Make the seed's app and let the check watch it."""
    random = Random(seed)
    size = list(SIZES)[seed % len(SIZES)]
    traffic = generate(random, SIZES[size], WEEKS)
    started = time.process_time()
    false_alarms, alarmed = _quiet(traffic)
    return App(
        size=size,
        false_alarms=false_alarms,
        alarmed=alarmed,
        judgements=len(traffic.intervals),
        seconds=time.process_time() - started,
        full=tuple(_plant(random, traffic, 1.0)),
        partial=tuple(_plant(random, traffic, PARTIAL)),
    )


def _quiet(traffic: Traffic) -> tuple[int, int]:
    """False alarms, and samples that did not pass."""
    series = Series()
    alarms = alarmed = 0
    before = False
    for interval in traffic.intervals:
        now = _take(series, traffic, interval, interval.impressions).suspect
        alarms += now and not before
        alarmed += now
        before = now
    return alarms, alarmed


def _plant(random: Random, traffic: Traffic, loss: float) -> Iterable[Told]:
    """Plant outages one after the other, in one history."""
    series = Series()
    planted = outages(
        random, first=_FIRST_WEEK * WEEK, last=WEEKS * WEEK, count=_OUTAGES, loss=loss
    )
    number = 0
    for outage in planted:
        first = outage.touched.start - _BEFORE
        for interval in traffic.intervals[number:first]:
            series.append(_sample(interval, interval.impressions))
        number = min(outage.touched.stop + _AFTER, len(traffic.intervals))
        yield _watch_outage(random, series, traffic, outage, range(first, number))


def _watch_outage(
    random: Random, series: Series, traffic: Traffic, outage: Outage, judged: range
) -> Told:
    lost = 0
    alarms: dict[int, Assessment] = {}
    for number in judged:
        interval = traffic.intervals[number]
        recorded = interval.impressions
        if number in outage.touched:
            recorded = outage.recorded(number, recorded, random)
        lost += interval.impressions - recorded
        assessment = _take(series, traffic, interval, recorded)
        if assessment.suspect:
            alarms[number] = assessment
    during = [number for number in outage.touched if number in alarms]
    # A sample's end is its number plus one.
    limit = math.ceil(outage.begins) + 2
    after = outage.touched.stop
    while after in alarms:
        after += 1
    return Told(
        outage=outage,
        lost=lost,
        found=bool(during),
        in_time=bool(during) and during[0] + 1 <= limit,
        failed=any(alarms[number].deviation >= _LIMITS.fail for number in during),
        clear_after=after - outage.touched.stop,
    )


def _take(series: Series, traffic: Traffic, interval: Interval, recorded: int) -> Assessment:
    series.append(_sample(interval, recorded))
    assessment = assess(series, traffic.zone, _LIMITS)
    series.judge_newest(suspect=assessment.suspect, day_factor=assessment.day_factor)
    return assessment


def _sample(interval: Interval, recorded: int) -> Sample:
    return Sample(interval.start, interval.start + EVERY, recorded, interval.artworks)
