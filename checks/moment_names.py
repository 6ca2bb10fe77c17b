"""Names of moments that Python's calendar may not have: PostgreSQL's goes from 4713 BC to 294276,
and has two infinities."""

from __future__ import annotations

import math
from contextlib import suppress
from datetime import UTC, datetime, timedelta

_CYCLE_YEARS = 400
_CYCLE_SECONDS = 146_097 * 86_400
"""After so many years the Gregorian calendar begins anew."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment_name(seconds: float, *, timespec: str = "auto") -> str:
    """Unix `seconds` in UTC as ISO 8601; as PostgreSQL writes them where there is no such year:
    `0044-03-15T00:00:00+00:00 BC`, `-infinity`. `timespec` is isoformat()'s."""
    if math.isinf(seconds):
        return "infinity" if seconds > 0 else "-infinity"
    with suppress(ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec=timespec)
    # Into the cycle that begins with 1970, and back by its years.
    cycles = math.floor(seconds / _CYCLE_SECONDS)
    within = _EPOCH + timedelta(seconds=seconds - cycles * _CYCLE_SECONDS)
    year = within.year + cycles * _CYCLE_YEARS
    rest = within.isoformat(timespec=timespec).removeprefix(f"{within.year:04d}")
    return f"{year:04d}{rest}" if year > 0 else f"{1 - year:04d}{rest} BC"


def day_name(seconds: float) -> str:
    """The day of `moment_name`."""
    day, _, rest = moment_name(seconds).partition("T")
    return f"{day} BC" if rest.endswith("BC") else day
