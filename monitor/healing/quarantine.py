"""Pairs that the database refuses: how many there are, and how they get out again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from checks.census import parameters
from checks.spec import Cutoffs
from monitor.healing.statements import HealingStatements


@dataclass(frozen=True, slots=True)
class QuarantineCount:
    """Legacy pairs of the audience that wait in quarantine, and are not due to be tried again."""

    pairs: int = 0
    appeared: int = 0
    """Those behind the last verified cutoff."""
    retry_at: datetime | None = None
    """When the first of them is tried again."""


async def count_in_quarantine(
    connection: AsyncConnection,
    statements: HealingStatements,
    cutoffs: Cutoffs,
    verified_until: datetime | None,
) -> QuarantineCount:
    """What an automatic run leaves alone of the legacy pairs that a census counts."""
    values = {**parameters(cutoffs, verified_until), "due_until": cutoffs.now}
    row = (await statements.run(connection, "quarantine_count", values)).one()
    return QuarantineCount(int(row.pairs), int(row.appeared), row.retry_at)


async def count_in_quarantine_of_user(
    connection: AsyncConnection,
    statements: HealingStatements,
    cutoffs: Cutoffs,
    user_id: str,
    *,
    due_until: datetime,
) -> int:
    """The same for one user, in the audience or not: pairs to be tried again after `due_until`."""
    values = {**parameters(cutoffs), "due_until": due_until, "user_id": user_id}
    return int((await statements.run(connection, "quarantine_of_user", values)).scalar_one())


async def prune_quarantine(
    connection: AsyncConnection, statements: HealingStatements, cutoffs: Cutoffs
) -> None:
    """Forget the pairs that need no healing any more."""
    # In two steps, because Citus takes no statement that changes one of its own and asks the nodes.
    over = await statements.run(connection, "quarantine_over", parameters(cutoffs))
    found = over.all()
    if found:
        pairs = {"users": [f.user_id for f in found], "artworks": [f.artwork_id for f in found]}
        await statements.run(connection, "quarantine_drop", pairs)
