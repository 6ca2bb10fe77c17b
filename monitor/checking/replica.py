"""Which server the checks read: the replica while it keeps up, else the primary, and says so.

A reader asks the primary what time it is and how far it has written, waits until the replica has
replayed that much, and only then reads there: what it sees is never older than the moment at which
it began. Unknown means the primary.

    following ── not caught up within max_replica_lag, unreachable, or no replica at all ──> left
    left ─────── caught up at a short look ──────────────────────────────────────────────> following

Nothing is kept but which of the two it is, so a process that dies here leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from checks.errors import ConservatorError, DatabaseUnavailableError
from checks.halves import SideBySide
from checks.judgement import Measurement
from checks.row_security import RowGuard
from checks.statements import render
from monitor.database import (
    again_if_lost,
    database_now,
    side_by_side,
    snapshot,
    when_unlocked,
)
from monitor.database_errors import sqlstate
from monitor.deadlines import (
    REPLICA_FIRST_PAUSE_SECONDS,
    REPLICA_LONGEST_PAUSE_SECONDS,
    REPLICA_LOOK_SECONDS,
)
from monitor.status import StatusBoard

log = structlog.get_logger(__name__)

PACKAGE = "monitor.checking"
CONFLICT = "40001"
"""SQLSTATE of a query that a replica cancels because replay needs what it reads."""
LEFT = "Read on the primary:"

T = TypeVar("T")
Work = Callable[[AsyncConnection, datetime], Awaitable[T]]
"""What is read, in one snapshot, by the primary's clock."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where the primary is."""

    now: datetime
    lsn: str
    system: int
    """What initdb called the cluster; its replicas are called the same."""
    started_at: datetime


@dataclass(frozen=True, slots=True)
class ReplicaRouter:
    """The server that checks read."""

    primary: AsyncEngine
    replica: AsyncEngine
    """`primary` where none is configured."""
    board: StatusBoard
    max_lag: timedelta
    lock_timeout: timedelta = timedelta(milliseconds=500)

    async def read(
        self, work: Work[T], *, timeout: timedelta, rows: RowGuard | None
    ) -> tuple[T, str]:
        """What `work` finds, and why it was read on the primary although a replica is configured;
        empty where it was not.

        `work` may be run several times: a table that somebody changes or waits to change is waited
        for with nothing held. Raises what it raises, DatabaseUnavailableError where the primary
        can't be reached.
        """
        return await when_unlocked(partial(self._read, work, timeout, rows), within=timeout)

    async def _read(
        self, work: Work[T], timeout: timedelta, rows: RowGuard | None
    ) -> tuple[T, str]:
        if self.replica is self.primary:
            return await self._on_primary(work, timeout, rows), ""
        position, problem = await self.check_replica(timeout)
        if position is not None and not problem:
            try:
                guard = None if rows is None else rows.elsewhere
                async with self._snapshot(self.replica, timeout, guard) as connection:
                    return await work(connection, position.now), ""
            except ConservatorError as error:
                away = isinstance(error, DatabaseUnavailableError)
                if not away and sqlstate(error) != CONFLICT:
                    raise
                problem = f"the replica gave up: {_naming_read_url(error)}"
                self._publish(problem)
        return await self._on_primary(work, timeout, rows), f"{LEFT} {problem}"

    async def check_replica(self, timeout: timedelta) -> tuple[Position | None, str]:
        """Where the primary is, where that can be told, and why the replica can't be read now;
        empty: it can, and has all that the primary had. Raises DatabaseUnavailableError where the
        primary can't be reached."""
        position = None
        try:
            position = await self._position(timeout)
            problem = await self._wait_for(position, timeout)
        except ConservatorError as error:
            if position is None and isinstance(error, DatabaseUnavailableError):
                raise
            problem = f"the replica can't be read. {_naming_read_url(error)}"
        self._publish(problem)
        return position, problem

    async def _position(self, timeout: timedelta) -> Position:
        async with snapshot(self.primary, timeout=timeout) as connection:
            rows = await connection.exec_driver_sql(render(PACKAGE, "primary_position", {}))
            return Position(**rows.one()._mapping)

    async def _on_primary(self, work: Work[T], timeout: timedelta, rows: RowGuard | None) -> T:
        async def read() -> T:
            async with self._snapshot(self.primary, timeout, rows) as connection:
                return await work(connection, await database_now(connection))

        return await again_if_lost(read)

    def side_by_side(
        self, connection: AsyncConnection, timeout: timedelta, rows: RowGuard
    ) -> SideBySide:
        """Two sessions on the server of `connection`, which `read` gave."""
        guard = rows if connection.engine is self.primary else rows.elsewhere
        return partial(side_by_side, connection, timeout=timeout, rows=guard)

    def _snapshot(
        self, engine: AsyncEngine, timeout: timedelta, rows: RowGuard | None
    ) -> AbstractAsyncContextManager[AsyncConnection]:
        return snapshot(engine, timeout=timeout, lock_timeout=self.lock_timeout, rows=rows)

    async def _wait_for(self, position: Position, timeout: timedelta) -> str:
        """Empty once the replica has replayed what the primary had written."""
        patience = min(self.max_lag, timeout).total_seconds()
        if self.board.current.reading_replica is False:
            patience = min(patience, REPLICA_LOOK_SECONDS)
        deadline, pause = time.monotonic() + patience, REPLICA_FIRST_PAUSE_SECONDS
        statement = render(PACKAGE, "replica_position", {})
        while True:
            # A transaction for each look: a snapshot that waits would itself hold replay up.
            async with snapshot(self.replica, timeout=timeout) as connection:
                found = (await connection.exec_driver_sql(statement, {"lsn": position.lsn})).one()
            if not found.in_recovery and found.started_at == position.started_at:
                return ""  # database.read_url leads to the primary itself
            if not found.in_recovery or found.system != position.system:
                return (
                    "database.read_url leads to a server that is no replica of database.url's:"
                    " point it at a streaming replica, or leave it out."
                )
            if found.caught_up:
                return ""
            left = deadline - time.monotonic()
            if left <= 0:
                return self._behind(found.bytes_behind, paused=found.paused)
            await asyncio.sleep(min(pause, left))
            pause = min(pause * 1.5, REPLICA_LONGEST_PAUSE_SECONDS)

    def _behind(self, bytes_behind: int, *, paused: bool) -> str:
        limit = f"{self.max_lag.total_seconds():g} s"
        why = "its replay is paused" if paused else "it is too slow, or cut off"
        return (
            f"stale: the replica is {bytes_behind:,} bytes behind and did not catch up in time"
            f" (healing.pace.max_replica_lag: {limit}); {why}."
        )

    def _publish(self, problem: str) -> None:
        """Which of the two is read; a change is one line in the log."""
        reading = not problem
        before = self.board.current.reading_replica
        if reading is not before:
            if reading:
                log.info("replica_read")
            else:
                log.warning("replica_left", reason=problem)
        self.board.update(reading_replica=reading, reading_problem=problem)


def with_source_note(measured: Measurement, note: str) -> Measurement:
    """The same, with where it was read where that has to be said."""
    return replace(measured, message=f"{measured.message} {note}".strip())


def _naming_read_url(error: ConservatorError) -> str:
    """What the error says, with the setting that names this server."""
    return str(error).replace("database.url", "database.read_url")
