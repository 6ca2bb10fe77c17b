"""Signals between batches, blocked sessions while one is written."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

from sqlalchemy.ext.asyncio import AsyncEngine

from monitor.healing.throttle.blocking import watch_blocking
from monitor.healing.throttle.gather import Sources, gather_signals
from monitor.healing.throttle.model import BlockedSessions, Signals, Wait
from monitor.healing.throttle.throttle import ThrottleSettings, throttle

FRESH_SECONDS = 1.0
"""Batches may be short: signals younger than this are not asked for again."""

Gather = Callable[[], Awaitable[Signals]]


class Throttler:
    """Says when one run on one primary must wait, and watches over its batches."""

    def __init__(
        self,
        engine: AsyncEngine,
        sources: Sources,
        settings: ThrottleSettings,
        *,
        gather: Gather | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`gather` and `clock` stand in for the real ones."""
        self._engine = engine
        self._settings = settings
        self._gather = gather or (lambda: gather_signals(engine, sources))
        self._clock = clock
        self._signals: Signals | None = None
        self._asked = 0.0

    async def look(self, waiting: Wait | None) -> Wait | None:
        """Why the next batch must wait, or None; `waiting` is what the run waited for so far.

        A run that waits is always told the newest. Never raises for what the database or a server
        does: unknown means wait.
        """
        now = self._clock()
        if self._signals is None or waiting is not None or now - self._asked >= FRESH_SECONDS:
            self._signals = await self._gather()
            # From the end of the question: a slow source must not be asked without a break.
            self._asked = self._clock()
        return throttle(self._signals, self._settings, waiting)

    def watch(self, backend: int) -> AbstractAsyncContextManager[BlockedSessions]:
        """Look, as long as the block lasts, who waits for the server process `backend`."""
        return watch_blocking(self._engine, backend)
