"""Who waits for a batch while it is written. What can't be seen is left unseen: a batch never
waits for its watcher, and never fails by it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import structlog
from sqlalchemy import QueuePool
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.errors import ConservatorError
from checks.statements import render
from monitor.database import snapshot
from monitor.healing.throttle.model import BlockedSessions
from monitor.healing.throttle.replicas import PACKAGE

log = structlog.get_logger(__name__)

FIRST_LOOK_SECONDS = 0.1
"""A batch shorter than this is not worth a look, and nobody feels it."""
LOOK_SECONDS = 0.2
_TIMEOUT = timedelta(seconds=2)
_PATIENCE_SECONDS = 0.1
"""How long the end of a batch waits for a look under way; one takes a few milliseconds."""


@asynccontextmanager
async def watch_blocking(engine: AsyncEngine, backend: int) -> AsyncIterator[BlockedSessions]:
    """Look again and again, as long as the block lasts, how many sessions wait for `backend`."""
    blocked, over = BlockedSessions(), asyncio.Event()
    task = asyncio.create_task(_look(engine, backend, blocked, over), name="watch over a batch")
    try:
        yield blocked
    finally:
        over.set()
        # Let a look end by itself: to cancel a statement costs its connection.
        await asyncio.wait({task}, timeout=_PATIENCE_SECONDS)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _look(
    engine: AsyncEngine, backend: int, blocked: BlockedSessions, over: asyncio.Event
) -> None:
    statement = render(PACKAGE, "blocked_by", {})
    pause = FIRST_LOOK_SECONDS
    while not await _is_over(over, pause):
        pause = LOOK_SECONDS
        if not has_free_connection(engine):
            continue
        try:
            async with snapshot(engine, timeout=_TIMEOUT) as connection:
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
