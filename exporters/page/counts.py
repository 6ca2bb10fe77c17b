"""The four counts, now and over time: as lines, and as a table for who has no script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from checks.affected import AffectedUsers
from checks.census import Census
from exporters.current import current_census, current_users
from exporters.page.formatting import share
from monitor.state.history import CensusPoint
from monitor.status import Status

SPANS = {
    "6h": ("6 hours", timedelta(hours=6)),
    "24h": ("24 hours", timedelta(hours=24)),
    "7d": ("7 days", timedelta(days=7)),
    "30d": ("30 days", timedelta(days=30)),
}
"""What a reader may choose, each in words."""
USUAL = "24h"
_COUNTS = (
    ("legacy_untracked", "Legacy untracked", "old, never recorded: shown again and again"),
    ("storage", "Storage", "unseen for now, and rightly still offered"),
    ("fresh", "Fresh", "new, nobody is expected to have seen them"),
    ("tracked", "Tracked", "seen and recorded"),
)
"""Key, name and meaning of each, in the order in which they are shown."""
WIDTH, HEIGHT = 600, 100
"""Of a drawing, in its own units: it is scaled to its place."""
TABLE_ROWS = 24
"""As many as a person reads."""


@dataclass(frozen=True, slots=True)
class Count:
    """One of the four."""

    key: str
    name: str
    number: int
    share: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Counts:
    """All four, over one snapshot of the database."""

    census: Census
    stale: bool
    """Not to be shown as how things are."""
    counts: tuple[Count, ...]
    users: AffectedUsers | None
    suspicion: str
    """Why the counts may not mean what they say; empty where nothing says so."""


def counts_of(status: Status, now: float) -> Counts | None:
    """The newest census as it is at `now` on the monotonic clock, or None before the first."""
    census = status.census
    if census is None:
        return None
    # What a database says that can't be reached is how things were.
    stale = current_census(status, now) is None or not status.database_up
    counts = tuple(
        Count(key, name, number, share(number, census.pairs), meaning)
        for key, name, meaning in _COUNTS
        for number in [int(getattr(census, key))]
    )
    users, suspicion = current_users(status, now), status.examination.suspicion
    return Counts(census, stale, counts, users, suspicion)


@dataclass(frozen=True, slots=True)
class Line:
    """One count over time, drawn without a script."""

    key: str
    name: str
    points: str
    """For <polyline>."""
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """The four lines, and a few of their points as a table."""

    lines: tuple[Line, ...]
    points: tuple[CensusPoint, ...]
    table: tuple[CensusPoint, ...]
    """Newest first."""


def with_newest(
    points: Sequence[CensusPoint], census: Census | None, span: timedelta
) -> tuple[CensusPoint, ...]:
    """The points that were read a while ago, and the newest census behind them."""
    if census is None or (points and points[-1].as_of >= census.as_of):
        return tuple(points)
    begin = census.as_of - span
    return (*(point for point in points if point.as_of >= begin), point_of(census))


def point_of(census: Census) -> CensusPoint:
    """A census as a point."""
    return CensusPoint(
        census.as_of, census.tracked, census.fresh, census.storage, census.legacy_untracked
    )


def chart(points: Sequence[CensusPoint]) -> Chart | None:
    """The drawing; None where fewer than two points make no line."""
    if len(points) < 2:  # noqa: PLR2004 - a line has two ends
        return None
    lines = tuple(_line(key, name, points) for key, name, _ in _COUNTS)
    return Chart(lines, tuple(points), _few(points))


def _line(key: str, name: str, points: Sequence[CensusPoint]) -> Line:
    values = tuple(int(getattr(point, key)) for point in points)
    # What is counted from nought is drawn from there; the mass of what is seen would be flat.
    floor = min(values) if key == "tracked" else 0
    start = points[0].as_of.timestamp()
    duration = max(points[-1].as_of.timestamp() - start, 1e-9)
    height = max(max(values) - floor, 1)
    drawn = " ".join(
        f"{(point.as_of.timestamp() - start) / duration * WIDTH:.1f},"
        f"{HEIGHT - (value - floor) / height * HEIGHT:.1f}"
        for point, value in zip(points, values, strict=True)
    )
    return Line(key, name, drawn, values)


def _few(points: Sequence[CensusPoint]) -> tuple[CensusPoint, ...]:
    """Of each part that with the most legacy pairs, as everywhere; the newest first."""
    size = -(-len(points) // TABLE_ROWS)
    parts = [points[at : at + size] for at in range(0, len(points), size)]
    few = [max(part, key=lambda p: (p.legacy_untracked, p.as_of)) for part in parts]
    return tuple(reversed(few))
