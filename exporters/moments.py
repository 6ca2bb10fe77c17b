"""Moments as text: ISO 8601 in UTC, with milliseconds and a Z."""

from __future__ import annotations

from datetime import UTC, datetime


def moment(when: datetime) -> str:
    """2026-01-31T12:00:00.000Z."""
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment_or_none(when: datetime | None) -> str | None:
    """The same where there may be none."""
    return None if when is None else moment(when)


def unix_moment(seconds: float | None) -> str | None:
    """The same from Unix seconds."""
    return None if seconds is None else moment(datetime.fromtimestamp(seconds, UTC))
