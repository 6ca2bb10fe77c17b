"""The once-flag of the per-user backfill: whether and when a user was backfilled."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.state.statements import SchemaStatements


@dataclass(frozen=True, slots=True)
class Backfilled:
    """The backfill that set the flag."""

    run_id: int
    inserted: int
    """Rows written."""
    backfilled_at: datetime


async def read_backfilled(
    connection: AsyncConnection, statements: SchemaStatements, user_id: str
) -> Backfilled | None:
    """The user's flag, or None where there is none. The id must be one that the column can hold."""
    found = await statements.run(connection, "backfilled_user_read", {"user_id": user_id})
    row = found.one_or_none()
    return None if row is None else Backfilled(row.run_id, row.inserted, row.backfilled_at)
