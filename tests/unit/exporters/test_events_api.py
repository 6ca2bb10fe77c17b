"""GET /events: what changed, a heartbeat where nothing did, and goodbye at the end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from aiohttp import ClientResponse

from exporters.http.events import SseTimeouts
from exporters.http.routing import CONTEXT
from exporters.http.server import exchange_tokens
from monitor.state.control import Control
from tests.support.builders import NOON, a_census
from tests.support.waiting import wait_until
from tests.unit.exporters.serving import ADMIN, ALL_TOKENS, Served, bearer, serving


async def events(response: ClientResponse) -> AsyncIterator[tuple[str, Any]]:
    """The events of a stream, as they come."""
    name = ""
    async for raw in response.content:
        line = raw.decode().rstrip("\n")
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


async def until(stream: AsyncIterator[tuple[str, Any]], name: str, part: str = "") -> Any:
    """The next event of this name, and of this part."""
    async with asyncio.timeout(10):
        async for found, data in stream:
            if found == name and data.get("id", "") == part:
                return data
    raise AssertionError(f"the stream ended before {name} {part}")


async def test_a_page_hears_every_section_first_and_then_what_changes(served: Served) -> None:
    async with served.client.get("/events", headers=ADMIN) as response:
        assert response.content_type == "text/event-stream"
        assert response.headers["Cache-Control"] == "no-store"
        stream = events(response)
        first = await until(stream, "part", "sentence")
        assert "6 old artworks" in first["html"]
        point = await until(stream, "census")
        assert (point["t"], point["legacy_untracked"]) == (NOON.timestamp(), 6)
        served.board.update(control=Control(paused=True, paused_reason="<fire>"))
        changed = await until(stream, "part", "switches")
        assert "&lt;fire&gt;" in changed["html"]
        served.board.update(census=a_census(legacy_untracked=0))
        assert (await until(stream, "part", "sentence"))["version"] != first["version"]


async def test_silence_is_broken_by_a_heartbeat() -> None:
    async with (
        serving(timeouts=SseTimeouts(beat=0.02, write=5.0)) as quick,
        quick.client.get("/events", headers=ADMIN) as response,
    ):
        stream = events(response)
        await until(stream, "census")
        assert await until(stream, "beat") == {}


async def test_a_reader_that_goes_frees_its_stream(served: Served) -> None:
    app = served.client.app
    assert app is not None
    feed = app[CONTEXT].page.broadcaster
    async with served.client.get("/events", headers=ADMIN) as response:
        await until(events(response), "census")
        assert len(feed.subscribers) == 1
        response.close()
    # The server sees it when it writes next.
    served.board.update(census=a_census(legacy_untracked=1))

    def gone() -> bool:
        served.board.update(census=a_census(legacy_untracked=len(feed.subscribers)))
        return len(feed.subscribers) == 0

    await wait_until(gone)


async def test_the_end_of_the_service_ends_the_streams_with_a_goodbye(served: Served) -> None:
    app = served.client.app
    assert app is not None
    async with served.client.get("/events", headers=ADMIN) as response:
        stream = events(response)
        await until(stream, "census")
        await app[CONTEXT].page.close()
        assert await until(stream, "bye") == {}
        assert [event async for event in stream] == []
    async with served.client.get("/events", headers=ADMIN) as response:
        assert response.status == 503
        assert (await response.json())["error"]["code"] == "stopping"


async def test_a_stream_ends_once_its_token_is_none_any_more() -> None:
    async with (
        serving() as served,
        served.client.get("/events", headers=bearer("the-reader")) as former,
        served.client.get("/events", headers=ADMIN) as lasting,
    ):
        app = served.client.app
        assert app is not None
        read, still = events(former), events(lasting)
        await until(read, "census")
        await until(still, "census")
        served.board.update(control=Control(paused=True, paused_reason="a secret"))
        exchange_tokens(app, replace(ALL_TOKENS, read="the-next-reader"))
        async with asyncio.timeout(10):
            assert [event async for event in read] == []
        assert "a secret" in (await until(still, "part", "switches"))["html"]
        async with served.client.get("/events", headers=bearer("the-reader")) as response:
            assert response.status == 401


async def test_a_stream_without_a_token_ends_once_one_is_needed() -> None:
    async with (
        serving(replace(ALL_TOKENS, read=None)) as served,
        served.client.get("/events") as response,
    ):
        app = served.client.app
        assert app is not None
        stream = events(response)
        await until(stream, "census")
        exchange_tokens(app, ALL_TOKENS)
        async with asyncio.timeout(10):
            assert [event async for event in stream] == []


async def test_many_readers_cost_one_question_to_the_database(served: Served) -> None:
    responses = [await served.client.get("/events", headers=ADMIN) for _ in range(60)]
    try:
        await asyncio.gather(*(until(events(one), "part", "switches") for one in responses))
        pages = [served.client.get("/", headers=ADMIN) for _ in range(30)]
        for page in await asyncio.gather(*pages):
            assert page.status == 200
        assert [call[0] for call in served.commands.asked] == ["runs", "census_series"]
    finally:
        for response in responses:
            response.close()
