"""One batch: impressions, ledger rows, cursor and counters, committed together or not at all."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from checks.errors import RefusedError
from monitor.config.types import MaintenanceWindow
from monitor.database import transaction
from monitor.healing.inserts import Inserts
from monitor.healing.statements import HealingStatements
from monitor.healing.traffic import Traffic
from monitor.healing.waits import Waited, keep_waits
from monitor.healing.windows import MAX_USERS, Window, WorkItem, next_window
from monitor.state.counters import (
    HEAL_IMPRESSIONS,
    add_to_counters,
    batch_observation,
)
from monitor.state.runs import Run, RunKind


class LeaseLostError(RefusedError):
    """Another process has taken the run over; nothing was written."""

    code = "lease_lost"


class HoldError(RefusedError):
    """The run is put down here: paused, or outside the window. Nothing was written."""

    code = "held"


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """What every batch obeys."""

    statement_timeout: timedelta
    lock_timeout: timedelta
    lease: timedelta
    window: MaintenanceWindow | None = None
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Batch:
    """A committed batch. Seconds include the commit, which the record in the database can't."""

    number: int
    inserted: int
    users: int
    position: int
    seconds: float
    total_inserted: int
    at: datetime
    blocked: int = 0
    """The most sessions of others that waited for this batch at one moment."""
    quarantined: int = 0
    """Pairs that were put aside instead."""


def paused_sentence(reason: str) -> str:
    """Why nothing is written while paused."""
    return f"Paused: {reason or 'no reason given'}. `conservator resume` ends the pause."


class BatchWriter:
    """Writes the batches of runs on one database."""

    def __init__(
        self,
        engine: AsyncEngine,
        statements: HealingStatements,
        settings: BatchSettings,
        traffic: Traffic,
    ) -> None:
        self._engine = engine
        self._statements = statements
        self._settings = settings
        self._traffic = traffic
        self._inserts = Inserts(statements)
        self._slice = statements.state.text("work_slice")
        self._text = {
            name: statements.text(name) for name in ("batch_begin", "batch_advance", "batch_record")
        }

    async def write(self, run: Run, *, size: int, waited: Waited) -> Batch | None:
        """Write the next batch of at most about `size` rows; None at the end of the work list.

        With a `size` of one, a pair that the database refuses is put aside.

        Where the run stands is read inside the transaction, so that a batch whose commit was
        answered by silence is neither lost nor repeated. Raises LeaseLostError, HoldError, or
        what the database refuses.
        """
        started = time.perf_counter()
        async with transaction(
            self._engine,
            timeout=self._settings.statement_timeout,
            lock_timeout=self._settings.lock_timeout,
            # Whoever takes the run over must not wait for a process that hangs inside a batch.
            idle=self._settings.lease,
            # A batch is as good as its cursor, which a crash of the server would take back with
            # it: the run repeats it. The end of a run waits for the disk, and so for every batch.
            waits_for_disk=False,
        ) as connection:
            begun = await self._begin(connection, run)
            window = await self._window(connection, run, begun, size)
            if window is None:
                return None
            async with self._traffic.watch(begun.backend) as watched:
                batch = await self._fill(connection, run, begun, window, waited, started)
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
        if begun.breaker_open:
            raise HoldError(f"The breaker is open: {begun.breaker_reason}")
        window = self._settings.window
        if run.kind is RunKind.HEAL and window is not None:
            local = begun.now.astimezone(ZoneInfo(self._settings.timezone))
            if not window.contains(local.time()):
                raise HoldError(f"It is {local:%H:%M}; the window for healing is {window}.")
        return begun

    async def _window(
        self, connection: AsyncConnection, run: Run, begun: Row[Any], size: int
    ) -> Window | None:
        rows = await connection.exec_driver_sql(
            self._slice, {"run_id": run.id, "position": begun.position, "limit": MAX_USERS}
        )
        items = [WorkItem(int(row.position), int(row.planned), row.user_id) for row in rows]
        left = max(0, run.planned_rows - begun.inserted)
        if begun.artwork_cursor is not None and items and left:
            # The first user was taken in part: go on with it alone, whatever it has left.
            return Window(items[0].position, 1, min(size, left), splits=True, ids=(items[0].user,))
        return next_window(items, size, left)

    async def _fill(
        self,
        connection: AsyncConnection,
        run: Run,
        begun: Row[Any],
        window: Window,
        waited: Waited,
        started: float,
    ) -> Batch:
        done = await self._inserts.write(connection, run, begun, window)
        # A part that fills the plan is the user's last, too.
        planned_left = run.planned_rows - begun.inserted - done.rows
        unfinished = window.splits and not done.ends_user and planned_left > 0
        position = begun.position if unfinished else window.until
        seconds = time.perf_counter() - started
        number = begun.batches + 1
        await connection.exec_driver_sql(
            self._text["batch_record"],
            {
                "run_id": run.id,
                "number": number,
                "started_at": begun.now,
                "seconds": seconds,
                "users": window.users,
                "inserted": done.rows,
            },
        )
        await connection.exec_driver_sql(
            self._text["batch_advance"],
            {
                "run_id": run.id,
                "position": position,
                "artwork_cursor": done.last_artwork if unfinished else None,
                "inserted": done.rows,
                "quarantined": done.quarantined,
                "seconds": seconds,
                "waited": waited.total,
                "lease": self._settings.lease,
            },
        )
        await keep_waits(connection, self._statements.state, run.id, waited)
        added = {(HEAL_IMPRESSIONS, ""): float(done.rows), **batch_observation(seconds)}
        await add_to_counters(connection, self._statements.state, added)
        return Batch(
            number=number,
            inserted=done.rows,
            users=window.users,
            position=position,
            seconds=seconds,
            total_inserted=begun.inserted + done.rows,
            at=begun.now,
            quarantined=done.quarantined,
        )
