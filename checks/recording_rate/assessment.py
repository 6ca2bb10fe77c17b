"""From samples to a deviation, in numbers and words: how far below the usual for this hour. Pure.

The newest sample and the one before are compared, as one stretch, with stretches of the same
length at the same time of earlier weeks. Where so few impressions are usual that even none at all
would say little, the stretch is doubled: up to an hour to find a loss, up to six to find a stop.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta, tzinfo
from enum import StrEnum
from itertools import takewhile

from checks.judgement import Measurement
from checks.recording_rate.baseline import Baseline, find_baseline, find_day_factor
from checks.recording_rate.samples import (
    LONGEST,
    LONGEST_LOW,
    NEIGHBOURHOOD,
    WEEKS,
    Newest,
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
_MINUTE = timedelta(minutes=1).total_seconds()
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

    series: Series
    zone: tzinfo
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

    def day_factor(self) -> float:
        """The day's factor before the stretch and, where that began in silence, before the silence.

        Else a stop that is found late would take itself for the measure of the day, and end by
        itself.
        """
        samples = self.series.samples
        last = len(samples) - self.count - 1
        earliest = samples[-1].end - LONGEST
        while last >= 0 and samples[last].impressions == 0 and samples[last].end > earliest:
            last -= 1
        slack = _PHASE * self.whole.seconds / self.count
        times = _same_times(self.series, last, self.zone)
        return find_day_factor(self.series, last, times, slack, self.baseline.burstiness)

    def told(self, finding: Finding, day_factor: float) -> Assessment:
        """The stretch against what is usual on such a day."""
        expected = self.baseline.expected * day_factor
        return Assessment(
            finding=finding,
            deviation=max(0.0, self.baseline.deviation(expected, self._better_half())),
            observed=self.whole.impressions,
            expected=expected,
            seconds=self.whole.seconds,
            day_factor=day_factor,
            weeks=self.baseline.weeks,
            seeded=self.baseline.seeded,
        )

    def _better_half(self) -> float:
        """What the whole would hold at the rate of its better half.

        Judged by that, no single odd interval alarms, and an outage is over once half of the
        stretch is well again.
        """
        whole, later = self.whole, self.series.newest(self.count // 2)
        if later is None:
            return whole.impressions
        earlier = (whole.impressions - later.impressions) / (whole.seconds - later.seconds)
        return max(earlier, later.impressions / later.seconds) * whole.seconds


def assess(series: Series, zone: tzinfo, limits: Limits) -> Assessment:
    """Judge the newest sample of `series`, which holds at least what `needed_intervals` asks for.

    A stop is judged in the shortest stretch in which it is certain, lesser losses in the shortest
    in which they can be told from chance.
    """
    if series.newest(_LEAST) is None:
        return Assessment(Finding.RESUMING)
    compared = silent = told = None
    for compared in _stretches(series, zone):
        if compared.is_telling or (silent is None and compared.whole.impressions == 0):
            day_factor = compared.day_factor()
            if silent is None and compared.is_silent(day_factor):
                silent = compared.told(Finding.SILENT, day_factor)
            if compared.is_telling:
                told = compared.told(Finding.USUAL, day_factor)
                break
    if compared is None:
        return Assessment(Finding.LEARNING)
    if silent is not None:
        return _without_any(series, silent, told or silent, limits)
    if told is None:
        finding = Finding.LEARNING if compared.baseline.weeks == 1 else Finding.TOO_QUIET
        return replace(compared.told(finding, 1.0), deviation=0.0)
    return replace(told, finding=Finding.LOW) if told.deviation >= limits.warn else told


def _stretches(series: Series, zone: tzinfo) -> Iterator[_Compared]:
    """The newest two samples, four, eight …, as far as they and earlier weeks can tell anything."""
    count = _LEAST
    newest = series.newest(count)
    ends = _same_times(series, len(series.samples) - 1, zone)
    while newest is not None:
        longest = LONGEST_LOW if newest.impressions else LONGEST
        if count > _LEAST and newest.seconds > longest.total_seconds():
            return
        slack = max(NEIGHBOURHOOD.total_seconds(), _PHASE * newest.seconds / count)
        baseline = find_baseline(series, ends, slack, newest.seconds)
        if baseline is None:
            return
        yield _Compared(series, zone, count, newest, baseline)
        count *= 2
        newest = series.newest(count)


def _same_times(series: Series, index: int, zone: tzinfo) -> list[float]:
    """When, in earlier weeks, it was as late as at the end of the sample `index`."""
    if index < 0:
        return []
    end = series.samples[index].end
    return [weeks_before(end, zone, weeks).timestamp() for weeks in range(1, WEEKS + 1)]


def _without_any(
    series: Series, silent: Assessment, told: Assessment, limits: Limits
) -> Assessment:
    """A stop: as many deviations as are told, and enough for its outcome."""
    empty = takewhile(lambda sample: sample.impressions == 0, reversed(series.samples))
    artworks = sum(sample.artworks for sample in empty)
    return replace(
        silent,
        finding=Finding.STOPPED if artworks else Finding.SILENT,
        deviation=max(told.deviation, limits.fail if artworks else limits.warn),
        artworks=artworks,
    )


def to_measurement(found: Assessment) -> Measurement:
    """The measurement: its value is the deviation, in robust deviations below the usual."""
    return Measurement(
        value=found.deviation,
        message=_sentence(found),
        numbers={
            "impressions": found.observed,
            "usual": round(found.expected, 1),
            "minutes": round(found.seconds / _MINUTE, 1),
            "weeks": found.weeks,
            "seeded": int(found.seeded),
            "level": round(found.day_factor, 2),
            "artworks_meanwhile": found.artworks,
        },
    )


def _sentence(found: Assessment) -> str:
    counted = (
        f"{found.observed} real impressions in {found.seconds / _MINUTE:.0f} minutes, usual at this"
        f" hour of the week: {found.expected:.0f}{_source(found)}"
    )
    match found.finding:
        case Finding.RESUMING:
            return "Not yet two samples in a row to judge: the next ones will do."
        case Finding.LEARNING:
            return (
                f"Learning: {found.weeks or 'no'} earlier {'week' if found.weeks == 1 else 'weeks'}"
                " known at this hour. Until there are two, only a complete stop can be told."
            )
        case Finding.TOO_QUIET:
            return f"{counted}. Too quiet to tell."
        case Finding.USUAL:
            return f"{counted}."
        case Finding.LOW:
            return f"{counted}. The app records fewer than it should."
        case Finding.SILENT:
            return f"{counted}. Nothing is recorded, and no artwork is created: is the app down?"
        case Finding.STOPPED:
            return (
                f"{counted}. Nothing is recorded, while {found.artworks} artworks were created:"
                " the recording of impressions is broken."
            )


def _source(found: Assessment) -> str:
    today = "" if found.day_factor == 1 else f", at {found.day_factor:.0%} as today is"
    seeded = ", partly read back from the table" if found.seeded else ""
    return f" ({found.weeks} weeks{today}{seeded})"
