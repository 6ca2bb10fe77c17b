"""Samples: what was recorded in an interval, counted when it was observed, and kept.

An upsert moves `viewed_at`: read back later, the same interval holds fewer impressions. So each
interval is counted once, right after its end, and the number is kept.

A week earlier means: the same weekday and the same time on the clocks of the catalogue's time
zone. Visitors live by those, so when the clocks move, the rhythm moves with them.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple

MAX_CATCH_UP = 3
"""A sample may be this many intervals long where some were missed; what lies further back has
eroded and is left out."""
WEEKS = 8
"""So many earlier weeks say what is usual: a median over fewer shakes, over more it lags behind a
growing or shrinking app."""
NEIGHBOURHOOD = timedelta(minutes=30)
"""What ended within so much of the same time counts as the same hour of the week."""
LONGEST_LOW = timedelta(hours=1)
"""The longest stretch in which fewer impressions than usual are told from chance. Of longer ones,
earlier weeks hold too few that don't overlap."""
LONGEST = timedelta(hours=6)
"""The longest stretch in which a complete stop is told from chance."""
DAY_FACTOR_SPANS = (timedelta(hours=3), timedelta(hours=6))
"""Over so much, right before what is judged, the day's factor is taken; see `find_day_factor`."""
_SPARE = timedelta(minutes=30)
"""Samples are a little longer than planned now and then."""
_ALIKE = 0.85
"""A stretch may be this much shorter than asked for: intervals vary by a tenth."""
_COVERED = 0.8
"""A stretch with gaps must be covered by samples to at least this share."""
_STEP = 0.4
"""Of its own length, the least by which a stretch ends after the one before."""
_JITTER = 0.5
"""Seconds by which two moments may differ and still be the same."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One interval, [start, end). Both moments carry a time zone."""

    start: datetime
    end: datetime
    impressions: int
    """Real ones: those that this service wrote are left out."""
    artworks: int
    """Artworks created in the interval."""
    seeded: bool = False
    """Read back from the table, not observed: what was viewed again since is missing."""
    suspect: bool = False
    """Judged abnormal when it was the newest; keeps it out of what is usual later."""
    day_factor: float = 1.0
    """How the day compared with the usual when this was the newest sample."""

    @property
    def seconds(self) -> float:
        """Its length."""
        return (self.end - self.start).total_seconds()


@dataclass(frozen=True, slots=True)
class SampleInterval:
    """From one moment to another, [start, end): where a sample is counted, or samples are read."""

    start: datetime
    end: datetime


def next_interval(
    last_end: datetime | None, until: datetime, every: timedelta
) -> SampleInterval | None:
    """The next sample's interval; None while not even half an interval has passed since the last.

    `until` is the moment up to which the database shows everything (`queries.visible_until`).
    Intervals follow one another without a gap, a little longer where one was missed; after a longer
    absence the last interval alone is counted, and the gap stays.
    """
    if last_end is None or until - last_end > MAX_CATCH_UP * every:
        return SampleInterval(until - every, until)
    if until - last_end < every / 2:
        return None
    return SampleInterval(last_end, until)


def weeks_before(moment: datetime, zone: tzinfo, weeks: int) -> datetime:
    """`moment` on the clocks of `zone`, so many weeks earlier; in UTC.

    A time that the clocks left out then is read as if they had not moved yet (PEP 495).
    """
    local = moment.astimezone(zone)
    wall = local.replace(tzinfo=None) - timedelta(weeks=weeks)
    return wall.replace(tzinfo=zone, fold=local.fold).astimezone(UTC)


def needed_intervals(end: datetime, zone: tzinfo) -> tuple[SampleInterval, ...]:
    """Which samples the judgement of the sample that ends at `end` reads, oldest interval first.

    Thirteen hours of each earlier week and of today: with samples of five minutes, about 1,500.
    """
    back = LONGEST + max(DAY_FACTOR_SPANS) + NEIGHBOURHOOD + _SPARE
    earlier = (weeks_before(end, zone, weeks) for weeks in range(WEEKS, 0, -1))
    return (
        *(SampleInterval(moment - back, moment + NEIGHBOURHOOD + _SPARE) for moment in earlier),
        SampleInterval(end - back, end),
    )


