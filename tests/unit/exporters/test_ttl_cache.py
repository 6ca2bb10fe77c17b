"""What pages read from the database: rarely, once for all, and never longer than a page waits."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from checks.errors import DatabaseUnavailableError
from exporters.page.state import TtlCache
from tests.support.builders import Clock


@dataclass
class Source:
    """Answers with the number of the question, or not at all."""

    asked: int = 0
    error: Exception | None = None
    free: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self) -> int:
        self.asked += 1
        await self.free.wait()
        if self.error is not None:
            raise self.error
        return self.asked


@pytest.fixture
def source() -> Source:
    made = Source()
    made.free.set()
    return made


async def test_a_value_is_read_again_only_when_it_is_old_or_depends_on_something_new(
    source: Source,
) -> None:
    clock = Clock()
    cache = TtlCache(source.read, 0, seconds=2.0, clock=clock)
    assert [(await cache.get()).value for _ in range(3)] == [1, 1, 1]
    clock.now += 2.0
    assert (await cache.get()).value == 2
    assert (await cache.get("another run")).value == 3
    assert (await cache.get("another run")).value == 3


async def test_all_who_ask_at_once_ask_once(source: Source) -> None:
    cache = TtlCache(source.read, 0, seconds=2.0, clock=Clock())
    found = await asyncio.gather(*(cache.get() for _ in range(50)))
    assert {cached.value for cached in found} == {1}
    assert source.asked == 1


async def test_nobody_waits_long_for_a_database_that_does_not_answer(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exporters.page.state.MAX_WAIT_SECONDS", 0.01)
    clock = Clock()
    cache = TtlCache(source.read, 0, seconds=2.0, clock=clock)
    await cache.get()
    clock.now += 3.0
    source.free.clear()
    assert (await cache.get()).value == 1
    assert (await cache.get()).value == 1
    assert source.asked == 2  # no second question behind the first
    await cache.close()


async def test_what_was_read_before_stays_with_the_reason_why_there_is_nothing_newer(
    source: Source,
) -> None:
    clock = Clock()
    cache = TtlCache(source.read, 0, seconds=2.0, clock=clock)
    await cache.get()
    source.error = DatabaseUnavailableError("Away.")
    clock.now += 2.0
    cached = await cache.get()
    assert (cached.value, cached.error) == (1, "Away.")
    source.error = None
    clock.now += 2.0
    assert (await cache.get()).error is None


async def test_a_defect_is_said_and_keeps_no_page_from_being_shown(source: Source) -> None:
    source.error = ValueError("a secret of the database")
    cached = await TtlCache(source.read, 0, seconds=2.0, clock=Clock()).get()
    assert (cached.value, cached.error) == (0, "Reading failed: ValueError.")
