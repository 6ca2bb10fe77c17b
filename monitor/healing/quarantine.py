"""Pairs that no run writes. Those that the database refuses: how they get into quarantine, how many
there are, and how they get out again. And those that are left alone: their row is there, does not
count, and nothing is configured that brings it to count."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
import structlog
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.census import Few, parameters
from checks.spec import Cutoffs
from monitor.healing.errors import TableRefusesError
from monitor.healing.sqlstates import refusal_sentence
from monitor.healing.statements import HealingStatements
from monitor.healing.strategy import OpenBatch

log = structlog.get_logger(__name__)

MAX_REFUSED = 100
"""Pairs of several users and artworks that a run puts into quarantine without having written any;
one more, and it is the table that refuses."""


@dataclass(frozen=True, slots=True)
class Unwritable:
    """Legacy pairs of the audience that a run would not write."""

    quarantined: int = 0
    """They wait in quarantine, and are not due to be tried again."""
    retry_at: datetime | None = None
    """When the first of these is tried again."""
    left_alone: int = 0

    @property
    def pairs(self) -> int:
        """All of them."""
        return self.quarantined + self.left_alone


async def put_in_quarantine(
    batch: OpenBatch, statements: HealingStatements, pair: Row[Any], refusal: psycopg.Error
) -> None:
    """Put a pair aside in the batch's transaction. Raises TableRefusesError where so many were
    refused that trying each would take days."""
    run_id, sentence = batch.run.id, refusal_sentence(refusal)
    ids = {"run_id": run_id, "user_id": pair.user_id, "artwork_id": pair.artwork_id}
    put = {**ids, "error": sentence, "now": batch.start.now}
    await statements.run(batch.connection, "quarantine_put", put)
    log.warning("pair_quarantined", **ids, error=sentence)
    if batch.start.inserted:
        return
    new = (await statements.run(batch.connection, "quarantine_new", {"run_id": run_id})).one()
    if new.pairs > MAX_REFUSED and min(new.users, new.artworks) > 1:
        raise TableRefusesError(
            f"{MAX_REFUSED} pairs of {new.users} users and {new.artworks} artworks were refused and"
            f" none was written, so it is the table that refuses: {sentence}. Change"
            " there what refuses them, or the values that catalog.impressions.defaults gives them;"
            " a run by hand then tries all of them again."
        )


async def count_unwritable(
    connection: AsyncConnection,
    statements: HealingStatements,
    cutoffs: Cutoffs,
    *,
    legacy: int | None = None,
    few: Few | None = None,
) -> Unwritable:
    """What an automatic run leaves out of the legacy pairs that a census counts. `legacy`: how many
    it counted; of none, none is looked for that is left alone. `few`: only these artworks are
    looked at."""
    values = {**parameters(cutoffs, few=few), "due_until": cutoffs.now}
    row = (await statements.run(connection, "quarantine_count", values)).one()
    left_alone = 0
    if legacy != 0:
        left_alone = await count_left_alone(connection, statements, cutoffs, few=few)
    return Unwritable(int(row.pairs), row.retry_at, left_alone)


async def count_unwritable_of_user(
    connection: AsyncConnection,
    statements: HealingStatements,
    cutoffs: Cutoffs,
    user_id: str,
    *,
    due_until: datetime,
) -> int:
    """The same for one user, in the audience or not: pairs to be tried again after `due_until`,
    and those that are left alone."""
    values = {**parameters(cutoffs), "due_until": due_until, "user_id": user_id}
    waiting = (await statements.run(connection, "quarantine_of_user", values)).scalar_one()
    return int(waiting) + await count_left_alone(connection, statements, cutoffs, user_id)


async def count_left_alone(
    connection: AsyncConnection,
    statements: HealingStatements,
    cutoffs: Cutoffs,
    user_id: str | None = None,
    *,
    few: Few | None = None,
) -> int:
    """The legacy pairs that are left alone: of the audience, or of one user; of `few`
    artworks, or of all. Needs no table of ours."""
    if not statements.state.catalogue.spec.impressions.leaves_alone:
        return 0
    text = statements.left_alone(of_user=user_id is not None, few=few is not None)
    values = {**parameters(cutoffs, few=few), "user_id": user_id}
    return int((await connection.exec_driver_sql(text, values)).scalar_one())


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
