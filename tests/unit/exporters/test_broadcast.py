"""Live pages: one rendering for all, none while nobody looks, and no queue for slow ones."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from exporters.page.broadcast import (
    BroadcastClosedError,
    EventBroadcaster,
    PageUpdate,
    Subscriber,
    TooManyStreamsError,
)
from exporters.page.views import Section
from monitor.status import StatusBoard
from tests.support.builders import a_census, board
from tests.support.waiting import wait_until


@dataclass
class Easel:
    """Draws what the board says, and counts how often."""

    board: StatusBoard
    drawn: int = 0
    error: Exception | None = None
    broadcasters: list[EventBroadcaster] = field(default_factory=list)

    async def update(self) -> PageUpdate:
        self.drawn += 1
        if self.error is not None:
            raise self.error
        census = self.board.current.census
        assert census is not None
        text = str(census.legacy_untracked)
        return PageUpdate((Section("counts", text, text), Section("runs", "v1", "")), None)

    def broadcaster(self, **settings: float) -> EventBroadcaster:
        quick = {"min_interval_seconds": 0.0, "max_interval_seconds": 60.0, **settings}
        return EventBroadcaster(self.board, self.update, **quick)  # type: ignore[arg-type]


@pytest.fixture
def easel() -> Easel:
    return Easel(board())


async def told(broadcaster: EventBroadcaster, stream: Subscriber) -> list[str]:
    """The sections that the stream gets next."""
    await asyncio.wait_for(stream.wake.wait(), 5)
    stream.wake.clear()
    assert broadcaster.latest is not None
    return [part.html for part in stream.unsent(broadcaster.latest).sections]


async def test_nothing_is_drawn_while_nobody_looks(easel: Easel) -> None:
    broadcaster = easel.broadcaster()
    easel.board.update(census=a_census(legacy_untracked=1))
    async with broadcaster.subscribe() as stream:
        assert await told(broadcaster, stream) == ["1", ""]
    seen = easel.drawn
    easel.board.update(census=a_census(legacy_untracked=2))
    await asyncio.sleep(0)
    assert easel.drawn == seen
    assert len(broadcaster.subscribers) == 0


async def test_a_change_is_drawn_once_for_all_pages_and_only_what_changed_is_sent(
    easel: Easel,
) -> None:
    broadcaster = easel.broadcaster()
    async with broadcaster.subscribe() as one, broadcaster.subscribe() as other:
        assert await told(broadcaster, one) == await told(broadcaster, other) == ["6", ""]
        before = easel.drawn
        easel.board.update(census=a_census(legacy_untracked=5))
        assert await told(broadcaster, one) == await told(broadcaster, other) == ["5"]
        assert easel.drawn == before + 1


async def test_a_page_that_comes_later_gets_all_of_it(easel: Easel) -> None:
    broadcaster = easel.broadcaster()
    async with broadcaster.subscribe() as first:
        await told(broadcaster, first)
        async with broadcaster.subscribe() as later:
            assert await told(broadcaster, later) == ["6", ""]


async def test_a_slow_page_gets_the_newest_and_nothing_between(easel: Easel) -> None:
    broadcaster = easel.broadcaster()
    async with broadcaster.subscribe() as slow, broadcaster.subscribe() as quick:
        await told(broadcaster, slow)
        await told(broadcaster, quick)
        for legacy in (5, 4, 3):
            easel.board.update(census=a_census(legacy_untracked=legacy))
            assert await told(broadcaster, quick) == [str(legacy)]
        assert await told(broadcaster, slow) == ["3"]


async def test_what_gets_old_by_itself_is_drawn_again_without_news(easel: Easel) -> None:
    broadcaster = easel.broadcaster(max_interval_seconds=0.01)
    async with broadcaster.subscribe():
        await wait_until(lambda: easel.drawn > 3)


async def test_only_so_many_pages_are_live(easel: Easel) -> None:
    broadcaster = easel.broadcaster(max_streams=1)
    async with broadcaster.subscribe():
        with pytest.raises(TooManyStreamsError):
            async with broadcaster.subscribe():
                pass
    async with broadcaster.subscribe():
        pass


async def test_a_page_that_can_t_be_drawn_once_is_drawn_the_next_time(easel: Easel) -> None:
    broadcaster = easel.broadcaster(max_interval_seconds=0.01)
    easel.error = ValueError("a defect")
    async with broadcaster.subscribe() as stream:
        await wait_until(lambda: easel.drawn > 1)
        easel.error = None
        assert await told(broadcaster, stream) == ["6", ""]


async def test_a_feed_that_is_closed_wakes_its_pages_and_takes_no_more(easel: Easel) -> None:
    broadcaster = easel.broadcaster()
    async with broadcaster.subscribe() as stream:
        await told(broadcaster, stream)
        await broadcaster.close()
        assert stream.wake.is_set()
    with pytest.raises(BroadcastClosedError):
        async with broadcaster.subscribe():
            pass
