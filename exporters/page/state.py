"""What pages, streams and the chart share: context, sections, and what is read from the database:
rarely, once for all who ask, and kept while it is away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Generic, TypeVar

from checks.errors import ConservatorError
from exporters.page.broadcast import EventBroadcaster, PageUpdate
from exporters.page.counts import SPANS, point_of, with_newest
from exporters.page.runs import RunsRead
from exporters.page.views import PageContext, Section, sections
from exporters.prometheus import Clock
from monitor.commands import Commands
from monitor.state.history import CensusPoint
from monitor.status import Status, StatusBoard

RUNS_SHOWN = 10
RUNS_SECONDS = 2.0
"""How old the list of runs may get while nothing else says that it changed."""
SERIES_SECONDS = 15.0
"""How old the chart may get; the newest census is added to it anyway."""
SECTIONS_SECONDS = 1.0
"""For so long one rendering of an unchanged snapshot serves all readers."""
MAX_WAIT_SECONDS = 1.0
"""A page doesn't wait longer for what it can show from before."""

Value = TypeVar("Value")
Points = tuple[CensusPoint, ...]


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
        clock: Clock,
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


class PageState:
    """One an application. Reads each thing once for all who look at it."""

    def __init__(
        self,
        board: StatusBoard,
        commands: Commands,
        *,
        observe: bool,
        may_act: Callable[[], bool],
        clock: Clock,
    ) -> None:
        """`may_act`: whether there is an admin token right now; tokens may be replaced."""
        self._board = board
        self._commands = commands
        self._observe = observe
        self._clock = clock
        self.may_act = may_act
        self._runs: TtlCache[RunsRead] = TtlCache(
            self._read_runs, RunsRead(), seconds=RUNS_SECONDS, clock=clock
        )
        self._series = {key: self._series_cache(span) for key, (_, span) in SPANS.items()}
        self._rendered: tuple[PageContext, tuple[Section, ...]] | None = None
        self.broadcaster = EventBroadcaster(board, self.update)

    async def context(self) -> PageContext:
        """How things are now."""
        status = self._board.current
        known = await self._runs.get(_what_runs_depend_on(status))
        return PageContext(
            status=status,
            now=self._clock(),
            observe=self._observe,
            may_act=self.may_act(),
            history=replace(known.value, error=known.error),
        )

    def sections(self, context: PageContext) -> tuple[Section, ...]:
        """The sections of the context; those of a moment ago where nothing has changed since."""
        if self._rendered is not None:
            before, made = self._rendered
            # The snapshot is compared by identity: it is replaced, never changed.
            same = (
                before.status is context.status
                and before.history == context.history
                and before.may_act == context.may_act
            )
            if same and 0 <= context.now - before.now < SECTIONS_SECONDS:
                return made
        made = sections(context)
        self._rendered = (context, made)
        return made

    async def update(self) -> PageUpdate:
        """For the open pages."""
        context = await self.context()
        census = context.status.census
        return PageUpdate(self.sections(context), None if census is None else point_of(census))

    async def series(self, span: str) -> CachedValue[Points]:
        """The counts over one of SPANS, the newest census included."""
        known = await self._series[span].get()
        census = self._board.current.census
        return CachedValue(with_newest(known.value, census, SPANS[span][1]), known.error)

    async def close(self) -> None:
        """End the streams, and what is being read."""
        await self.broadcaster.close()
        await self._runs.close()
        for cache in self._series.values():
            await cache.close()

    async def _read_runs(self) -> RunsRead:
        found = await self._commands.runs(limit=RUNS_SHOWN + 1, before=None)
        return RunsRead(found[:RUNS_SHOWN], len(found) > RUNS_SHOWN)

    def _series_cache(self, span: timedelta) -> TtlCache[Points]:
        async def read() -> Points:
            return await self._commands.census_series(span)

        return TtlCache(read, (), seconds=SERIES_SECONDS, clock=self._clock)


def _what_runs_depend_on(status: Status) -> tuple[object, ...]:
    run = status.active_run
    return (
        status.database_up,
        status.control,
        None if run is None else (run.id, run.state),
        status.counters.get(("heal_runs", "")),
        tuple(status.counters.get(("repair_runs", name)) for name in status.repairs),
        tuple(status.counters.get(("repair_undone_rows", name)) for name in status.repairs),
        status.counters.get(("heal_impressions", "")) if run is None else None,
    )
