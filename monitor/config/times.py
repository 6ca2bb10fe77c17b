"""Moments, time zones and cron expressions.

APScheduler counts the days of the week from Monday = 0, cron from Sunday = 0: `0 3 * * 1` would
silently run on Tuesdays. Days of the week are therefore turned into names here.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BeforeValidator,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
)

from monitor.config.errors import InvalidValueError, repr_safe, suggestion
from monitor.config.types import parse_text

_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FIELDS = 5
_DAY = rf"[0-7]|{'|'.join(_DAYS[:7])}"
_RANGE = re.compile(rf"(?:(\*)|({_DAY})(?:-({_DAY}))?)(?:/([1-7]))?", re.IGNORECASE)


def parse_moment(value: object) -> datetime:
    """A date or a time, from YAML or as ISO 8601 text. A date means its midnight.

    Without a time zone the result has none: it is read in `catalog.timezone`.
    Raises InvalidValueError for anything else.
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
    raise InvalidValueError(
        "a date or a time such as 2025-01-31T00:00:00Z",
        repr_safe(value),
        "write it in ISO 8601; without a time zone it is read in catalog.timezone",
    )


def parse_timezone(name: str) -> str:
    """The same name, if a time zone here has it. Raises InvalidValueError for any other."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        close = suggestion(name, available_timezones())
        remedy = f"did you mean {close}?" if close else "see the IANA time zone database"
        expected = "a time zone such as UTC or Europe/Paris"
        raise InvalidValueError(expected, repr_safe(name), remedy) from None
    return name


def with_zone(moment: datetime, timezone: str) -> datetime:
    """`moment` with a time zone: its own, or else `timezone`. Of a repeated hour, the first."""
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(timezone))


def parse_cron(text: str) -> str:
    """The five fields of `text`, days of the week as names, fit for `CronTrigger.from_crontab`.

    Raises InvalidValueError where it can't be read, or never comes.
    """
    fields = text.split()
    if len(fields) != _FIELDS:
        raise _unfit(text, "write minute, hour, day of month, month and day of week, in quotes")
    fields[-1] = ",".join(_named(part, text) for part in fields[-1].split(","))
    expression = " ".join(fields)
    _try_out(expression, text)
    return expression


def _named(part: str, text: str) -> str:
    """One part of the day-of-week field, as a list of names; `*` as it is."""
    match = _RANGE.fullmatch(part)
    if match is None:
        raise _unfit(
            text, f"correct the day of the week, {repr_safe(part)}: write mon-fri, or 0 to 7"
        )
    star, first, last, step = match.groups()
    if star and step is None:
        return "*"
    start, end = (0, 6) if star else (_number(first), _number(last or first))
    if last and end < start:  # fri-sun, sat-tue
        end += 7
    if step and last is None and not star:
        end = 6
    return ",".join(_DAYS[day % 7] for day in range(start, end + 1, int(step or 1)))


def _number(day: str) -> int:
    """0 to 7 as cron counts them: Sunday is both ends."""
    return int(day) if day.isdigit() else _DAYS.index(day.lower())


def _try_out(expression: str, text: str) -> None:
    """Lets APScheduler read the expression, and asks it for the first time it comes."""
    from apscheduler.triggers.cron import CronTrigger  # noqa: PLC0415 - only where cron is used

    try:
        trigger = CronTrigger.from_crontab(expression, timezone=UTC)
    except ValueError as error:
        raise _unfit(text, f"correct it ({error})") from None
    leap_year = datetime(2024, 1, 1, tzinfo=UTC)
    if trigger.get_next_fire_time(None, leap_year) is None:
        raise _unfit(text, "name a day that exists: this one never comes")


def _unfit(text: str, remedy: str) -> InvalidValueError:
    return InvalidValueError("a cron expression such as 15 3 * * mon-fri", repr_safe(text), remedy)


Moment = Annotated[
    datetime,
    PlainValidator(parse_moment),
    PlainSerializer(datetime.isoformat, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"}),
]
Zone = Annotated[str, BeforeValidator(parse_text), AfterValidator(parse_timezone)]
Cron = Annotated[str, BeforeValidator(parse_text), AfterValidator(parse_cron)]
