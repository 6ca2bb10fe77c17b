"""The records of one batch, from where its run stands to what was committed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.config.types import MaintenanceWindow
from monitor.database import sqlstate
from monitor.healing.sqlstates import is_row_error
from monitor.state.runs import Run

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """What every batch obeys."""

    statement_timeout: timedelta
    lock_timeout: timedelta
    lease: timedelta
    window: MaintenanceWindow | None = None
    """The hours in which runs over the audience heal; None: any."""
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class BatchStart:
    """Where a run stands, read under the lock of its row, and what people have switched."""

    position: int
    artwork_cursor: object | None
    user_cursor: object | None
    inserted: int
    """Rows that its batches have written so far."""
    batches: int
    paused: bool
    paused_reason: str
    breaker_open: bool
    """And the run may not go beyond it."""
    breaker_reason: str
    now: datetime
    """The database's clock."""
    backend: int
    """The server process of the batch."""
    quarantine: bool
    """Some pairs are in quarantine, due or not."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a batch did to the app's rows, and where the run stands behind it."""

    rows: int
    """Impressions written; of an undo, deleted."""
    users: int
    position: int
    cursor: Mapping[str, object]
    """Bound to the statement that moves the strategy's cursor."""
    quarantined: int = 0
    """Pairs that the database refused, and that are in quarantine now."""


class RowWriter(Protocol):
    """Writes the rows of one kind of run and their ledger, in the transactions of batches."""

    async def write(
        self, connection: AsyncConnection, run: Run, start: BatchStart, size: int
    ) -> Written | None:
        """Write the next rows behind the cursor, at most about `size`; None at the end of a pass.

        Raises what the database refuses. With a `size` of one, it passes over a row instead, and
        the transaction goes on.
        """
        ...


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
    """Pairs that were put into quarantine instead."""


async def write_or_refusal(
    connection: AsyncConnection, write: Callable[[], Awaitable[_T]]
) -> _T | DBAPIError:
    """What `write` returns, behind a savepoint; or the error by which the database refuses its row.

    Raises errors that speak of no row.
    """
    try:
        async with connection.begin_nested():
            done = await write()
            # A deferred constraint would speak up at the commit, and lose the batch.
            await connection.exec_driver_sql("SET CONSTRAINTS ALL IMMEDIATE")
            return done
    except DBAPIError as error:
        if not is_row_error(sqlstate(error)):
            raise
        return error
