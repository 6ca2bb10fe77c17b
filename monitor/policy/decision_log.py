"""Decisions, a row each, kept as long as `history` says."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.policy.decision import Decision
from monitor.state.statements import SchemaStatements


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
