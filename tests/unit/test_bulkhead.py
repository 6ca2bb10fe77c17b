"""The bulkhead: few at a time, one question once, nobody answered with what is older than they."""

from __future__ import annotations

import asyncio

import pytest

from checks.errors import BusyError
from monitor.service.bulkhead import Bulkhead
from tests.support.waiting import wait_until


class Asked:
    """A read that takes as long as the test says."""

    def __init__(self) -> None:
        self.begun = 0
        self.at_once = 0
        self.most_at_once = 0
        self.go = asyncio.Event()

    async def __call__(self) -> int:
        self.begun += 1
        number = self.begun
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.go.wait()
        finally:
            self.at_once -= 1
        return number


async def test_never_more_than_the_places_read_at_a_time_and_all_are_answered() -> None:
    bulkhead, read = Bulkhead(3), Asked()
    tasks = [asyncio.create_task(bulkhead.ask(n, read)) for n in range(50)]
    await wait_until(lambda: read.at_once == 3)
    read.go.set()
    assert sorted(await asyncio.gather(*tasks)) == list(range(1, 51))
    assert read.most_at_once == 3
    assert bulkhead.tasks == ()


async def test_the_same_question_is_read_once_for_all_who_wait_for_it() -> None:
    bulkhead, first, read = Bulkhead(1), Asked(), Asked()
    ahead = asyncio.create_task(bulkhead.ask("other", first))
    await wait_until(lambda: first.begun == 1)
    tasks = [asyncio.create_task(bulkhead.ask("user", read)) for _ in range(40)]
    await asyncio.sleep(0)
    first.go.set()
    read.go.set()
    assert await asyncio.gather(*tasks) == [1] * 40
    assert (await ahead, read.begun) == (1, 1)


async def test_what_has_begun_to_be_read_is_not_shared() -> None:
    bulkhead, read = Bulkhead(2), Asked()
    before = asyncio.create_task(bulkhead.ask("user", read))
    await wait_until(lambda: read.begun == 1)
    after = asyncio.create_task(bulkhead.ask("user", read))
    await wait_until(lambda: read.begun == 2)
    read.go.set()
    assert (await before, await after) == (1, 2)


async def test_who_waits_too_long_or_comes_too_late_is_turned_away() -> None:
    bulkhead, read = Bulkhead(1, patience_seconds=0.05, most_waiting=2), Asked()
    first = asyncio.create_task(bulkhead.ask(0, read))
    await wait_until(lambda: read.begun == 1)
    waiting = [asyncio.create_task(bulkhead.ask(n, read)) for n in (1, 2)]
    await asyncio.sleep(0)
    with pytest.raises(BusyError, match="Too many questions wait"):
        await bulkhead.ask(3, read)
    for task in waiting:
        with pytest.raises(BusyError, match=r"No turn came within 0\.05 s"):
            await task
    read.go.set()
    assert await first == 1
    assert await bulkhead.ask(4, read) == 2


async def test_who_goes_away_takes_the_answer_from_nobody() -> None:
    bulkhead, first, read = Bulkhead(1), Asked(), Asked()
    ahead = asyncio.create_task(bulkhead.ask("other", first))
    await wait_until(lambda: first.begun == 1)
    gone, stays = (asyncio.create_task(bulkhead.ask("user", read)) for _ in range(2))
    await asyncio.sleep(0)
    gone.cancel()
    first.go.set()
    read.go.set()
    assert await stays == 1
    assert gone.cancelled()
    assert await ahead == 1


async def test_what_goes_wrong_goes_wrong_for_all_who_asked_and_frees_the_place() -> None:
    bulkhead = Bulkhead(1)

    async def wrong() -> int:
        raise ZeroDivisionError

    tasks = [asyncio.create_task(bulkhead.ask("user", wrong)) for _ in range(3)]
    for task in tasks:
        with pytest.raises(ZeroDivisionError):
            await task

    async def right() -> int:
        return 7

    assert await bulkhead.ask("user", right) == 7
