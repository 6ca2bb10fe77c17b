"""From samples to a deviation: how far below the usual for this hour of the week. Pure.

The newest sample and the one before are compared, as one stretch, with stretches of the same
length at the same time of earlier weeks. Where so few impressions are usual that even none at all
would say little, the stretch is doubled: up to an hour to find a loss, up to six to find a stop.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from enum import StrEnum

from checks.recording_rate.baseline import Baseline, find_baseline, find_day_factor
from checks.recording_rate.samples import (
    LONGEST,
    LONGEST_LOW,
    NEIGHBOURHOOD,
    WEEKS,
    Newest,
    Sample,
    Series,
    weeks_before,
)

REACH = 8.0
"""A stretch is judged where none at all would be so many deviations: about 25 bursts. With fewer,
the root of a count is no longer normal, and chance alone comes close to an alarm."""
WITHIN_REACH = 0.8
"""… or this share of what can be reached at all, while few weeks are known: a root falls by at most
2 over the least spread."""
CERTAIN = 10.0
"""Nothing at all speaks for itself where so many bursts of impressions are usual: chance alone
leaves out all of them once in e¹⁰, 22,000, stretches, which is eleven weeks of the worst case."""


_LEAST = 2
"""Samples that are judged together at least: one odd interval is no outage."""
_PHASE = 0.6
"""Of an interval: samples of other weeks end as far away as half of it, and a little more."""


class Finding(StrEnum):
    """What the samples say."""

    LEARNING = "learning"
    """No earlier week to compare with, or one, which tells a complete stop and nothing less."""
    RESUMING = "resuming"
    """Not yet two samples in a row, at the start or after an absence."""
    TOO_QUIET = "too_quiet"
    """So little is usual at this time that nothing can be said."""
    USUAL = "usual"
    LOW = "low"
    """Fewer than usual, by `warn` deviations or more."""
    SILENT = "silent"
    """None at all, and no artwork was created either: the whole app may be down."""
    STOPPED = "stopped"
    """None at all, while artworks are still being created."""


@dataclass(frozen=True, slots=True)
class Limits:
    """From which deviation on the check warns and fails."""

    warn: float = 4.0
    fail: float = 8.0


@dataclass(frozen=True, slots=True)
class Assessment:
    """What was found about the newest samples, and from what."""

    finding: Finding
    deviation: float = 0.0
    """Robust deviations below the usual; 0 where not below, or where nothing can be said."""
    observed: int = 0
    """Real impressions in the stretch that was judged."""
    expected: float = 0.0
    """Usual in it, by the day's factor."""
    seconds: float = 0.0
    """The stretch's length."""
    day_factor: float = 1.0
    """The day's share of the usual; to be kept with the sample."""
    weeks: int = 0
    """Earlier weeks that it was compared with."""
    seeded: bool = False
    """Some of them were read back from the table."""
    artworks: int = 0
    """Created since the last impression was recorded, while there are none."""

    @property
    def suspect(self) -> bool:
        """Abnormal; to be kept with the sample."""
        return self.finding in {Finding.LOW, Finding.SILENT, Finding.STOPPED}


@dataclass(frozen=True, slots=True)
class _Compared:
    """The newest samples as one stretch, and what is usual for it."""

    count: int
    whole: Newest
    baseline: Baseline

    @property
    def is_telling(self) -> bool:
        """There is more than one week to compare with, and none at all would be enough deviations.

        Whether one week was as usual, nobody knows: against that, only a complete stop is told.
        """
        long = self.count > _LEAST and self.whole.seconds > LONGEST_LOW.total_seconds()
        if self.baseline.weeks == 1 or long:
            return False
        expected = self.baseline.expected
        needed = min(REACH, WITHIN_REACH * 2 / self.baseline.least)
        return self.baseline.deviation(expected, 0) >= needed

    def is_silent(self, day_factor: float) -> bool:
        """None at all, where chance does not leave out so many."""
        certain = CERTAIN * (1 + 1 / self.baseline.weeks) * self.baseline.burstiness
        return self.whole.impressions == 0 and self.baseline.expected * day_factor >= certain


