"""The types of keys with a notation of their own: read, shown again, described to an editor."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
)

from checks.judgement import Threshold
from monitor.config.cron import parse_cron
from monitor.config.mistakes import UnfitError, masked, shown
from monitor.config.scalars import retyped
from monitor.config.units import (
    DURATION_PATTERN,
    SHARE_PATTERN,
    SIZE_PATTERN,
    format_duration,
    format_share,
    format_size,
    parse_duration,
    parse_share,
    parse_size,
    share_of,
)
from monitor.config.values import (
    THRESHOLD_PATTERN,
    WINDOW_PATTERN,
    Window,
    parse_moment,
    parse_threshold,
    parse_timezone,
    parse_window,
)


def _reader(
    parse: Callable[[str], object], expected: str, remedy: str, own: type = str
) -> Callable[[object], object]:
    """A validator that parses text, and lets a value of the type `own` pass."""

    def read(value: object) -> object:
        value = value if own is str else retyped(value)
        if isinstance(value, str):
            return parse(str(value))
        if isinstance(value, own):
            return value
        raise UnfitError(expected, shown(value), remedy)

    return read


def _at_least(shortest: timedelta) -> AfterValidator:
    def check(value: timedelta) -> timedelta:
        if value < shortest:
            least = format_duration(shortest)
            raise UnfitError(f"at least {least}", format_duration(value), f"write {least} or more")
        return value

    return AfterValidator(check)


Duration = Annotated[
    timedelta,
    BeforeValidator(
        _reader(
            parse_duration,
            "a duration such as 250ms, 15m or 1d12h",
            "write a number and a unit: ms, s, m, h, d or w",
            timedelta,
        )
    ),
    PlainSerializer(format_duration, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN}),
]
Timeout = Annotated[Duration, _at_least(timedelta(milliseconds=1))]
"""PostgreSQL counts in milliseconds, and takes 0 for no limit at all."""
Interval = Annotated[Duration, _at_least(timedelta(milliseconds=100))]


def _read_share(value: object) -> object:
    value = retyped(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return share_of(float(value))
    if isinstance(value, str):
        return parse_share(value)
    raise UnfitError("a share such as 50% or 0.5", shown(value), "write a number")


def _above_nothing(value: float) -> float:
    if value == 0:
        raise UnfitError("a share above 0%", "0%", "write more, up to 100%")
    return value


Share = Annotated[
    float,
    BeforeValidator(_read_share),
    PlainSerializer(format_share, return_type=str, when_used="json"),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": SHARE_PATTERN},
                {"type": "number", "minimum": 0, "maximum": 1},
            ]
        }
    ),
]
PositiveShare = Annotated[Share, AfterValidator(_above_nothing)]


def _read_size(value: object) -> object:
    value = retyped(value)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise UnfitError("a size such as 64MiB", shown(value), "write a number and a unit")
    size = parse_size(value) if isinstance(value, str) else value
    if size < 1:
        raise UnfitError("a size of at least one byte", shown(value), "write more")
    return size


Size = Annotated[
    int,
    BeforeValidator(_read_size),
    PlainSerializer(format_size, return_type=str, when_used="json"),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": SIZE_PATTERN},
                {"type": "integer", "minimum": 1},
            ]
        }
    ),
]
"""Bytes."""

Condition = Annotated[
    Threshold,
    PlainValidator(
        _reader(
            parse_threshold,
            "a comparison with a number, such as > 0 or >= 5%",
            'write it in quotes: "> 0"',
            Threshold,
        )
    ),
    PlainSerializer(str, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": THRESHOLD_PATTERN}),
]

Hours = Annotated[
    Window,
    PlainValidator(
        _reader(
            parse_window, "a window of the day such as 01:00-05:00", "write it in quotes", Window
        )
    ),
    PlainSerializer(str, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": WINDOW_PATTERN}),
]

Moment = Annotated[
    datetime,
    PlainValidator(parse_moment),
    PlainSerializer(datetime.isoformat, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"}),
]

Zone = Annotated[
    str,
    BeforeValidator(_reader(parse_timezone, "a time zone such as UTC", "put it in quotes")),
]

Cron = Annotated[
    str,
    BeforeValidator(_reader(parse_cron, "a cron expression", "put it in quotes")),
]


def _web_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise UnfitError("an http:// or https:// URL", shown(text), "name scheme and host")
    return text


WebUrl = Annotated[
    str,
    BeforeValidator(_reader(_web_url, "an http:// or https:// URL", "put it in quotes")),
    PlainSerializer(masked, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": r"^https?://|\$\{"}),
]

File = Annotated[
    Path,
    BeforeValidator(_reader(Path, "the path of a file", "put it in quotes", Path)),
    PlainSerializer(str, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "minLength": 1}),
]
