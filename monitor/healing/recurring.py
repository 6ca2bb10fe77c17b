"""Recurring pairs: legacy although everything was healed before, and not merely aged since."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from checks.census import parameters
from checks.spec import Cutoffs
from monitor.healing.statements import HealingStatements
from monitor.state.control import Control

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


async def count_recurring(
    connection: AsyncConnection,
    statements: HealingStatements,
    cutoffs: Cutoffs,
    control: Control,
) -> int:
    """Legacy pairs behind the last verified cutoff, of users that were enrolled before that heal.

    0 before the first verified heal. Costs several censuses: ask where the census found any that
    `appeared`, which also counts the pairs of users who joined since.
    """
    if control.verified_until is None or control.verified_at is None:
        return 0
    behind = replace(cutoffs, legacy_until=min(cutoffs.legacy_until, control.verified_until))
    result = await connection.exec_driver_sql(
        statements.text("plan_recurring"),
        # All that is put aside is left out, due to be tried again or not.
        {**parameters(behind), "verified_at": control.verified_at, "due_until": _LONG_AGO},
    )
    return int(result.scalar_one())
