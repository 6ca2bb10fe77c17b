"""One batch of an undo: impressions, ledger rows, cursor and counters, together or not at all."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from checks.relations import Engine
from monitor.database import set_local, transaction
from monitor.healing.batches import (
    Batch,
    BatchSettings,
    HoldError,
    LeaseLostError,
    paused_sentence,
)
from monitor.healing.statements import HealingStatements
from monitor.healing.traffic import Traffic
from monitor.healing.undo_rows import Deletes, Taken
from monitor.healing.waits import Waited, keep_waits
from monitor.state.counters import HEAL_UNDONE_IMPRESSIONS, add_to_counters, batch_observation
from monitor.state.runs import Run


class UndoWriter:
    """Writes the batches of undos on one database."""

    def __init__(
        self,
        engine: AsyncEngine,
        statements: HealingStatements,
        settings: BatchSettings,
        traffic: Traffic,
    ) -> None:
        self._engine = engine
        self._state = statements.state
        self._settings = settings
        self._traffic = traffic
        self._deletes = Deletes(statements)
        self._text = {
            name: statements.text(name) for name in ("batch_begin", "undo_advance", "batch_record")
        }

    @property
    def refusal(self) -> str | None:
        """What the database said to the last row that it refused to delete."""
        return self._deletes.refusal

    async def write(self, run: Run, *, size: int, waited: Waited) -> Batch | None:
        """Look at the next `size` rows of the ledger and take back what is untouched; None at its
        end. With a `size` of one, a row that the database refuses to delete is left where it is.

        Neither the window nor the breaker holds it. Raises LeaseLostError, HoldError, or what the
        database refuses.
        """
        started = time.perf_counter()
        async with transaction(
            self._engine,
            timeout=self._settings.statement_timeout,
            lock_timeout=self._settings.lock_timeout,
            idle=self._settings.lease,
            # As for a heal: a crash of the server takes back whole batches with their cursor.
            waits_for_disk=False,
        ) as connection:
            begun = await self._begin(connection, run)
            if self._state.catalogue.engine is Engine.POSTGRESQL:
                await set_local(connection, enable_hashjoin="off", enable_mergejoin="off")
            async with self._traffic.watch(begun.backend) as watched:
                taken = await self._deletes.take(connection, run, begun, size)
                if taken is None:
                    return None
                batch = await self._keep(connection, run, begun, taken, waited, started)
        return replace(batch, seconds=time.perf_counter() - started, blocked=watched.blocked)

    async def _begin(self, connection: AsyncConnection, run: Run) -> Row[Any]:
        result = await connection.exec_driver_sql(
            self._text["batch_begin"], {"run_id": run.id, "token": run.token}
        )
        begun = result.one_or_none()
        if begun is None:
            raise LeaseLostError(
                f"Run {run.id} is no longer held by this process: it was taken over or ended."
            )
        if begun.paused:
            raise HoldError(paused_sentence(begun.paused_reason))
        return begun

    async def _keep(
        self,
        connection: AsyncConnection,
        run: Run,
        begun: Row[Any],
        taken: Taken,
        waited: Waited,
        started: float,
    ) -> Batch:
        seconds = time.perf_counter() - started
        number = begun.batches + 1
        await connection.exec_driver_sql(
            self._text["batch_record"],
            {
                "run_id": run.id,
                "number": number,
                "started_at": begun.now,
                "seconds": seconds,
                "users": taken.users,
                "inserted": taken.rows,
            },
        )
        await connection.exec_driver_sql(
            self._text["undo_advance"],
            {
                "run_id": run.id,
                "user_cursor": taken.last_user,
                "artwork_cursor": taken.last_artwork,
                "cleared": taken.cleared,
                "taken": taken.rows,
                "seconds": seconds,
                "waited": waited.total,
                "lease": self._settings.lease,
            },
        )
        await keep_waits(connection, self._state, run.id, waited)
        added = {(HEAL_UNDONE_IMPRESSIONS, ""): float(taken.rows), **batch_observation(seconds)}
        await add_to_counters(connection, self._state, added)
        return Batch(
            number=number,
            inserted=taken.rows,
            users=taken.users,
            position=begun.position + taken.cleared,
            seconds=seconds,
            total_inserted=begun.inserted + taken.rows,
            at=begun.now,
        )
