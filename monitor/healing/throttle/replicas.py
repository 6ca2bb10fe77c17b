"""The standbys as the primary sees them in pg_stat_replication."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.statements import render
from monitor.database import snapshot
from monitor.healing.throttle.model import Replica, Unknown

PACKAGE = "monitor.healing.throttle"


async def read_replicas(engine: AsyncEngine, *, timeout: timedelta) -> tuple[Replica, ...]:
    """Every standby that is connected. Raises DatabaseUnavailableError, StatementError."""
    async with snapshot(engine, timeout=timeout) as connection:
        rows = await connection.exec_driver_sql(render(PACKAGE, "replicas", {}))
        return tuple(_replica(row) for row in rows)


def _replica(row: Row[Any]) -> Replica:
    # Standbys that were not named are all called "walreceiver".
    name = f"{row.name or 'standby'}" + (f" ({row.address})" if row.address else "")
    lag: int | Unknown
    if not row.readable:
        lag = Unknown(
            f"How far replica {name} is behind can't be read by this role:"
            f" GRANT pg_monitor TO {row.role};"
        )
    elif not row.reported:
        lag = Unknown(f"Replica {name} has just connected and not yet said how far it is.")
    else:
        lag = int(row.lag_bytes)
    return Replica(name, None if row.lag_seconds is None else float(row.lag_seconds), lag)
