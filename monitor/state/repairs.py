"""What is kept of repairs beside their runs: which are suspended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.state.runs import Run, make_run
from monitor.state.statements import SchemaStatements


@dataclass(frozen=True, slots=True)
class RepairControl:
    """What people have switched for one repair."""

    repair: str
    suspended: bool = False
    """It starts by itself no more; a person may start it."""
    suspended_reason: str = ""
    suspended_at: datetime | None = None


async def read_repair_controls(
    connection: AsyncConnection, state: SchemaStatements
) -> dict[str, RepairControl]:
    """By name; a repair that nobody has switched is left out."""
    found = await state.list(connection, "repair_controls", RepairControl)
    return {one.repair: one for one in found}


async def suspend_repair(
    connection: AsyncConnection, state: SchemaStatements, repair: str, reason: str
) -> None:
    """No automatic run of it starts from here on."""
    await state.run(connection, "repair_suspend", {"repair": repair, "reason": reason})


async def resume_repair(connection: AsyncConnection, state: SchemaStatements, repair: str) -> bool:
    """End its suspension; False where there was none."""
    done = await state.run(connection, "repair_resume", {"repair": repair})
    return done.rowcount == 1


async def last_runs(connection: AsyncConnection, state: SchemaStatements) -> dict[str, Run]:
    """The newest run of each repair that has any."""
    found = await state.list(connection, "repair_last_runs", make_run)
    return {str(run.repair): run for run in found}
