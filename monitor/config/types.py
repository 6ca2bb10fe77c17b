"""The types of keys: how each is written, what is refused, how it is described to an editor.

Each accepts what YAML gives, and an `Expanded` from the environment.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import time, timedelta
from decimal import Decimal
from math import isfinite
from typing import Annotated, Any, Generic, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    Strict,
    WithJsonSchema,
)
from pydantic_core import core_schema

from checks.judgement import Comparison, Threshold
from checks.spec import Moment, SharedColumns, SqlMoment
from monitor.config.errors import InvalidValueError, repr_safe
from monitor.config.loader import retyped

T = TypeVar("T")


def _unless_null(empty: object) -> BeforeValidator:
    return BeforeValidator(lambda value: empty if retyped(value) is None else value)


Maybe = Annotated[T | None, _unless_null(None)]
"""T, or null; a variable that is empty counts as null."""

Several = Annotated[tuple[T, ...], _unless_null([])]
"""Any number of T, in order."""

Named = Annotated[Mapping[str, T], _unless_null({})]
"""T by names that are not ours."""

_RETYPED = BeforeValidator(retyped)
Positive = Annotated[int, Strict(), Field(ge=1), _RETYPED]
Natural = Annotated[int, Strict(), Field(ge=0), _RETYPED]
Port = Annotated[int, Strict(), Field(ge=0, le=65_535), _RETYPED]
Number = Annotated[float, Strict(), Field(allow_inf_nan=False), _RETYPED]
PositiveNumber = Annotated[float, Strict(), Field(gt=0, allow_inf_nan=False), _RETYPED]
Switch = Annotated[bool, Strict(), _RETYPED]


@dataclass(frozen=True, slots=True, eq=False)
class Notation(Generic[T]):
    """How values of one kind are written, for reading, for writing back, and for editors.

    `pattern` means the same to Python and to a JSON Schema validator. `build` makes a value of
    what it matched, or raises InvalidValueError; `write` is its inverse. `number` is the JSON
    Schema of numbers that will do as well.
    """

    pattern: str
    expected: str
    remedy: str
    build: Callable[[re.Match[str]], T]
    write: Callable[[T], str] = str
    number: Mapping[str, object] | None = None

    def parse(self, value: object) -> T:
        """The value that is written so. Raises InvalidValueError for any other form."""
        text = value
        if self.number is not None:
            text = retyped(value)
            if isinstance(text, int | float) and not isinstance(text, bool):
                text = _plain(Decimal(repr(text)))
        match = re.fullmatch(self.pattern[1:-1], text) if isinstance(text, str) else None
        if match is None:
            raise InvalidValueError(self.expected, repr_safe(value), self.remedy)
        return self.build(match)

    def __get_pydantic_core_schema__(self, *_: object) -> core_schema.CoreSchema:
        written = core_schema.plain_serializer_function_ser_schema(
            self.write, return_schema=core_schema.str_schema(), when_used="json"
        )
        return core_schema.no_info_plain_validator_function(self.parse, serialization=written)

    def __get_pydantic_json_schema__(self, *_: object) -> dict[str, Any]:
        text = {"type": "string", "pattern": self.pattern}
        return {"anyOf": [text, dict(self.number)]} if self.number else text


def _plain(number: Decimal) -> str:
    """A decimal without exponent or trailing zeros."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


# Text


def parse_text(value: object) -> str:
    """Text. A value that YAML read as something else is not turned back: it may have changed."""
    if not isinstance(value, str):
        scalar = value is not None and not isinstance(value, list | dict)
        remedy = "put it in quotes" if scalar else "write some, or leave the key out"
        raise InvalidValueError("text", repr_safe(value), remedy)
    if not value.strip():
        raise InvalidValueError("text", "nothing", "write some, or leave the key out")
    if "\0" in value:
        raise InvalidValueError("text", "a NUL character in it", "remove that character")
    return str(value)


