"""A line for reads that people and programs ask for: few at a time, equal ones once.

A burst of callers must leave connections to the census and to healing. Who asks for what somebody
waits for already waits along; who asks for what is being read gets a reading of its own, so that
whoever has just written sees it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar, cast

from checks.errors import DatabaseUnavailableError

Result = TypeVar("Result")

AT_ONCE = 2
"""Of the pool's connections, 5 unless configured otherwise."""
PATIENCE_SECONDS = 15.0


class Line:
    """Reads by key, in the order in which they were first asked for."""

    def __init__(
        self, *, at_once: int = AT_ONCE, patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        self._places = asyncio.Semaphore(at_once)
        self._patience = patience_seconds
        self._waiting: dict[Hashable, asyncio.Task[Any]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def waiting(self) -> int:
        """Reads that have not begun."""
        return len(self._waiting)

    async def read(self, key: Hashable, reading: Callable[[], Awaitable[Result]]) -> Result:
        """The result of `reading`, or of an equal one that had not begun yet.

        A caller that goes away takes nothing from the others. Raises what the reading raises, and
        DatabaseUnavailableError where its turn does not come in time.
        """
        task = self._waiting.get(key)
        if task is None:
            task = self._waiting[key] = asyncio.create_task(self._turn(key, reading), name="read")
            self._tasks.add(task)
            task.add_done_callback(self._done)
        return cast(Result, await asyncio.shield(task))

    async def _turn(self, key: Hashable, reading: Callable[[], Awaitable[Result]]) -> Result:
        try:
            try:
                async with asyncio.timeout(self._patience):
                    await self._places.acquire()
            finally:
                del self._waiting[key]
        except TimeoutError:
            raise DatabaseUnavailableError(
                f"Too many readings wait for the database: no turn within {self._patience:g} s. Try"
                " again later."
            ) from None
        try:
            return await reading()
        finally:
            self._places.release()

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # known to whoever still waits
