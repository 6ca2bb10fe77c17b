"""The history of one check: its results, and how its outcome changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.state.statements import SchemaStatements


@dataclass(frozen=True, slots=True)
class ResultRow:
    """One run of a check."""

    taken_at: datetime
    outcome: str
    value: float | None
    """None where it could not be evaluated, or was skipped."""
    seconds: float | None


@dataclass(frozen=True, slots=True)
class TransitionRow:
    """One change of a check's outcome."""

    changed_at: datetime
    before: str | None
    """None: it was the first result."""
    after: str
    value: float | None
    message: str


@dataclass(frozen=True, slots=True)
class CheckHistory:
    """Newest first."""

    results: tuple[ResultRow, ...]
    transitions: tuple[TransitionRow, ...]


async def read_history(
    connection: AsyncConnection, statements: SchemaStatements, name: str, *, limit: int
) -> CheckHistory:
    """At most `limit` results, and as many transitions; none for a name that never was."""
    asked = {"name": name, "limit": limit}
    results = await statements.run(connection, "check_results", asked)
    transitions = await statements.run(connection, "check_transitions", asked)
    return CheckHistory(
        tuple(ResultRow(**row._mapping) for row in results),
        tuple(TransitionRow(**row._mapping) for row in transitions),
    )