class Stretch(NamedTuple):
    """Neighbouring samples as one. A tuple: thousands are made for one judgement."""

    rate: float
    """Real impressions a second."""
    observed: bool
    """No sample in it was read back from the table."""
    clean: bool
    """No sample in it was judged abnormal."""


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest samples, together."""

    seconds: float
    impressions: int


class Series:
    """Samples from the oldest to the newest; gaps are allowed, overlaps are not."""

    def __init__(self, samples: Iterable[Sample] = ()) -> None:
        self.samples: list[Sample] = []
        self._starts: list[float] = []
        self._ends: list[float] = []
        self._seconds = [0.0]
        self._impressions = [0]
        self._seeded = [0]
        self._suspect = [0]
        self._jumps = [0.0]
        self._sums = [0.0]
        for sample in samples:
            self.append(sample)

    def append(self, sample: Sample) -> None:
        """Add the next sample. ValueError where it begins before the last one ends."""
        start, end = sample.start.timestamp(), sample.end.timestamp()
        if end <= start or (self._ends and start < self._ends[-1] - _JITTER):
            raise ValueError(f"Expected a sample that follows the last one, got {sample}.")
        jump, total = self._jump(sample, start)
        self._jumps.append(self._jumps[-1] + jump)
        self._sums.append(self._sums[-1] + total)
        self.samples.append(sample)
        self._starts.append(start)
        self._ends.append(end)
        self._seconds.append(self._seconds[-1] + end - start)
        self._impressions.append(self._impressions[-1] + sample.impressions)
        self._seeded.append(self._seeded[-1] + sample.seeded)
        self._suspect.append(self._suspect[-1] + sample.suspect)

    def _jump(self, sample: Sample, start: float) -> tuple[float, float]:
        """The squared difference to the sample before, at equal lengths, and their sum."""
        before = self.samples[-1] if self.samples else None
        if before is None or start > self._ends[-1] + _JITTER or before.suspect or sample.suspect:
            return 0.0, 0.0
        length = (before.seconds + sample.seconds) / 2
        earlier = before.impressions * length / before.seconds
        later = sample.impressions * length / sample.seconds
        return (earlier - later) ** 2, earlier + later

    def judge_newest(self, *, suspect: bool, day_factor: float) -> Sample:
        """Keep with the newest sample what was found about it; the sample as it is to be kept."""
        judged = replace(self.samples[-1], suspect=suspect, day_factor=day_factor)
        self._suspect[-1] = self._suspect[-2] + suspect
        if suspect:  # The drop into an outage is not how impressions come.
            self._jumps[-1], self._sums[-1] = self._jumps[-2], self._sums[-2]
        self.samples[-1] = judged
        return judged

    def newest(self, count: int) -> Newest | None:
        """The newest `count` samples; None where there are fewer, or gaps between them."""
        last = len(self.samples) - 1
        first = last - count + 1
        if first < 0 or not self._is_covered(first, last):
            return None
        return Newest(
            self._seconds[last + 1] - self._seconds[first],
            self._impressions[last + 1] - self._impressions[first],
        )

    def stretches(self, near: float, slack: float, seconds: float) -> list[Stretch]:
        """Stretches of about `seconds` that end within `slack` of `near` (Unix seconds).

        One for each sample that one may end with; but none overlaps the next by much more than
        half.
        """
        found = []
        low = bisect_left(self._ends, near - slack - _JITTER)
        high = bisect_right(self._ends, near + slack + _JITTER, low)
        after = 0.0
        for last in range(low, high):
            if self._ends[last] < after:
                continue
            stretch = self.before(last, seconds)
            if stretch is not None:
                found.append(stretch)
                after = self._ends[last] + seconds * _STEP
        return found

    def burstiness(self, moments: Iterable[float], slack: float, seconds: float) -> float:
        """Variance over mean of what neighbouring samples hold, at least 1 (Poisson's).

        From successive differences (von Neumann et al. 1941, "The mean square successive
        difference"), so that the rhythm of the day does not count as noise: visits that leave
        several impressions each do. `moments` are the ends of the stretches it is taken from.
        """
        jumps = sums = 0.0
        for moment in moments:
            low = bisect_left(self._ends, moment - slack - seconds)
            high = bisect_right(self._ends, moment + slack + _JITTER)
            jumps += self._jumps[high] - self._jumps[low]
            sums += self._sums[high] - self._sums[low]
        return max(1.0, jumps / sums) if sums else 1.0

    def before(self, last: int, seconds: float) -> Stretch | None:
        """The stretch of about `seconds` that ends with the sample `last`, if there is one."""
        end = self._seconds[last + 1]
        first = bisect_right(self._seconds, end - seconds * _ALIKE, 0, last + 1) - 1
        if first < 0 or not self._is_covered(first, last):
            return None
        return Stretch(
            (self._impressions[last + 1] - self._impressions[first]) / (end - self._seconds[first]),
            self._seeded[last + 1] == self._seeded[first],
            self._suspect[last + 1] == self._suspect[first],
        )

    def _is_covered(self, first: int, last: int) -> bool:
        elapsed = self._ends[last] - self._starts[first]
        return self._seconds[last + 1] - self._seconds[first] >= _COVERED * elapsed
