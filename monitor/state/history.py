"""Censuses and decisions, a row each, kept as long as `history` says."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from checks.census import AffectedUsers, Census, none_affected
from monitor.policy.decision import Decision
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


async def record_decision(
    connection: AsyncConnection,
    statements: SchemaStatements,
    decision: Decision,
    *,
    legacy_untracked: int | None,
    run_id: int | None = None,
) -> None:
    """Keep a decision with its reason."""
    await statements.run(
        connection,
        "decision_insert",
        {
            "kind": decision.kind.value,
            "code": decision.code.value,
            "reason": decision.reason,
            "legacy_untracked": legacy_untracked,
            "run_id": run_id,
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
