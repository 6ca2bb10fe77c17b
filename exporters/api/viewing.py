"""What pages, streams and the chart share: the scene, the sections, and what is read for them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from aiohttp import web

from exporters.api.context import Context
from exporters.page.chart import SPANS, point_of, with_newest
from exporters.page.feed import Drawing, Feed
from exporters.page.kept import Kept, Known
from exporters.page.scene import RunsSeen, Scene
from exporters.page.sections import Section, sections
from monitor.state.history import CensusPoint
from monitor.status import Status

RUNS_SHOWN = 10
RUNS_SECONDS = 2.0
"""How old the list of runs may get while nothing else says that it changed."""
SERIES_SECONDS = 15.0
"""How old the chart may get; the newest census is added to it anyway."""
SECTIONS_SECONDS = 1.0
"""For so long one rendering of an unchanged snapshot serves all readers."""

Points = tuple[CensusPoint, ...]


class Viewing:
    """One an application. Reads each thing once for all who look at it."""

    def __init__(self, context: Context, *, may_act: Callable[[], bool]) -> None:
        """`may_act`: whether there is an admin token right now; tokens may be replaced."""
        self._context = context
        self.may_act = may_act
        self._runs: Kept[RunsSeen] = Kept(
            self._read_runs, RunsSeen(), seconds=RUNS_SECONDS, clock=context.clock
        )
        self._series = {key: self._kept_series(span) for key, (_, span) in SPANS.items()}
        self._rendered: tuple[Scene, tuple[Section, ...]] | None = None
        self.feed = Feed(context.board, self.draw)

    async def scene(self) -> Scene:
        """How things are now."""
        status = self._context.board.current
        known = await self._runs.get(_what_runs_depend_on(status))
        history = known.value
        if known.error is not None:
            history = RunsSeen(history.runs, history.more, known.error)
        return Scene(
            status=status,
            now=self._context.clock(),
            observe=self._context.observe,
            may_act=self.may_act(),
            history=history,
        )

    def sections(self, scene: Scene) -> tuple[Section, ...]:
        """The sections of the scene; those of a moment ago where nothing has changed since."""
        if self._rendered is not None:
            before, made = self._rendered
            # The snapshot is compared by identity: it is replaced, never changed.
            same = (
                before.status is scene.status
                and before.history == scene.history
                and before.may_act == scene.may_act
            )
            if same and 0 <= scene.now - before.now < SECTIONS_SECONDS:
                return made
        made = sections(scene)
        self._rendered = (scene, made)
        return made

    async def draw(self) -> Drawing:
        """For the open pages."""
        scene = await self.scene()
        census = scene.status.census
        return Drawing(self.sections(scene), None if census is None else point_of(census))

    async def series(self, span: str) -> Known[Points]:
        """The counts over one of SPANS, the newest census included."""
        known = await self._series[span].get()
        census = self._context.board.current.census
        return Known(with_newest(known.value, census, SPANS[span][1]), known.error)

    async def close(self, _: web.Application) -> None:
        """End the streams, and what is being read."""
        await self.feed.close()
        await self._runs.close()
        for kept in self._series.values():
            await kept.close()

    async def _read_runs(self) -> RunsSeen:
        found = await self._context.commands.runs(limit=RUNS_SHOWN + 1, before=None)
        return RunsSeen(found[:RUNS_SHOWN], len(found) > RUNS_SHOWN)

    def _kept_series(self, span: timedelta) -> Kept[Points]:
        async def read() -> Points:
            return await self._context.commands.census_series(span)

        return Kept(read, (), seconds=SERIES_SECONDS, clock=self._context.clock)


def _what_runs_depend_on(status: Status) -> tuple[object, ...]:
    run = status.active_run
    return (
        status.database_up,
        status.control,
        None if run is None else (run.id, run.state),
        status.counters.get(("heal_runs", "")),
        status.counters.get(("heal_impressions", "")) if run is None else None,
    )


VIEWING = web.AppKey("viewing", Viewing)


def viewing_of(request: web.Request) -> Viewing:
    """The application's."""
    return request.app[VIEWING]
