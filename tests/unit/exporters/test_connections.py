"""Connections that bring nothing, too little, too much or are too many, beside others that are
served."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import aiohttp
import pytest
from aiohttp import web

from exporters.api import body, runner
from exporters.api.app import create_app
from exporters.api.errors import MAX_BODY_BYTES
from exporters.api.gate import GATE, Reason
from exporters.api.tokens import Tokens
from tests.unit.exporters.builders import Clock, board
from tests.unit.exporters.recorder import Recorder

SOON = 0.2
PATIENCE = 10.0
HEAD = b"POST /api/healing/pause HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer the-admin\r\n"


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[int, web.Application]]:
    """A port of the application."""
    app = create_app(board(), Recorder(), Tokens(admin="the-admin"), clock=Clock())
    running = runner.Runner(app, access_log=None, shutdown_timeout=0.1)
    await running.setup()
    await runner.Site(running, "127.0.0.1", 0).start()
    try:
        yield running.addresses[0][1], app
    finally:
        await running.cleanup()


async def until_closed(reader: asyncio.StreamReader) -> bytes:
    """What was answered before the other side closed."""
    async with asyncio.timeout(PATIENCE):
        with suppress(ConnectionResetError):
            return await reader.read(-1)
    return b""


async def is_served(port: int) -> bool:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/healthz") as response,
    ):
        return response.status == 200


@pytest.mark.parametrize("begun", [b"", b"GET / HT", HEAD])
async def test_a_request_that_does_not_come_to_its_end_is_given_up_and_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setattr(runner, "HEAD_SECONDS", SOON)
    async with listening() as (port, _):
        slow = [await asyncio.open_connection("127.0.0.1", port) for _ in range(50)]
        for _, writer in slow:
            writer.write(begun)
        assert await is_served(port)
        assert await asyncio.gather(*(until_closed(reader) for reader, _ in slow)) == [b""] * 50
        for _, writer in slow:
            writer.close()


async def test_a_connection_that_has_asked_once_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "HEAD_SECONDS", SOON)
    async with listening() as (port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(2):
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            while await reader.readline() != b"\r\n":
                pass
            await reader.readexactly(len(b'{"status": "ok"}\n'))
            given_up = asyncio.create_task(reader.read(1))
            done, _ = await asyncio.wait({given_up}, timeout=2 * SOON)
            assert not done
            given_up.cancel()
            with suppress(asyncio.CancelledError):
                await given_up
        writer.close()


async def test_a_body_that_does_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "BODY_SECONDS", SOON)
    async with listening() as (port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            HEAD + b"Content-Type: application/json\r\nContent-Length: 20\r\n\r\n" + b'{"reason'
        )
        async with asyncio.timeout(PATIENCE):
            assert (await reader.readline()).startswith(b"HTTP/1.1 408")
        assert await is_served(port)
        writer.close()


async def test_a_body_that_is_too_large_is_refused_before_it_has_come() -> None:
    async with listening() as (port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        writer.write(b"%x\r\n" % (MAX_BODY_BYTES + 1) + b" " * (MAX_BODY_BYTES + 1) + b"\r\n")
        async with asyncio.timeout(PATIENCE):
            assert (await reader.readline()).startswith(b"HTTP/1.1 413")
        assert await is_served(port)
        writer.close()


async def test_too_many_connections_are_closed_at_once_and_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runner, "MOST_OF_ONE_CLIENT", 5)
    async with listening() as (port, app):
        kept = [await asyncio.open_connection("127.0.0.1", port) for _ in range(5)]
        for _, writer in kept:
            writer.write(b"GET /hea")
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await until_closed(reader) == b""
        assert app[GATE].refused.counts[Reason.TOO_MANY_CONNECTIONS] == 1
        kept.pop()[1].close()
        async with asyncio.timeout(PATIENCE):
            while True:
                with suppress(aiohttp.ClientError):
                    assert await is_served(port)
                    break
        for _, one in [*kept, (reader, writer)]:
            one.close()
