"""What is kept of pairs that the database refuses to take."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.state.statements import SchemaStatements

SHOWN = 20
"""So many pairs with their errors tell what is wrong."""


@dataclass(frozen=True, slots=True)
class QuarantinedPair:
    """A pair with what the database said when it was tried last. Ids as text."""

    user_id: str
    artwork_id: str
    run_id: int
    error: str
    attempts: int
    first_at: datetime
    last_at: datetime
    retry_at: datetime


async def first_refusal(
    connection: AsyncConnection, statements: SchemaStatements, run_id: int
) -> str | None:
    """What the database said to the first pair that this run has put aside."""
    found = await statements.run(connection, "quarantine_first", {"run_id": run_id})
    refusal: str | None = found.scalar_one_or_none()
    return refusal


async def count_quarantined(connection: AsyncConnection, statements: SchemaStatements) -> int:
    """All of them, due or not."""
    return int((await statements.run(connection, "quarantine_size")).scalar_one())


async def list_quarantined(
    connection: AsyncConnection, statements: SchemaStatements, *, run_id: int | None, limit: int
) -> tuple[QuarantinedPair, ...]:
    """At most `limit` pairs, those put aside last first; only those of one run, or of all."""
    rows = await statements.run(connection, "quarantine_list", {"run_id": run_id, "limit": limit})
    return tuple(QuarantinedPair(**row._mapping) for row in rows)
