"""Signals between two batches, and who waits for a batch while it is written."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog
from sqlalchemy import QueuePool
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.errors import ConservatorError
from checks.statements import render
from monitor.database import snapshot
from monitor.deadlines import (
    BLOCKING_FIRST_LOOK_SECONDS,
    BLOCKING_LOOK_SECONDS,
    BLOCKING_PATIENCE_SECONDS,
    BLOCKING_TIMEOUT,
    SIGNAL_FRESH_SECONDS,
)
from monitor.healing.throttle.signals import PACKAGE
from monitor.healing.throttle.throttle import Signals, ThrottleSettings, Wait, throttle

log = structlog.get_logger(__name__)


class Throttler:
    """Says when one run on one primary must wait."""

    def __init__(
        self,
        gather: Callable[[], Awaitable[Signals]],
        settings: ThrottleSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`gather` asks for all signals, and never raises for what is answered."""
        self._gather = gather
        self._settings = settings
        self._clock = clock
        self._signals: Signals | None = None
        self._asked = 0.0

    async def look(self, waiting: Wait | None) -> Wait | None:
        """Why the next batch must wait, or None; `waiting` is what the run waited for so far.

        A run that waits is always told the newest. Never raises for what the database or a server
        does: unknown means wait.
        """
        now = self._clock()
        if (
            self._signals is None
            or waiting is not None
            or now - self._asked >= SIGNAL_FRESH_SECONDS
        ):
            self._signals = await self._gather()
            # From the end of the question: a slow source must not be asked without a break.
            self._asked = self._clock()
        return throttle(self._signals, self._settings, waiting)


@dataclass(slots=True)
class BlockedSessions:
    """What was seen while one batch was written; complete once the watch has ended."""

    most: int = 0
    """The most sessions of others that waited for this batch at one moment."""


@asynccontextmanager
async def watch_blocking(engine: AsyncEngine, backend: int) -> AsyncIterator[BlockedSessions]:
    """Look again and again, as long as the block lasts, how many sessions wait for `backend`.

    What can't be seen is left unseen: a batch never waits for its watcher, and never fails by it.
    """
    blocked, over = BlockedSessions(), asyncio.Event()
    task = asyncio.create_task(_look(engine, backend, blocked, over), name="watch over a batch")
    try:
        yield blocked
    finally:
        over.set()
        # Let a look end by itself: to cancel a statement costs its connection.
        await asyncio.wait({task}, timeout=BLOCKING_PATIENCE_SECONDS)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _look(
    engine: AsyncEngine, backend: int, blocked: BlockedSessions, over: asyncio.Event
) -> None:
    statement = render(PACKAGE, "blocked_by", {})
    pause = BLOCKING_FIRST_LOOK_SECONDS
    while not await _is_over(over, pause):
        pause = BLOCKING_LOOK_SECONDS
        if not has_free_connection(engine):
            continue
        try:
            async with snapshot(engine, timeout=BLOCKING_TIMEOUT) as connection:
                result = await connection.exec_driver_sql(statement, {"backend": backend})
                blocked.most = max(blocked.most, result.scalar_one())
        except ConservatorError as error:
            log.debug("batch_not_watched", error=str(error))
            return


def has_free_connection(engine: AsyncEngine) -> bool:
    """Whether the pool gives a connection at once: with a pool of one, the batch holds it, and
    who waited for it would stand in the way of heartbeat and checks."""
    pool = engine.sync_engine.pool
    return not isinstance(pool, QueuePool) or pool.checkedout() < pool.size()


async def _is_over(over: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(over.wait(), timeout=seconds)
    except TimeoutError:
        return False
    return True
