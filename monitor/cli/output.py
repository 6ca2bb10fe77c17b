"""Tables and sentences for people, JSON for programs."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
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


def print_json(value: object) -> None:
    """JSON on standard output: records as objects, moments as ISO 8601 in UTC, spans as seconds."""
    text = json.dumps(value, default=_encode, indent=2, ensure_ascii=False)
    sys.stdout.write(text + "\n")


def _encode(value: object) -> Any:
    """What `json` asks for a value that it does not know."""
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case timedelta():
            return value.total_seconds()
        case Mapping():
            return dict(value)
        case set() | frozenset():
            return list(value)
        case _ if dataclasses.is_dataclass(value):
            return record_fields(value)
    return str(value)


def record_fields(record: object) -> dict[str, Any]:
    """A record as `print_json` prints it."""
    assert dataclasses.is_dataclass(record)
    # A field that would be a keyword of Python ends in an underscore. Lists of ids are for programs
    # of ours, and not shown.
    names = [field.name for field in dataclasses.fields(record) if field.repr]
    return {name.rstrip("_"): getattr(record, name) for name in names}


def print_result(value: object, people: str | Callable[[], None], *, as_json: bool) -> None:
    """`value` for programs; for people the sentence, or what `people` prints."""
    if as_json:
        print_json(value)
    elif isinstance(people, str):
        console.print(people, markup=False)
    else:
        people()


def print_text(text: str, style: str | None = None) -> None:
    """Text from the database or a person, which is no markup and is not cut into lines."""
    console.print(text, style=style, markup=False, soft_wrap=True)


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


def counted(value: int, one: str, many: str = "") -> str:
    """So many of something: 1 row, 2 rows."""
    return f"{value:,} {one if value == 1 else many or one + 's'}"


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
