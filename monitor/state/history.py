"""Censuses, a row each; they, decisions and runs are kept as long as `history` says."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from checks.census import AffectedUsers, Census, none_affected
from monitor.state.statements import SchemaStatements


async def record_census(
    connection: AsyncConnection,
    statements: SchemaStatements,
    census: Census,
    users: AffectedUsers | None = None,
) -> None:
    """Keep a census, and how many users it affects where that was counted in its snapshot."""
    if users is None and census.legacy_untracked == 0:
        users = none_affected(census)
    await statements.run(
        connection,
        "census_insert",
        {
            "as_of": census.as_of,
            "form": census.form.value,
            "tracked": census.tracked,
            "fresh": census.fresh,
            "storage": census.storage,
            "legacy_untracked": census.legacy_untracked,
            "appeared": census.appeared,
            "legacy_artworks": census.legacy_artworks,
            "oldest_legacy_created": census.oldest_legacy_created,
            "audience": census.audience,
            "users": census.users,
            "seconds": census.duration_seconds,
            "users_affected": None if users is None else users.affected,
            "users_clear": None if users is None else users.clear,
            "users_seconds": None if users is None else users.duration_seconds,
        },
    )


async def prune(
    connection: AsyncConnection, statements: SchemaStatements, history: timedelta
) -> None:
    """Forget censuses, decisions and finished runs older than `history`; never the ledger."""
    # The ledger is asked run by run: one probe each, on whatever node its rows are.
    old = list(
        (await statements.run(connection, "history_old_runs", {"history": history})).scalars()
    )
    listed = []
    for run_id in old:
        found = await statements.run(connection, "history_listed", {"run_id": run_id})
        listed += list(found.scalars())
    await statements.run(connection, "history_prune", {"history": history, "listed": listed})
