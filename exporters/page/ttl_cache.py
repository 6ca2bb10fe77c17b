"""What pages read from the database: rarely, once for all who ask, and kept while it is away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from checks.errors import ConservatorError

Value = TypeVar("Value")
MAX_WAIT_SECONDS = 1.0
"""A page doesn't wait longer for what it can show from before."""


@dataclass(frozen=True, slots=True)
class CachedValue(Generic[Value]):
    """What was read last, and why it could not be read again."""

    value: Value
    error: str | None


class TtlCache(Generic[Value]):
    """One value, read again after some seconds, or at once when what it depends on has changed."""

    def __init__(
        self,
        read: Callable[[], Awaitable[Value]],
        first: Value,
        *,
        seconds: float,
        clock: Callable[[], float],
    ) -> None:
        self._read = read
        self._cached = CachedValue(first, None)
        self._seconds = seconds
        self._clock = clock
        self._asked_at: float | None = None
        self._key: Hashable = None
        self._reading: asyncio.Task[None] | None = None

    async def get(self, key: Hashable = None) -> CachedValue[Value]:
        """The value; never raises what the database says. `key`: what it depends on."""
        now = self._clock()
        old = self._asked_at is None or key != self._key or now - self._asked_at >= self._seconds
        if old and self._reading is None:
            self._asked_at, self._key = now, key
            self._reading = asyncio.create_task(self._read_again(), name="page-reads")
            self._reading.add_done_callback(self._done)
        if self._reading is not None:
            await asyncio.wait({self._reading}, timeout=MAX_WAIT_SECONDS)
        return self._cached

    async def close(self) -> None:
        """Don't read on."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait({self._reading})

    async def _read_again(self) -> None:
        try:
            self._cached = CachedValue(await self._read(), None)
        except ConservatorError as error:
            self._cached = CachedValue(self._cached.value, str(error))

    def _done(self, task: asyncio.Task[None]) -> None:
        self._reading = None
        if not task.cancelled() and (error := task.exception()) is not None:
            # Ours to mend, and not to be overlooked: the page says so, too.
            self._cached = CachedValue(
                self._cached.value, f"Reading failed: {type(error).__name__}."
            )
