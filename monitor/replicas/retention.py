"""Nothing stays here that the app has erased: users, and the ledger rows of their impressions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.relations import Engine
from checks.spec import Cutoffs
from monitor.database import database_now
from monitor.deadlines import SWEEP_SECONDS
from monitor.healing.quarantine import prune_quarantine
from monitor.runtime import Runtime
from monitor.state.elsewhere import impressions_elsewhere, users_elsewhere

log = structlog.get_logger(__name__)

STEP_ROWS = 10_000
"""Ledger rows examined in one transaction: an index probe each, well below 100 ms."""

Confirm = Callable[[AsyncConnection], Awaitable[None]]


async def forget_erased(runtime: Runtime, confirm: Confirm) -> None:
    """Forget users, and quarantined pairs, that the app has no more.

    `confirm` is called last in every transaction, and raises where this process may not write.
    """
    async with runtime.transaction(rows=runtime.rows) as connection:
        state = runtime.state
        elsewhere = await users_elsewhere(connection, state.catalogue, state.state_schema)
        # In two steps, because Citus takes no statement that changes ours and asks the nodes.
        erased = await state.run(connection, "erased_users")
        names = {"erased": list(erased.scalars()), "elsewhere": elsewhere}
        await state.run(connection, "forget_users", names)
        cutoffs = Cutoffs.at(await database_now(connection), runtime.settings.pools_spec())
        await prune_quarantine(connection, runtime.healing, cutoffs)
        await confirm(connection)


async def sweep_ledger(
    runtime: Runtime,
    confirm: Confirm,
    *,
    step: int = STEP_ROWS,
    seconds: float = SWEEP_SECONDS,
) -> int:
    """Walk on through the ledger until its end, or for `seconds`; the rows that were forgotten.

    Half of the time it rests. Where it stands is kept in the database.
    """
    until = time.monotonic() + seconds
    forgotten = 0
    while True:
        started = time.monotonic()
        more, gone = await _step(runtime, confirm, step)
        forgotten += gone
        if not more or time.monotonic() >= until:
            break
        await asyncio.sleep(time.monotonic() - started)
    if forgotten:
        log.info("ledger_swept", forgotten=forgotten)
    return forgotten


async def _step(runtime: Runtime, confirm: Confirm, rows: int) -> tuple[bool, int]:
    """Whether the ledger goes on behind this step, and how many rows of it were forgotten."""
    state = runtime.state
    async with runtime.transaction(rows=runtime.rows) as connection:
        place = (await state.run(connection, "ledger_place")).one()
        elsewhere = await impressions_elsewhere(connection, state.catalogue, state.state_schema)
        asked = {**place._mapping, "limit": rows, "elsewhere": elsewhere}
        if runtime.catalogue.engine is Engine.CITUS:
            users = await state.run(connection, "ledger_sweep_users", asked)
            asked["users"] = list(users.scalars())
        found = (await state.run(connection, "ledger_sweep", asked)).one()
        more = found.examined >= rows
        start = {"run_id": 0, "user_id": None, "artwork_id": None}
        reached = {name: getattr(found, name) for name in start}
        await state.run(connection, "ledger_place_set", reached if more else start)
        await confirm(connection)
    return more, int(found.forgotten)
