"""Censuses, a row each; they, decisions and runs are kept as long as `history` says.

What is drawn of them are few enough points of the four counts over a span of time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from checks.affected import AffectedUsers, none_affected
from checks.census import Census
from checks.pipeline import send
from monitor.state.statements import SchemaStatements, parameters

MOST_POINTS = 300
"""More than a chart of ordinary width has room for."""
_RUNS_A_TRIP = 1000
"""Whose ledgers are asked for in one round trip."""


@dataclass(frozen=True, slots=True)
class CensusPoint:
    """The counts of one census that was really taken."""

    as_of: datetime
    tracked: int
    fresh: int
    storage: int
    legacy_untracked: int


async def record_census(
    connection: AsyncConnection,
    state: SchemaStatements,
    census: Census,
    users: AffectedUsers | None = None,
) -> None:
    """Keep a census, and how many users it affects where that was counted in its snapshot."""
    if users is None and census.legacy_untracked == 0:
        users = none_affected(census)
    values = parameters(census) | {
        "form": census.form.value,
        "users_affected": None if users is None else users.affected,
        "users_clear": None if users is None else users.clear,
        "users_seconds": None if users is None else users.duration_seconds,
    }
    await state.run(connection, "census_insert", values)


async def read_series(
    connection: AsyncConnection, state: SchemaStatements, span: timedelta
) -> tuple[CensusPoint, ...]:
    """At most MOST_POINTS censuses of the last `span`, oldest first; of each part of it that with
    the most legacy pairs."""
    return await state.list(connection, "census_series", CensusPoint, span=span, parts=MOST_POINTS)


async def prune(connection: AsyncConnection, state: SchemaStatements, history: timedelta) -> None:
    """Forget censuses, decisions and finished runs older than `history`; never the ledger."""
    old = list((await state.run(connection, "history_old_runs", {"history": history})).scalars())
    gone: list[int] = []
    for first in range(0, len(old), _RUNS_A_TRIP):
        some = old[first : first + _RUNS_A_TRIP]
        # The ledger is asked run by run: one probe each, on whatever node its rows are.
        probes = [state.statement("history_listed", {"run_id": run_id}) for run_id in some]
        found = await send(connection, probes)
        gone += [run_id for run_id, listed in zip(some, found, strict=True) if not listed]
    await state.run(connection, "history_prune", {"history": history, "gone": gone})
