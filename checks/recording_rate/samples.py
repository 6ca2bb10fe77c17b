"""Samples: what was recorded in an interval, counted when it was observed, and kept.

An upsert moves `viewed_at`: read back later, the same interval holds fewer impressions. So each
interval is counted once, right after its end, and the number is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

MAX_CATCH_UP = 3
"""A sample may be this many intervals long where some were missed; what lies further back has
eroded and is left out."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One interval, [start, end). Both moments carry a time zone."""

    start: datetime
    end: datetime
    impressions: int
    """Real ones: those that this service wrote are left out."""
    artworks: int
    """Artworks created in the interval."""
    seeded: bool = False
    """Read back from the table, not observed: what was viewed again since is missing."""
    suspect: bool = False
    """Judged abnormal when it was the newest; keeps it out of what is usual later."""
    level: float = 1.0
    """How the day compared with the usual when this was the newest sample (see `level`)."""

    @property
    def seconds(self) -> float:
        """Its length."""
        return (self.end - self.start).total_seconds()


@dataclass(frozen=True, slots=True)
class Window:
    """The moments between which the next sample is counted, [start, end)."""

    start: datetime
    end: datetime


def next_window(last_end: datetime | None, until: datetime, every: timedelta) -> Window | None:
    """The next sample's window; None while not even half an interval has passed since the last.

    `until` is the moment up to which the database shows everything (`reading.visible_until`).
    Windows follow one another without a gap, a little longer where one was missed; after a longer
    absence the last interval alone is counted, and the gap stays.
    """
    if last_end is None or until - last_end > MAX_CATCH_UP * every:
        return Window(until - every, until)
    if until - last_end < every / 2:
        return None
    return Window(last_end, until)
