"""How the four counts went over a span of time, as few enough points to draw."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.state.statements import SchemaStatements

MOST_POINTS = 300
"""More than a chart of ordinary width has room for."""


@dataclass(frozen=True, slots=True)
class CensusPoint:
    """The counts of one census that was really taken."""

    as_of: datetime
    tracked: int
    fresh: int
    storage: int
    legacy_untracked: int


async def read_series(
    connection: AsyncConnection, statements: SchemaStatements, span: timedelta
) -> tuple[CensusPoint, ...]:
    """At most MOST_POINTS censuses of the last `span`, oldest first; of each part of it that with
    the most legacy pairs."""
    values = {"span": span, "parts": MOST_POINTS}
    rows = await statements.run(connection, "census_series", values)
    return tuple(CensusPoint(**row._mapping) for row in rows)