_LITERALS = re.compile(
    r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|(\$(?:[^\W\d]\w*)?\$).*?\1|--[^\n]*|/\*.*?\*/""", re.DOTALL
)
"""What PostgreSQL reads as a text, a name or a comment."""
_PARAMETER = re.compile(r"(?<![\w$])\$\d+")


def parse_query(value: object) -> str:
    """SQL of the operator's. A parameter in it would take a value of ours."""
    text = parse_text(value)
    found = _PARAMETER.search(_LITERALS.sub(" ", text))
    if found is not None:
        remedy = "write what it stands for"
        raise InvalidValueError("SQL without parameters", f"the parameter {found[0]}", remedy)
    return text


def _sql_text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else parse_query(value)


def _retyped_throughout(value: object) -> object:
    if isinstance(value, dict):
        return {key: _retyped_throughout(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_retyped_throughout(item) for item in value]
    return retyped(value)


Text = Annotated[
    str, BeforeValidator(parse_text), WithJsonSchema({"type": "string", "minLength": 1})
]


Query = Annotated[
    str, BeforeValidator(parse_query), WithJsonSchema({"type": "string", "minLength": 1})
]
"""A query or an expression, in SQL."""

NAME = Notation(
    "^[a-z][a-z0-9_]{0,62}$",
    "a name of lower-case letters, digits and underscores",
    "correct it",
    re.Match.group,
)
Name = Annotated[str, NAME]
"""The name of a check: it becomes the value of a label, and an argument on the command line."""

EXPECTATION = Notation(
    "^(expect|unexpected)_[a-z0-9_]+$",
    "an expectation such as expect_column_values_to_not_be_null",
    "correct it",
    re.Match.group,
)
ExpectationName = Annotated[str, EXPECTATION]

_Sql = Annotated[
    str, BeforeValidator(_sql_text), WithJsonSchema({"type": ["string", "number", "boolean"]})
]
Expressions = Named[_Sql]
"""Names to SQL expressions; a bare number or boolean is one too."""

Arguments = Named[Annotated[Any, BeforeValidator(_retyped_throughout)]]
"""Any values, at any depth, handed on to somebody else's library."""


def _one_or_several(value: object) -> object:
    found = retyped(value)
    if found is None:
        return []
    return found if isinstance(found, list) else [value]


Columns = Annotated[tuple[Text, ...], BeforeValidator(_one_or_several)]
"""Columns, in order; one may stand alone."""


def parse_moment(value: object) -> Moment:
    """A column, or `{sql: …}`."""
    if not isinstance(value, dict):
        return parse_text(value)
    if set(value) != {"sql"}:
        remedy = 'write a column, or {sql: "…"}'
        raise InvalidValueError("a column or an expression", "a group of other keys", remedy)
    return SqlMoment(parse_query(value["sql"]))


def _write_moment(moment: Moment) -> object:
    return {"sql": moment.sql} if isinstance(moment, SqlMoment) else moment


_TEXT_SCHEMA = {"type": "string", "minLength": 1}


def _group_schema(*keys: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict.fromkeys(keys, _TEXT_SCHEMA),
        "required": list(keys),
        "additionalProperties": False,
    }


MomentSetting = Annotated[
    Moment,
    PlainValidator(parse_moment),
    PlainSerializer(_write_moment),
    WithJsonSchema({"anyOf": [_TEXT_SCHEMA, _group_schema("sql")]}),
]
"""A moment of a row."""


def parse_shared(value: object) -> SharedColumns:
    """A column that both tables have, or `{user: …, artwork: …}`."""
    if not isinstance(value, dict):
        return SharedColumns(parse_text(value), parse_text(value))
    if set(value) != {"user", "artwork"}:
        remedy = "write a column that both tables have, or {user: …, artwork: …}"
        raise InvalidValueError("the columns of both tables", "a group of other keys", remedy)
    return SharedColumns(parse_text(value["user"]), parse_text(value["artwork"]))


def _write_shared(shared: SharedColumns) -> dict[str, str]:
    return {"user": shared.user, "artwork": shared.artwork}


_SHARED_SCHEMA = {"anyOf": [_TEXT_SCHEMA, _group_schema("user", "artwork")]}
Shared = Annotated[
    tuple[
        Annotated[
            SharedColumns,
            PlainValidator(parse_shared),
            PlainSerializer(_write_shared),
            WithJsonSchema(_SHARED_SCHEMA),
        ],
        ...,
    ],
    BeforeValidator(_one_or_several),
]
"""Columns in which both sides agree; one may stand alone."""


# Durations, shares and sizes

_NUMBER = r"[0-9]+(?:\.[0-9]+)?"

MICROSECONDS = {
    "w": 604_800_000_000,
    "d": 86_400_000_000,
    "h": 3_600_000_000,
    "m": 60_000_000,
    "s": 1_000_000,
    "ms": 1_000,
}
"""Microseconds in each unit of duration, largest first: the order in which they combine."""

BYTES = {
    "B": 1,
    "kB": 1000,
    **{f"{prefix}B": 1000**power for power, prefix in enumerate("KMGT", 1)},
    **{f"{prefix}iB": 1024**power for power, prefix in enumerate("KMGT", 1)},
}

LARGEST_SIZE = 2**80
"""Bytes; no storage is as large."""


def _build_duration(match: re.Match[str]) -> timedelta:
    amounts = zip(match.groups(), MICROSECONDS.values(), strict=True)
    total = sum((Decimal(amount) * unit for amount, unit in amounts if amount), Decimal(0))
    try:
        return timedelta(microseconds=int(total))
    except OverflowError:
        expected = "a duration that fits a calendar"
        raise InvalidValueError(expected, repr_safe(match[0]), "write less") from None


def format_duration(duration: timedelta) -> str:
    """The shortest text for `duration`, which is not negative, without loss.

    Without weeks: `14d` is easier to compare than `2w`.
    """
    rest = duration // timedelta(microseconds=1)
    parts: list[str] = []
    for unit in ("d", "h", "m", "s"):
        amount, rest = divmod(rest, MICROSECONDS[unit])
        if amount:
            parts.append(f"{amount}{unit}")
    if rest:
        parts.append(f"{_plain(Decimal(rest) / MICROSECONDS['ms'])}ms")
    return "".join(parts) or "0s"


def _at_least(shortest: timedelta) -> AfterValidator:
    def check(value: timedelta) -> timedelta:
        if value < shortest:
            least, found = format_duration(shortest), format_duration(value)
            raise InvalidValueError(f"at least {least}", found, f"write {least} or more")
        return value

    return AfterValidator(check)


DURATION = Notation(
    "^(?=.)" + "".join(f"(?:({_NUMBER}){unit})?" for unit in MICROSECONDS) + "$",
    "a duration such as 250ms, 15m or 1d12h",
    "write a number and a unit (w, d, h, m, s, ms), or several, largest first, without spaces",
    _build_duration,
    format_duration,
)
"""`1d12h`, to the microsecond. Each unit once, largest first."""

Duration = Annotated[timedelta, DURATION]
Timeout = Annotated[Duration, _at_least(timedelta(milliseconds=1))]
"""PostgreSQL counts in milliseconds, and takes 0 for no limit at all."""
Interval = Annotated[Duration, _at_least(timedelta(milliseconds=100))]


def _build_share(match: re.Match[str]) -> float:
    number, percent = Decimal(match[1]), bool(match[2])
    share = float(number / 100) if percent else float(match[1])
    if share <= 1:
        return share
    whole = 100
    meant = not percent and number <= whole
    remedy = f"write {match[1]}% if that was meant" if meant else "write no more than 100%"
    found = repr_safe(match[0]).strip('"')  # which may have been a number
    raise InvalidValueError("a share between 0 (0%) and 1 (100%)", found, remedy)


def _format_share(share: float) -> str:
    return f"{_plain(Decimal(repr(share)) * 100)}%"


SHARE = Notation(
    f"^({_NUMBER})(%?)$",
    "a share such as 50% or 0.5",
    "write a number, and a percent sign if above 1",
    _build_share,
    _format_share,
    number={"type": "number", "minimum": 0, "maximum": 1},
)
"""`50%` or `0.5`, from 0 to 1."""

Share = Annotated[float, SHARE]
PositiveShare = Annotated[Share, Field(gt=0)]


def _build_size(match: re.Match[str]) -> int:
    size = Decimal(match[1]) * BYTES[match[2] or "B"]
    if size > LARGEST_SIZE or size != int(size):
        remedy = "write a whole number of bytes, less than a yobibyte"
        raise InvalidValueError(SIZE.expected, repr_safe(match[0]), remedy)
    return int(size)


def _format_size(size: int) -> str:
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if size and size % BYTES[unit] == 0:
            return f"{size // BYTES[unit]}{unit}"
    return f"{size}B"


SIZE = Notation(
    f"^({_NUMBER})({'|'.join(BYTES)})?$",
    "a size such as 64MiB, 10MB or 1024 (bytes)",
    "write a number and one of B, kB, MB, GB, TB, KiB, MiB, GiB, TiB, without a space",
    _build_size,
    _format_size,
    number={"type": "integer", "minimum": 1},
)
"""Bytes: `64MiB`, `10MB` or `1024`. Pydantic's ByteSize drops fractions and writes rounded."""

Size = Annotated[int, SIZE, Field(ge=1)]


# Thresholds, windows of the day


def _build_threshold(match: re.Match[str]) -> Threshold:
    comparison, number, percent = match.groups()
    limit = float(Decimal(number) / 100) if percent else float(number)
    if not isfinite(limit):
        expected = "a number that a float holds"
        raise InvalidValueError(expected, repr_safe(match[0]), "write a smaller one")
    return Threshold(Comparison(comparison), limit, match[0])


THRESHOLD = Notation(
    r"^(>=|<=|==|!=|>|<) *(-?[0-9]+(?:\.[0-9]+)?)(%?)$",
    "a comparison with a number, such as > 0 or >= 5%",
    'write one of >, >=, <, <=, ==, != and a number, in quotes: "> 0"',
    _build_threshold,
)
Condition = Annotated[Threshold, THRESHOLD]


@dataclass(frozen=True, slots=True)
class MaintenanceWindow:
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


def _build_window(match: re.Match[str]) -> MaintenanceWindow:
    hour, minute, end_hour, end_minute = (int(part) for part in match.groups() if part)
    window = MaintenanceWindow(time(hour, minute), time(end_hour % 24, end_minute))
    if window.start == window.end:
        expected = "a window that ends at another time than it begins"
        raise InvalidValueError(expected, repr_safe(match[0]), "write null for the whole day")
    return window


WINDOW = Notation(
    "^([01][0-9]|2[0-3]):([0-5][0-9])-(?:([01][0-9]|2[0-3]):([0-5][0-9])|(24):(00))$",
    "a window of the day such as 01:00-05:00",
    "write HH:MM-HH:MM, in quotes",
    _build_window,
)
"""`01:00-05:00` or `22:00-04:00`; `24:00` may end it."""

Hours = Annotated[MaintenanceWindow, WINDOW]
