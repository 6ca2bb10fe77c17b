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

from exporters.page.sections import Section
from monitor.state.history import CensusPoint
from monitor.status import StatusBoard

log = structlog.get_logger(__name__)

MOST_STREAMS = 256
GAP_SECONDS = 0.5
"""Between two renderings: a heal writes batches faster than a person reads."""
LOOK_SECONDS = 5.0
"""So often without news: what gets too old does so without any."""


class FullError(Exception):
    """There are MOST_STREAMS open already."""


class ClosedError(Exception):
    """The service is stopping."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """The page's parts as they are now."""

    sections: tuple[Section, ...]
    point: CensusPoint | None
    """The newest census, for the chart."""


class Stream:
    """One open page."""

    def __init__(self) -> None:
        self._sent: dict[str, str] = {}
        self._point: CensusPoint | None = None
        self.wake = asyncio.Event()

    def news(self, drawing: Drawing) -> Drawing:
        """What of the drawing this page hasn't been sent; it counts as sent now."""
        fresh = tuple(part for part in drawing.sections if self._sent.get(part.id) != part.version)
        self._sent.update({part.id: part.version for part in fresh})
        point = drawing.point if drawing.point != self._point else None
        self._point = drawing.point
        return Drawing(fresh, point)


class Feed:
    """Draws when the snapshot changes, and wakes the streams."""

    def __init__(
        self,
        board: StatusBoard,
        draw: Callable[[], Awaitable[Drawing]],
        *,
        most: int = MOST_STREAMS,
        gap_seconds: float = GAP_SECONDS,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._board = board
        self._draw = draw
        self._most = most
        self._gap_seconds = gap_seconds
        self._look_seconds = look_seconds
        self._streams: set[Stream] = set()
        self._news = asyncio.Event()
        self._drawing: asyncio.Task[None] | None = None
        self.latest: Drawing | None = None
        self.closed = False

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Stream]:
        """A stream for one page. Raises FullError, ClosedError."""
        if self.closed:
            raise ClosedError
        if len(self._streams) >= self._most:
            raise FullError
        stream = Stream()
        self._streams.add(stream)
        if self._drawing is None:
            self.latest = None
            self._drawing = asyncio.create_task(self._serve(), name="page-feed")
        elif self.latest is not None:
            stream.wake.set()
        try:
            yield stream
        finally:
            self._streams.discard(stream)
            if not self._streams:
                await self._stop_drawing()

    def wake(self) -> None:
        """Have every stream look whether it may go on, and what there is for it."""
        for stream in self._streams:
            stream.wake.set()

    async def close(self) -> None:
        """End all streams: each sees `closed` and says goodbye."""
        self.closed = True
        self.wake()
        await self._stop_drawing()

    async def _stop_drawing(self) -> None:
        drawing, self._drawing = self._drawing, None
        if drawing is not None:
            drawing.cancel()
            with suppress(asyncio.CancelledError):
                await drawing

    async def _serve(self) -> None:
        unsubscribe = self._board.subscribe(self._news.set)
        try:
            while True:
                self._news.clear()
                await self._tell()
                await asyncio.sleep(self._gap_seconds)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), self._look_seconds)
        finally:
            unsubscribe()

    async def _tell(self) -> None:
        try:
            drawn = await self._draw()
        except Exception:
            # A page that can't be drawn must not end the feed of those that will be.
            log.exception("page_not_drawn")
            return
        if drawn != self.latest:
            self.latest = drawn
            self.wake()