def assess(series: Series, zone: tzinfo, limits: Limits) -> Assessment:
    """Judge the newest sample of `series`, which holds at least what `needed_intervals` asks for.

    A stop is judged in the shortest stretch in which it is certain, lesser losses in the shortest
    in which they can be told from chance.
    """
    if series.newest(_LEAST) is None:
        return Assessment(Finding.RESUMING)
    compared = silent = told = None
    for compared in _stretches(series, zone):
        if silent is None and compared.whole.impressions == 0:
            silent = _silent(series, compared, zone)
        if compared.is_telling:
            told = _told(Finding.USUAL, series, compared, _day_factor(series, compared, zone))
            break
    if compared is None:
        return Assessment(Finding.LEARNING)
    if silent is not None:
        return _without_any(series, silent, told or silent, limits)
    if told is None:
        finding = Finding.LEARNING if compared.baseline.weeks == 1 else Finding.TOO_QUIET
        return replace(_told(finding, series, compared, 1.0), deviation=0.0)
    return replace(told, finding=Finding.LOW) if told.deviation >= limits.warn else told


def _stretches(series: Series, zone: tzinfo) -> Iterator[_Compared]:
    """The newest two samples, four, eight …, as far as they and earlier weeks can tell anything."""
    count = _LEAST
    newest = series.newest(count)
    ends = _same_times(series, len(series.samples) - 1, zone)
    while newest is not None and _may_tell(newest, count):
        compared = find_baseline(series, ends, _slack(newest, count), newest.seconds)
        if compared is None:
            return
        yield _Compared(count, newest, compared)
        count *= 2
        newest = series.newest(count)


def _may_tell(newest: Newest, count: int) -> bool:
    longest = LONGEST_LOW if newest.impressions else LONGEST
    return count == _LEAST or newest.seconds <= longest.total_seconds()


def _slack(newest: Newest, count: int) -> float:
    return max(NEIGHBOURHOOD.total_seconds(), _PHASE * newest.seconds / count)


def _day_factor(series: Series, compared: _Compared, zone: tzinfo) -> float:
    """The day's factor before the stretch and, where that began in silence, before the silence.

    Else a stop that is found late would take itself for the measure of the day, and end by itself.
    """
    last = len(series.samples) - compared.count - 1
    earliest = series.samples[-1].end - LONGEST
    while last >= 0 and _is_silent_since(series.samples[last], earliest):
        last -= 1
    slack = _PHASE * compared.whole.seconds / compared.count
    times = _same_times(series, last, zone)
    return find_day_factor(series, last, times, slack, compared.baseline.burstiness)


def _is_silent_since(sample: Sample, earliest: datetime) -> bool:
    return sample.impressions == 0 and sample.end > earliest


def _better_half(whole: Newest, later: Newest | None) -> float:
    """What the whole would hold at the rate of its better half.

    Judged by that, no single odd interval alarms, and an outage is over once half of the stretch
    is well again.
    """
    if later is None:
        return whole.impressions
    earlier = (whole.impressions - later.impressions) / (whole.seconds - later.seconds)
    return max(earlier, later.impressions / later.seconds) * whole.seconds


def _same_times(series: Series, index: int, zone: tzinfo) -> list[float]:
    """When, in earlier weeks, it was as late as at the end of the sample `index`."""
    if index < 0:
        return []
    end = series.samples[index].end
    return [weeks_before(end, zone, weeks).timestamp() for weeks in range(1, WEEKS + 1)]


def _silent(series: Series, compared: _Compared, zone: tzinfo) -> Assessment | None:
    today = _day_factor(series, compared, zone)
    if not compared.is_silent(today):
        return None
    return _told(Finding.SILENT, series, compared, today)


def _without_any(
    series: Series, silent: Assessment, told: Assessment, limits: Limits
) -> Assessment:
    """A stop: as many deviations as are told, and enough for its outcome."""
    artworks = 0
    for sample in reversed(series.samples):
        if sample.impressions:
            break
        artworks += sample.artworks
    return replace(
        silent,
        finding=Finding.STOPPED if artworks else Finding.SILENT,
        deviation=max(told.deviation, limits.fail if artworks else limits.warn),
        artworks=artworks,
    )


def _told(finding: Finding, series: Series, compared: _Compared, day_factor: float) -> Assessment:
    expected = compared.baseline.expected * day_factor
    better = _better_half(compared.whole, series.newest(compared.count // 2))
    return Assessment(
        finding=finding,
        deviation=max(0.0, compared.baseline.deviation(expected, better)),
        observed=compared.whole.impressions,
        expected=expected,
        seconds=compared.whole.seconds,
        day_factor=day_factor,
        weeks=compared.baseline.weeks,
        seeded=compared.baseline.seeded,
    )
