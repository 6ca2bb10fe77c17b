"""Tables for people, JSON for programs."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Literal, TypeVar

from rich.console import Console
from rich.table import Table
from rich.text import Text

Row = TypeVar("Row")

PIPED_WIDTH = 160
"""Columns where standard output is no terminal and nothing says how wide it is."""

console = Console(
    highlight=False,
    width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPED_WIDTH,
)
"""Where people read; width and colours follow the terminal."""


_INTERNAL = "monotonic"
"""A moment on the process's own clock means nothing outside of it."""


def plain(value: object) -> Any:
    """`value` as JSON knows it: records as objects, moments as ISO 8601 in UTC."""
    result: Any
    match value:
        case None | bool() | int() | float() | str() if not isinstance(value, Enum):
            result = value
        case Enum():
            result = value.value
        case datetime():
            result = value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case timedelta():
            result = value.total_seconds()
        case Mapping():
            result = {str(key): plain(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            result = [plain(item) for item in value]
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            result = {
                field.name.rstrip("_"): plain(getattr(value, field.name))
                for field in dataclasses.fields(value)
                if field.name != _INTERNAL
            }
        case _:
            result = str(value)
    return result


def print_json(value: object) -> None:
    """`value` as JSON on standard output."""
    sys.stdout.write(json.dumps(plain(value), indent=2, ensure_ascii=False) + "\n")


def print_result(value: object, sentence: str, *, as_json: bool) -> None:
    """What a command did: `value` for programs, or the sentence for people."""
    if as_json:
        print_json(value)
    else:
        console.print(sentence, markup=False)


def print_table(
    rows: Iterable[Row],
    columns: Mapping[str, Callable[[Row], str | Text]],
    *,
    numbers: tuple[str, ...] = (),
) -> None:
    """The rows, in columns by their headings; cells are no markup.

    Columns in `numbers` are aligned to the right; only the last one wraps.
    """
    shown = Table(box=None, pad_edge=False, header_style="bold")
    last = [*columns][-1]
    for heading in columns:
        justify: Literal["left", "right"] = "right" if heading in numbers else "left"
        shown.add_column(heading, justify=justify, no_wrap=heading != last)
    for row in rows:
        cells = [cell(row) for cell in columns.values()]
        shown.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in cells))
    console.print(shown)


def number(value: float | None) -> str:
    """A count with thousands separated, or a dash."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"


def size(value: float) -> str:
    """Bytes for people."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(value) < 1024:  # noqa: PLR2004
            return f"{value:,.0f} {unit}"
        value /= 1024
    return f"{value:,.1f} TiB"


def duration(seconds: float | None) -> str:
    """Seconds for people."""
    if seconds is None:
        return "unknown"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 90:  # noqa: PLR2004
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def moment(value: datetime | None) -> str:
    """A moment to the second, in UTC."""
    return "–" if value is None else value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
