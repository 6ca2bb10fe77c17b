"""Reads that callers cause: few at a time, and the same question once for all who wait for it.

A burst of them must not take the connections from census and healing. Who asks what somebody else
is already waiting to ask is answered with that; what has begun to be read is not shared, so that no
answer is older than the question.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar, cast

from checks.errors import BusyError
from monitor.deadlines import TURN_SECONDS

T = TypeVar("T")

MOST_WAITING = 256
"""Questions that wait; more are turned away at once."""


class Bulkhead:
    """Runs callers' questions, at most `places` at a time."""

    def __init__(
        self,
        places: int,
        *,
        patience_seconds: float = TURN_SECONDS,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        """`places`: questions that are read at a time."""
        self._places = asyncio.Semaphore(places)
        self._patience = patience_seconds
        self._most = most_waiting
        self._waiting: dict[Hashable, asyncio.Task[Any]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def tasks(self) -> tuple[asyncio.Task[Any], ...]:
        """What waits or is being read."""
        return tuple(self._tasks)

    async def ask(self, question: Hashable, read: Callable[[], Awaitable[T]]) -> T:
        """What `read` finds, in its turn. Raises what it raises, and BusyError."""
        task = self._waiting.get(question)
        if task is None:
            if len(self._waiting) >= self._most:
                raise BusyError("Too many questions wait already; ask again in a moment.")
            task = asyncio.create_task(self._in_turn(question, read), name="question")
            self._waiting[question] = task
            self._tasks.add(task)
            task.add_done_callback(self._done)
        # Shielded: who goes away takes the answer from nobody else.
        return cast(T, await asyncio.shield(task))

    async def _in_turn(self, question: Hashable, read: Callable[[], Awaitable[T]]) -> T:
        try:
            async with asyncio.timeout(self._patience):
                await self._places.acquire()
        except TimeoutError:
            raise BusyError(
                f"No turn came within {self._patience:g} s; ask again in a moment."
            ) from None
        finally:
            del self._waiting[question]
        try:
            return await read()
        finally:
            self._places.release()

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # seen, even where everybody who asked has gone away
