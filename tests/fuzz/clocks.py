"""A calendar that knows nothing of cron's code: a clock on the wall, read minute by minute.

A cron expression is due at a local time the first time that the clock shows it or a later one.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

from monitor.scheduler import WallClockTrigger

MINUTE = timedelta(minutes=1)
EXPRESSIONS = (
    "0 0 * * *",
    "30 2 * * *",
    "0 2,3 * * sun",
    "*/7 * * * *",
    "28,29 * * * *",
    "0 9-17 * * mon-fri",
    "59 23 28-31 * *",
    "15 1 * 3,10 *",
)
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def changing_zones(year: int) -> tuple[str, ...]:
    """The zones of tzdata whose clocks change in `year`."""
    return tuple(sorted(zone for zone in available_timezones() if changes(zone, year)))


def changes(zone: str, year: int) -> tuple[datetime, ...]:
    """The hours of `year` (UTC) in which the clocks of `zone` change."""
    hours = [datetime(year, 1, 1, tzinfo=UTC) + timedelta(hours=h) for h in range(366 * 24)]
    seen = ZoneInfo(zone)
    offsets = [hour.astimezone(seen).utcoffset() for hour in hours]
    pairs = zip(hours, offsets, offsets[1:], strict=False)
    return tuple(hour for hour, before, after in pairs if before != after)


def due_by_the_wall(
    expression: str, zone: str, since: datetime, until: datetime
) -> Iterator[datetime]:
    """When `expression` is due from `since` on and before `until`, both on whole minutes."""
    matches, seen = _reader(expression), ZoneInfo(zone)
    shown = (since - MINUTE).astimezone(seen).replace(tzinfo=None)
    moment = since - timedelta(days=1)
    while moment < since:  # what a repeated hour has shown already
        shown = max(shown, moment.astimezone(seen).replace(tzinfo=None))
        moment += MINUTE
    while moment < until:
        wall = moment.astimezone(seen).replace(tzinfo=None)
        due = False
        while shown < wall:
            shown += MINUTE
            due = due or matches(shown)
        if due:
            yield moment
        moment += MINUTE


def due_by_trigger(
    expression: str, zone: str, since: datetime, until: datetime
) -> Iterator[datetime]:
    """The same as the scheduler would have it."""
    trigger = WallClockTrigger(expression, zone)
    due = trigger.get_next_fire_time(None, since)
    while due is not None and due < until:
        yield due.astimezone(UTC)
        due = trigger.get_next_fire_time(due, due)


def wrong_times(zones: tuple[str, ...], year: int, seed: int, *, each: int) -> list[str]:
    """What differs in any of `zones`, over the whole of `year`, for `each` expressions a zone."""
    chance, wrong = random.Random(seed), []
    since, until = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
    for zone in zones:
        for expression in chance.sample(EXPRESSIONS, each):
            wall = list(due_by_the_wall(expression, zone, since, until))
            if wall != list(due_by_trigger(expression, zone, since, until)):
                wrong.append(f"{expression} in {zone}")
    return wrong


def _reader(expression: str) -> Callable[[datetime], bool]:
    minute, hour, day, month, weekday = expression.split()
    minutes, hours = _numbers(minute, 60), _numbers(hour, 24)
    days, months = _numbers(day, 32), _numbers(month, 13)
    first, _, last = weekday.partition("-")
    names = _DAYS if weekday == "*" else _DAYS[_DAYS.index(first) : _DAYS.index(last or first) + 1]

    def matches(wall: datetime) -> bool:
        return (
            wall.minute in minutes
            and wall.hour in hours
            and wall.day in days
            and wall.month in months
            and _DAYS[wall.weekday()] in names
        )

    return matches


def _numbers(field: str, end: int) -> set[int]:
    if field.startswith("*"):
        return set(range(0, end, int(field.partition("/")[2] or 1)))
    found: set[int] = set()
    for part in field.split(","):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return found
