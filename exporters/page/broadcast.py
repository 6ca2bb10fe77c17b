"""What open pages are told: one rendering a change for all of them, none while nobody looks.

A stream remembers which versions it was sent and takes the newest of the rest whenever it can, so
that a slow reader gets fewer events and never a queue.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import structlog

from exporters.page.views import Section
from monitor.state.history import CensusPoint
from monitor.status import StatusBoard

log = structlog.get_logger(__name__)

MAX_STREAMS = 256
MIN_INTERVAL_SECONDS = 0.5
"""Between two renderings: a heal writes batches faster than a person reads."""
MAX_INTERVAL_SECONDS = 5.0
"""So often without news: what gets too old does so without any."""


class TooManyStreamsError(Exception):
    """There are MAX_STREAMS open already."""


class BroadcastClosedError(Exception):
    """The service is stopping."""


@dataclass(frozen=True, slots=True)
class PageUpdate:
    """The page's parts as they are now."""

    sections: tuple[Section, ...]
    point: CensusPoint | None
    """The newest census, for the chart."""


class Subscriber:
    """One open page."""

    def __init__(self) -> None:
        self._sent: dict[str, str] = {}
        self._point: CensusPoint | None = None
        self.wake = asyncio.Event()

    def unsent(self, update: PageUpdate) -> PageUpdate:
        """What of the update this page hasn't been sent; it counts as sent now."""
        fresh = tuple(part for part in update.sections if self._sent.get(part.id) != part.version)
        self._sent.update({part.id: part.version for part in fresh})
        point = update.point if update.point != self._point else None
        self._point = update.point
        return PageUpdate(fresh, point)


class EventBroadcaster:
    """Renders when the snapshot changes, and wakes the streams."""

    def __init__(
        self,
        board: StatusBoard,
        render: Callable[[], Awaitable[PageUpdate]],
        *,
        max_streams: int = MAX_STREAMS,
        min_interval_seconds: float = MIN_INTERVAL_SECONDS,
        max_interval_seconds: float = MAX_INTERVAL_SECONDS,
    ) -> None:
        self._board = board
        self._render = render
        self.max_streams = max_streams
        self._min_interval_seconds = min_interval_seconds
        self._max_interval_seconds = max_interval_seconds
        self.subscribers: set[Subscriber] = set()
        self._changed = asyncio.Event()
        self._rendering: asyncio.Task[None] | None = None
        self.latest: PageUpdate | None = None
        self.closed = False

    @asynccontextmanager
    async def subscribe(self) -> AsyncIterator[Subscriber]:
        """A stream for one page. Raises TooManyStreamsError, BroadcastClosedError."""
        if self.closed:
            raise BroadcastClosedError
        if len(self.subscribers) >= self.max_streams:
            raise TooManyStreamsError
        subscriber = Subscriber()
        self.subscribers.add(subscriber)
        if self._rendering is None:
            self.latest = None
            self._rendering = asyncio.create_task(self._serve(), name="page-broadcast")
        elif self.latest is not None:
            subscriber.wake.set()
        try:
            yield subscriber
        finally:
            self.subscribers.discard(subscriber)
            if not self.subscribers:
                await self._stop_rendering()

    def wake(self) -> None:
        """Have every subscriber look whether it may go on, and what there is for it."""
        for subscriber in self.subscribers:
            subscriber.wake.set()

    async def close(self) -> None:
        """End all streams: each sees `closed` and says goodbye."""
        self.closed = True
        self.wake()
        await self._stop_rendering()

    async def _stop_rendering(self) -> None:
        rendering, self._rendering = self._rendering, None
        if rendering is not None:
            rendering.cancel()
            with suppress(asyncio.CancelledError):
                await rendering

    async def _serve(self) -> None:
        unsubscribe = self._board.subscribe(self._changed.set)
        try:
            while True:
                self._changed.clear()
                await self._publish()
                await asyncio.sleep(self._min_interval_seconds)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), self._max_interval_seconds)
        finally:
            unsubscribe()

    async def _publish(self) -> None:
        try:
            update = await self._render()
        except Exception:
            # A page that can't be drawn must not end the stream of those that will be.
            log.exception("page_not_drawn")
            return
        if update != self.latest:
            self.latest = update
            self.wake()
