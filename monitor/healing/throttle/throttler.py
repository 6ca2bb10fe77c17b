"""Signals between two batches, and who waits for a batch while it is written."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from sqlalchemy import QueuePool
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.errors import ConservatorError
from checks.pipeline import Statement
from checks.statements import render
from monitor.database import at_once
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
        self._asking: asyncio.Task[Signals] | None = None

    def look_ahead(self) -> None:
        """Begin to ask, where the next look would soon have to wait for an answer: a batch whose
        commit is under way leaves the time for it, however far the database is."""
        if self._asking is not None and self._asking.done():
            self._asking = None
        if self._asking is None and self._age >= SIGNAL_FRESH_SECONDS / 2:
            self._asking = asyncio.create_task(self._ask(), name="signals of the next batch")

    async def close(self) -> None:
        """No batch follows."""
        asking, self._asking = self._asking, None
        await _end(() if asking is None else (asking,))

    async def look(self, waiting: Wait | None) -> Wait | None:
        """Why the next batch must wait, or None; `waiting` is what the run waited for so far.

        A run that waits is always told the newest. Never raises for what the database or a server
        does: unknown means wait.
        """
        signals = self._signals
        if signals is None or waiting is not None or self._age >= SIGNAL_FRESH_SECONDS:
            signals = await self._newest()
        return throttle(signals, self._settings, waiting)

    @property
    def _age(self) -> float:
        return self._clock() - self._asked

    async def _newest(self) -> Signals:
        """The answer to what was asked ahead, where that is fresh; else to what is asked now."""
        asking, self._asking = self._asking, None
        if asking is not None:
            signals = await asking
            if self._age < SIGNAL_FRESH_SECONDS:
                return signals
        return await self._ask()

    async def _ask(self) -> Signals:
        signals = self._signals = await self._gather()
        # From the end of the question: a slow source must not be asked without a break.
        self._asked = self._clock()
        return signals


class BlockingWatch:
    """Looks again and again, while batches of a run are open, how many sessions wait for them.

    What can't be seen is left unseen: a batch never waits for its watcher, and never fails by it. A
    look under way when its batch ends goes on by itself; what it saw is told with the next batch.
    """

    def __init__(self, engine: AsyncEngine, state_schema: str) -> None:
        self._engine = engine
        self._asking = Statement(render(PACKAGE, "blocked_by", {}), {"state": state_schema})
        self._most = 0
        self._open = 0
        self._over = asyncio.Event()
        self._looks: set[asyncio.Task[None]] = set()

    @contextmanager
    def over(self) -> Iterator[None]:
        """Watch a batch as long as the block lasts."""
        if not self._open:
            self._over = asyncio.Event()
        self._open += 1
        # One look at a time, however far the database is: the one before may still be under way.
        if all(look.done() for look in self._looks):
            task = asyncio.create_task(self._look(), name="watch over batches")
            self._looks.add(task)
            task.add_done_callback(self._looks.discard)
        try:
            yield
        finally:
            self._open -= 1
            if not self._open:
                self._over.set()

    def seen(self) -> int:
        """The most sessions of others that waited at one moment, since this was asked last."""
        seen, self._most = self._most, 0
        return seen

    async def close(self) -> None:
        """No batch follows."""
        await _end(tuple(self._looks))

    async def _look(self) -> None:
        pause = BLOCKING_FIRST_LOOK_SECONDS
        while self._open:
            if await _is_over(self._over, pause):
                # Another may have begun before this one is told.
                pause = BLOCKING_FIRST_LOOK_SECONDS
                continue
            pause = BLOCKING_LOOK_SECONDS
            if free_connections(self._engine) < 1:
                continue
            try:
                (((found,),),) = await at_once(
                    self._engine, self._asking, timeout=BLOCKING_TIMEOUT, read_only=True
                )
                self._most = max(self._most, found)
            except ConservatorError as error:
                log.debug("batch_not_watched", error=str(error))
                return


async def _end(looks: Collection[asyncio.Task[Any]]) -> None:
    """Let them end by themselves for a moment: to cancel a statement costs its connection."""
    if looks:
        await asyncio.wait(looks, timeout=BLOCKING_PATIENCE_SECONDS)
    for task in looks:
        task.cancel()
    await asyncio.gather(*looks, return_exceptions=True)


def free_connections(engine: AsyncEngine) -> float:
    """How many connections the pool gives at once: with a pool of one, the batch holds it, and
    who waited for it would stand in the way of heartbeat and checks."""
    pool = engine.sync_engine.pool
    return pool.size() - pool.checkedout() if isinstance(pool, QueuePool) else math.inf


async def _is_over(over: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(over.wait(), timeout=seconds)
    except TimeoutError:
        return False
    return True
