"""The counts over time, drawn as lines and written as a table for who has no script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from checks.census import Census
from monitor.state.history import CensusPoint

SPANS = {
    "6h": ("6 hours", timedelta(hours=6)),
    "24h": ("24 hours", timedelta(hours=24)),
    "7d": ("7 days", timedelta(days=7)),
    "30d": ("30 days", timedelta(days=30)),
}
"""What a reader may choose, each in words."""
USUAL = "24h"
SERIES = (
    ("legacy_untracked", "Legacy untracked"),
    ("storage", "Storage"),
    ("fresh", "Fresh"),
    ("tracked", "Tracked"),
)
WIDTH, HEIGHT = 600, 100
"""Of a drawing, in its own units: it is scaled to its place."""
TABLE_ROWS = 24
"""As many as a person reads."""


@dataclass(frozen=True, slots=True)
class Line:
    """One count over time, drawn without a script."""

    key: str
    name: str
    points: str
    """For <polyline>."""
    lowest: int
    highest: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Chart:
    """The four lines, and a few of their points as a table."""

    lines: tuple[Line, ...]
    table: tuple[CensusPoint, ...]
    """Newest first."""
    begins: datetime
    ends: datetime


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
    return Chart(
        lines=tuple(_line(key, name, points) for key, name in SERIES),
        table=_few(points),
        begins=points[0].as_of,
        ends=points[-1].as_of,
    )


def _line(key: str, name: str, points: Sequence[CensusPoint]) -> Line:
    values = [int(getattr(point, key)) for point in points]
    lowest, highest = min(values), max(values)
    # What is counted from nought is drawn from there; the mass of what is seen would be flat.
    floor = lowest if key == "tracked" else 0
    start = points[0].as_of.timestamp()
    duration = max(points[-1].as_of.timestamp() - start, 1e-9)
    height = max(highest - floor, 1)
    drawn = " ".join(
        f"{(point.as_of.timestamp() - start) / duration * WIDTH:.1f},"
        f"{HEIGHT - (value - floor) / height * HEIGHT:.1f}"
        for point, value in zip(points, values, strict=True)
    )
    return Line(key, name, drawn, lowest, highest, values[0], values[-1])


def _few(points: Sequence[CensusPoint]) -> tuple[CensusPoint, ...]:
    """Of each part that with the most legacy pairs, as everywhere; the newest first."""
    size = -(-len(points) // TABLE_ROWS)
    parts = [points[at : at + size] for at in range(0, len(points), size)]
    few = [max(part, key=lambda p: (p.legacy_untracked, p.as_of)) for part in parts]
    return tuple(reversed(few))
