"""Values with a meaning of their own: thresholds, windows of the day, schedules, moments."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from math import isfinite

from checks.judgement import Comparison, Threshold
from monitor.config.mistakes import UnfitError, shown, suggestion

THRESHOLD_PATTERN = r"^(>=|<=|==|!=|>|<) *(-?[0-9]+(?:\.[0-9]+)?)(%?)$"
WINDOW_PATTERN = r"^([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-4]):([0-5][0-9])$"


def parse_threshold(text: str) -> Threshold:
    """`> 0`, `>= 5%`, `!= 3`. Raises UnfitError for any other form."""
    match = re.fullmatch(THRESHOLD_PATTERN[1:-1], text)
    if match is None:
        raise UnfitError(
            "a comparison with a number, such as > 0 or >= 5%",
            shown(text),
            'write one of >, >=, <, <=, ==, != and a number, in quotes: "> 0"',
        )
    comparison, number, percent = match.groups()
    limit = float(Decimal(number) / 100) if percent else float(number)
    if not isfinite(limit):
        raise UnfitError("a number that a float holds", shown(text), "write a smaller one")
    return Threshold(Comparison(comparison), limit, text)


@dataclass(frozen=True, slots=True)
class Window:
    """A part of the day, from `start` (included) to `end` (not included), local wall-clock time.

    Where `end` is before `start`, it goes on past midnight.
    """

    start: time
    end: time

    def contains(self, moment: time) -> bool:
        """Whether the local time of day `moment` lies in the window."""
        if self.start < self.end:
            return self.start <= moment < self.end
        return moment >= self.start or moment < self.end

    def __str__(self) -> str:
        return f"{self.start:%H:%M}-{self.end:%H:%M}"


def parse_window(text: str) -> Window:
    """`01:00-05:00` or `22:00-04:00`; `24:00` may end it. Raises UnfitError for any other form."""
    match = re.fullmatch(WINDOW_PATTERN[1:-1], text)
    if match is None or (match[3] == "24" and match[4] != "00"):
        raise UnfitError(
            "a window of the day such as 01:00-05:00", shown(text), "write HH:MM-HH:MM, in quotes"
        )
    window = Window(time(int(match[1]), int(match[2])), time(int(match[3]) % 24, int(match[4])))
    if window.start == window.end:
        raise UnfitError(
            "a window that ends at another time than it begins",
            shown(text),
            "write null for the whole day",
        )
    return window


def parse_moment(value: object) -> datetime:
    """A date or a time, from YAML or as ISO 8601 text. A date means its midnight.

    Without a time zone the result has none: the caller reads it in `catalog.timezone`.
    Raises UnfitError for anything else.
    """
    if isinstance(value, str):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            pass
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001
    raise UnfitError(
        "a date or a time such as 2025-01-31T00:00:00Z",
        shown(value),
        "write it in ISO 8601; without a time zone it is read in catalog.timezone",
    )


def parse_timezone(name: str) -> str:
    """The name of a time zone that exists here. Raises UnfitError for any other."""
    from zoneinfo import ZoneInfo, available_timezones  # noqa: PLC0415 - not before it is needed

    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        close = suggestion(name, available_timezones())
        remedy = f"did you mean {close}?" if close else "see the IANA time zone database"
        raise UnfitError("a time zone such as UTC or Europe/Paris", shown(name), remedy) from None
    return name


def with_zone(moment: datetime, timezone: str) -> datetime:
    """`moment` with a time zone: its own, or else `timezone`. Of a repeated hour, the first."""
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - not before it is needed

    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(timezone))
