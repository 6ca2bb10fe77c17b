"""Made-up traffic of an app, by a seed: what it records in each interval, and what outages take.

Rhythm     one or two humps a day, quiet nights (a fifth to a tenth of the average is usual at the
           trough), weekends of their own, on the clocks of a time zone that may move
Noise      impressions come in visits of one to five; the rate wanders over hours (10 %), from day
           to day (10 %) and from interval to interval (10 %)
Events     a trend of up to 2 % a week either way, two days in eight weeks with 55 to 90 % of the
           visitors, four rushes of 1.5 to 4 times as many for half an hour to three hours
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

EVERY = timedelta(minutes=5)
DAY = timedelta(days=1) // EVERY
WEEK = 7 * DAY

_ZONES = ("UTC", "Europe/Berlin", "America/New_York")
_YEAR = datetime(2025, 1, 1, tzinfo=UTC)
_VISIT = (1, 2, 3, 4, 5)
_WANDER_INTERVALS = 18
_NOISE = 0.1
_GAMMA = 1 / _NOISE**2
_TREND = 0.02
_ARTWORKS_PER_IMPRESSION = 0.05


@dataclass(frozen=True, slots=True)
class Interval:
    """What really happened in one interval."""

    start: datetime
    impressions: int
    artworks: int


@dataclass(frozen=True, slots=True)
class Traffic:
    """An app's traffic without any outage."""

    zone: ZoneInfo
    intervals: tuple[Interval, ...]


@dataclass(frozen=True, slots=True)
class Outage:
    """Between two moments, in intervals since the start, `loss` of the impressions are lost.

    It covers `length` sampling intervals whole, and parts of the ones before and after.
    """

    begins: float
    ends: float
    length: int
    loss: float = 1.0

    @property
    def touched(self) -> range:
        """The intervals that it has a part in."""
        return range(math.floor(self.begins), math.ceil(self.ends))

    def recorded(self, number: int, impressions: int, random: Random) -> int:
        """What is left of the interval `number`."""
        part = max(0.0, min(self.ends, number + 1) - max(self.begins, number)) * self.loss
        return sum(random.random() >= part for _ in range(impressions))


def generate(random: Random, average: float, weeks: int) -> Traffic:
    """The traffic of an app that records `average` impressions an interval."""
    zone = ZoneInfo(random.choice(_ZONES))
    begin = _YEAR + timedelta(minutes=5 * random.randrange(365 * DAY))
    moments = [begin + number * EVERY for number in range(weeks * WEEK)]
    factors = _rhythm(random, zone, moments, weeks)
    _add_rushes(random, factors, weeks)
    scale = average / (sum(factors) / len(factors))
    trend = 1 + random.uniform(-_TREND, _TREND)
    wander = 0.0
    kept = math.exp(-1 / _WANDER_INTERVALS)
    intervals = []
    for number, (moment, factor) in enumerate(zip(moments, factors, strict=True)):
        wander = kept * wander + math.sqrt(1 - kept * kept) * random.gauss(0, _NOISE)
        rate = scale * factor * trend ** (number / WEEK) * math.exp(wander)
        visits = poisson(random, rate * random.gammavariate(_GAMMA, 1 / _GAMMA) / 3)
        intervals.append(
            Interval(
                moment,
                sum(random.choices(_VISIT, k=visits)),
                poisson(random, rate * _ARTWORKS_PER_IMPRESSION),
            )
        )
    return Traffic(zone, tuple(intervals))


def _rhythm(random: Random, zone: ZoneInfo, moments: Sequence[datetime], weeks: int) -> list[float]:
    """The rate of each moment, by the clock, the weekday, and the day's own luck."""
    height, second = random.uniform(0.7, 1.2), random.uniform(0, 0.3)
    peak = random.uniform(17, 21)
    weekdays = [random.uniform(0.8, 1.2) for _ in range(5)] + [
        random.uniform(0.6, 1.5) for _ in range(2)
    ]
    luck = _luck(random, moments[0].astimezone(zone).toordinal(), weeks)
    factors = []
    for moment in moments:
        local = moment.astimezone(zone)
        hour = local.hour + local.minute / 60
        first = height * math.cos((hour - peak) / 24 * 2 * math.pi)
        other = second * math.cos((hour - peak - 3) / 12 * 2 * math.pi)
        day = luck[local.toordinal()]
        factors.append(math.exp(first + other) * weekdays[local.weekday()] * day)
    return factors


def _luck(random: Random, first: int, weeks: int) -> dict[int, float]:
    """What sets a day apart from the same day of other weeks; holidays are whole days."""
    days = range(first, first + 7 * weeks + 2)
    luck = {day: math.exp(random.gauss(0, _NOISE)) for day in days}
    for day in random.sample(days, weeks // 4):
        luck[day] *= random.uniform(0.55, 0.9)
    return luck


def _add_rushes(random: Random, factors: list[float], weeks: int) -> None:
    for _ in range(weeks // 2):
        times, begin = random.uniform(1.5, 4), random.randrange(len(factors))
        for number in range(begin, min(len(factors), begin + random.randrange(6, 36))):
            factors[number] *= times


def outages(random: Random, *, first: int, last: int, count: int, loss: float) -> list[Outage]:
    """`count` outages between two intervals, each in a part of its own, of 2 to 24 intervals.

    Lengths are drawn evenly on a logarithmic scale: most are short.
    """
    part = (last - first) / count
    found = []
    for number in range(count):
        length = min(24, math.floor(2 * math.exp(random.uniform(0, math.log(12.5)))))
        begins = first + part * number + random.uniform(0, part - 100)
        ends = math.ceil(begins) + length + random.random()
        found.append(Outage(begins, ends, length, loss))
    return found


def poisson(random: Random, mean: float) -> int:
    """A Poisson number: by multiplication (Knuth) where small, by its normal limit where large."""
    if mean > 200:
        return max(0, round(random.gauss(mean, math.sqrt(mean))))
    if mean > 20:  # The sum of two: exp(-mean) stays far from zero.
        return poisson(random, mean / 2) + poisson(random, mean / 2)
    limit, product, number = math.exp(-mean), random.random(), 0
    while product > limit:
        product *= random.random()
        number += 1
    return number
