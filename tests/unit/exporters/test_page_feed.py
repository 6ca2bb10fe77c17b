"""Live pages: one rendering for all, none while nobody looks, and no queue for slow ones."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from exporters.page.feed import ClosedError, Drawing, Feed, FullError, Stream
from exporters.page.sections import Section
from monitor.status import StatusBoard
from tests.support.builders import a_census, board
from tests.support.waiting import wait_until


@dataclass
class Easel:
    """Draws what the board says, and counts how often."""

    board: StatusBoard
    drawn: int = 0
    error: Exception | None = None
    feeds: list[Feed] = field(default_factory=list)

    async def draw(self) -> Drawing:
        self.drawn += 1
        if self.error is not None:
            raise self.error
        census = self.board.current.census
        assert census is not None
        text = str(census.legacy_untracked)
        return Drawing((Section("counts", text, text), Section("runs", "v1", "")), None)

    def feed(self, **settings: float) -> Feed:
        quick = {"gap_seconds": 0.0, "look_seconds": 60.0, **settings}
        return Feed(self.board, self.draw, **quick)  # type: ignore[arg-type]


@pytest.fixture
def easel() -> Easel:
    return Easel(board())


async def told(feed: Feed, stream: Stream) -> list[str]:
    """The sections that the stream gets next."""
    await asyncio.wait_for(stream.wake.wait(), 5)
    stream.wake.clear()
    assert feed.latest is not None
    return [part.html for part in stream.news(feed.latest).sections]


async def test_nothing_is_drawn_while_nobody_looks(easel: Easel) -> None:
    feed = easel.feed()
    easel.board.update(census=a_census(legacy_untracked=1))
    async with feed.open() as stream:
        assert await told(feed, stream) == ["1", ""]
    seen = easel.drawn
    easel.board.update(census=a_census(legacy_untracked=2))
    await asyncio.sleep(0)
    assert easel.drawn == seen
    assert len(feed._streams) == 0


async def test_a_change_is_drawn_once_for_all_pages_and_only_what_changed_is_sent(
    easel: Easel,
) -> None:
    feed = easel.feed()
    async with feed.open() as one, feed.open() as other:
        assert await told(feed, one) == await told(feed, other) == ["6", ""]
        before = easel.drawn
        easel.board.update(census=a_census(legacy_untracked=5))
        assert await told(feed, one) == await told(feed, other) == ["5"]
        assert easel.drawn == before + 1


async def test_a_page_that_comes_later_gets_all_of_it(easel: Easel) -> None:
    feed = easel.feed()
    async with feed.open() as first:
        await told(feed, first)
        async with feed.open() as later:
            assert await told(feed, later) == ["6", ""]


async def test_a_slow_page_gets_the_newest_and_nothing_between(easel: Easel) -> None:
    feed = easel.feed()
    async with feed.open() as slow, feed.open() as quick:
        await told(feed, slow)
        await told(feed, quick)
        for legacy in (5, 4, 3):
            easel.board.update(census=a_census(legacy_untracked=legacy))
            assert await told(feed, quick) == [str(legacy)]
        assert await told(feed, slow) == ["3"]


async def test_what_gets_old_by_itself_is_drawn_again_without_news(easel: Easel) -> None:
    feed = easel.feed(look_seconds=0.01)
    async with feed.open():
        await wait_until(lambda: easel.drawn > 3)


async def test_only_so_many_pages_are_live(easel: Easel) -> None:
    feed = easel.feed(most=1)
    async with feed.open():
        with pytest.raises(FullError):
            async with feed.open():
                pass
    async with feed.open():
        pass


async def test_a_page_that_can_t_be_drawn_once_is_drawn_the_next_time(easel: Easel) -> None:
    feed = easel.feed(look_seconds=0.01)
    easel.error = ValueError("a defect")
    async with feed.open() as stream:
        await wait_until(lambda: easel.drawn > 1)
        easel.error = None
        assert await told(feed, stream) == ["6", ""]


async def test_a_feed_that_is_closed_wakes_its_pages_and_takes_no_more(easel: Easel) -> None:
    feed = easel.feed()
    async with feed.open() as stream:
        await told(feed, stream)
        await feed.close()
        assert stream.wake.is_set()
    with pytest.raises(ClosedError):
        async with feed.open():
            pass
