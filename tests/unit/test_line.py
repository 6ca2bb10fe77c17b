"""Readings in a line: few at once, equal ones together, and never one from before the asking."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from checks.errors import DatabaseUnavailableError
from monitor.line import Line
from tests.support.waiting import wait_until


class Desk:
    """Readings that last until they are told to end."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.most = self._now = 0
        self.open = asyncio.Event()

    async def read(self, name: str) -> str:
        self.begun.append(name)
        self._now += 1
        self.most = max(self.most, self._now)
        try:
            await self.open.wait()
        finally:
            self._now -= 1
        return f"{name} {len(self.begun)}"


async def test_a_burst_reads_at_most_two_at_a_time_and_everybody_is_answered() -> None:
    line, desk = Line(), Desk()
    asked = [
        asyncio.create_task(line.read(n, partial(desk.read, str(n))), name=str(n))
        for n in range(50)
    ]
    await wait_until(lambda: len(desk.begun) == 2)
    desk.open.set()
    answers = await asyncio.gather(*asked)
    assert desk.most == 2
    assert [answer.split()[0] for answer in answers] == [str(n) for n in range(50)]
    assert line.waiting == 0


async def test_equal_readings_that_wait_are_made_once_and_one_under_way_is_not_joined() -> None:
    line, desk = Line(at_once=1), Desk()
    first = asyncio.create_task(line.read("u", lambda: desk.read("u")))
    await wait_until(lambda: desk.begun == ["u"])
    later = [asyncio.create_task(line.read("u", lambda: desk.read("u"))) for _ in range(100)]
    await wait_until(lambda: line.waiting == 1)
    desk.open.set()
    await first
    answers = await asyncio.gather(*later)
    assert desk.begun == ["u", "u"]
    assert set(answers) == {"u 2"}


async def test_a_caller_who_goes_away_takes_nothing_from_the_others() -> None:
    line, desk = Line(at_once=1), Desk()
    impatient, patient = (
        asyncio.create_task(line.read("u", lambda: desk.read("u"))) for _ in range(2)
    )
    await wait_until(lambda: desk.begun == ["u"])
    impatient.cancel()
    desk.open.set()
    assert await patient == "u 1"


async def test_a_failed_reading_is_everybodys_and_gives_its_place_back() -> None:
    async def broken() -> str:
        raise ValueError("broken")

    line, desk = Line(at_once=1), Desk()
    asked = [asyncio.create_task(line.read("u", broken)) for _ in range(2)]
    assert [str(one) for one in await asyncio.gather(*asked, return_exceptions=True)] == [
        "broken",
        "broken",
    ]
    desk.open.set()
    assert await line.read("u", lambda: desk.read("u")) == "u 1"


async def test_whose_turn_does_not_come_in_time_is_told_so() -> None:
    line, desk = Line(at_once=1, patience_seconds=0.01), Desk()
    first = asyncio.create_task(line.read("u", lambda: desk.read("u")))
    await wait_until(lambda: desk.begun == ["u"])
    with pytest.raises(DatabaseUnavailableError, match="no turn within"):
        await line.read("v", lambda: desk.read("v"))
    desk.open.set()
    assert await first == "u 1"
    assert await line.read("v", lambda: desk.read("v")) == "v 2"
