"""Numbers and moments as a reader wants them. Moments are in UTC, which stands on every page."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from urllib.parse import quote

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_FEW = 10
"""Below this a fraction still says something."""


def whole(number: int | None) -> str:
    """1,234,567; a dash for what is not known."""
    return "–" if number is None else f"{number:,}"


def measured(value: float | None) -> str:
    """A measured number, as short as it can be read; a dash for none."""
    if value is None or not math.isfinite(value):
        return "–"
    if value == int(value) or abs(value) >= 1000:  # noqa: PLR2004 - no fraction matters there
        return f"{value:,.0f}"
    return f"{value:,.3g}"


def share(part: float, of: float) -> str:
    """A share as a percentage."""
    return f"{100 * part / of:.1f}\N{NO-BREAK SPACE}%" if of else "–"


def lasting(seconds: float | None) -> str:
    """A duration in its largest sensible unit: 40 ms, 4.2 s, 12 s, 3 min, 2 h, 5 days."""
    if seconds is None:
        return "–"
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < _FEW:
        return f"{seconds:.1f} s"
    for size, unit in ((_DAY, "days"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def day_and_time(when: datetime) -> str:
    """31 January 2026, 12:00:05."""
    utc = when.astimezone(UTC)
    return f"{utc.day} {utc:%B %Y, %H:%M:%S}"


def short_time(when: datetime) -> str:
    """31 Jan 12:00, for tables."""
    utc = when.astimezone(UTC)
    return f"{utc.day} {utc:%b %H:%M}"


def machine(when: datetime) -> str:
    """For <time datetime>."""
    return when.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def iso_utc(when: datetime) -> str:
    """For programs, with milliseconds: 2026-01-31T12:00:00.000Z."""
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_unix(seconds: float | None) -> datetime | None:
    """A moment from Unix seconds."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def user_address(user_id: str) -> str:
    """Where the page of a user is, below the service's root, whatever characters the id has."""
    if is_folder(user_id):
        return f"users?id={user_id}"
    return f"users/{quote(user_id, safe='').replace('.', '%2E')}"


def is_folder(user_id: str) -> bool:
    """Whether a browser takes it, however it is written in a path, for this folder or the one
    above."""
    return user_id in {".", ".."}
