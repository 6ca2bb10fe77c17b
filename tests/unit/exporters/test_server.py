"""Connections that bring nothing, too little, too much or are too many, beside others that are
served."""

from __future__ import annotations

import asyncio
import errno
import os
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import aiohttp
import pytest
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from exporters.http import limits, parsing, server
from exporters.http.auth import AUTHORIZER, Tokens
from exporters.http.errors import MAX_BODY_BYTES
from exporters.http.limits import Reason
from exporters.http.routing import CONTEXT
from exporters.http.server import HttpServer, create_app
from monitor.state.control import Control
from tests.support.builders import Clock, board
from tests.support.waiting import wait_until
from tests.unit.exporters.recorder import Recorder

SOON = 0.2
PATIENCE = 10.0
STRANGER = b"POST /api/healing/pause HTTP/1.1\r\nHost: x\r\n"
HEAD = b"POST /api/healing/pause HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer the-admin\r\n"


@asynccontextmanager
async def listening(
    connections: int = limits.MAX_CONNECTIONS,
) -> AsyncIterator[tuple[int, HttpServer]]:
    """A port of the application, and what answers there."""
    app = create_app(board(), Recorder(), Tokens(admin="the-admin"), clock=Clock())
    running = HttpServer(app, connections=connections)
    await running.start("127.0.0.1", 0)
    try:
        yield running.addresses[0][1], running
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
    monkeypatch.setattr(server, "IDLE_SECONDS", SOON)
    async with listening() as (port, *_):
        slow = [await asyncio.open_connection("127.0.0.1", port) for _ in range(50)]
        for _, writer in slow:
            writer.write(begun)
        assert await is_served(port)
        assert await asyncio.gather(*(until_closed(reader) for reader, _ in slow)) == [b""] * 50
        for _, writer in slow:
            writer.close()


async def test_a_connection_that_has_asked_is_kept_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "IDLE_SECONDS", 3 * SOON)
    async with listening() as (port, *_):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(2):
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await answer(reader))[0].startswith(b"HTTP/1.1 200")
            await asyncio.sleep(SOON)
        assert await until_closed(reader) == b""
        writer.close()


async def test_a_body_that_does_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsing, "BODY_SECONDS", SOON)
    async with listening() as (port, *_):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            HEAD + b"Content-Type: application/json\r\nContent-Length: 20\r\n\r\n" + b'{"reason'
        )
        async with asyncio.timeout(PATIENCE):
            assert (await reader.readline()).startswith(b"HTTP/1.1 408")
        assert await is_served(port)
        writer.close()


async def test_a_body_that_is_too_large_is_refused_before_it_has_come() -> None:
    async with listening() as (port, *_):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        writer.write(b"%x\r\n" % (MAX_BODY_BYTES + 1) + b" " * (MAX_BODY_BYTES + 1) + b"\r\n")
        async with asyncio.timeout(PATIENCE):
            assert (await reader.readline()).startswith(b"HTTP/1.1 413")
        assert await is_served(port)
        writer.close()


BODY_TO_COME = HEAD + (
    b"Content-Type: application/json\r\nContent-Length: 20\r\nExpect: 100-continue\r\n\r\n"
)
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def connections(port: int, number: int, brought: bytes = b"") -> AsyncIterator[list[Streams]]:
    """So many of them, in their order, each of which has brought so much."""
    opened: list[Streams] = []
    try:
        for _ in range(number):
            opened.append(await asyncio.open_connection("127.0.0.1", port))
            opened[-1][1].write(brought)
        yield opened
    finally:
        for _, writer in opened:
            writer.close()


async def asked(connection: Streams) -> bytes:
    """The first line of what it is answered."""
    connection[1].write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    return (await answer(connection[0]))[0]


async def test_connections_with_a_request_under_way_are_kept_and_one_too_many_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "MAX_CONNECTIONS_OF_CLIENT", 5)
    async with listening() as (port, running), connections(port, 5, BODY_TO_COME) as kept:
        async with asyncio.timeout(PATIENCE):
            for reader, _ in kept:
                assert await reader.readline() == b"HTTP/1.1 100 Continue\r\n"
        async with connections(port, 1) as [(reader, _)]:
            assert await until_closed(reader) == b""
        assert running.app[AUTHORIZER].refused.counts[Reason.TOO_MANY_CONNECTIONS] == 1
        kept[0][1].close()
        async with asyncio.timeout(PATIENCE):
            while True:
                with suppress(aiohttp.ClientError):
                    assert await is_served(port)
                    break


@pytest.mark.parametrize("brought", [b"", b"GET /hea", HEAD], ids=["nothing", "a line", "headers"])
async def test_of_idle_connections_the_one_that_is_silent_for_longest_makes_room(
    monkeypatch: pytest.MonkeyPatch, brought: bytes
) -> None:
    monkeypatch.setattr(limits, "MAX_CONNECTIONS_OF_CLIENT", 5)
    async with listening() as (port, running), connections(port, 1) as [asking]:
        assert b"200" in await asked(asking)
        async with connections(port, 4, brought) as silent:
            assert b"200" in await asked(asking)
            async with connections(port, 3) as new:
                for n in range(3):
                    assert b"200" in await asked(new[n])
                    assert await until_closed(silent[n][0]) == b""
                assert b"200" in await asked(asking)
        assert running.app[AUTHORIZER].refused.counts[Reason.TOO_MANY_CONNECTIONS] == 3


async def test_a_thousand_idle_clients_keep_nobody_out_of_a_small_table() -> None:
    async with listening(connections=12) as (port, _), connections(port, 1000):
        assert await is_served(port)
        async with connections(port, 3) as new:
            assert [await asked(one) for one in new] == [b"HTTP/1.1 200 OK\r\n"] * 3


async def test_live_pages_leave_half_of_a_small_table_to_others() -> None:
    events = b"GET /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer the-admin\r\n\r\n"
    async with listening(connections=12) as (port, _), connections(port, 7, events) as pages:
        async with asyncio.timeout(PATIENCE):
            lines = [await reader.readline() for reader, _ in pages]
        assert sorted(lines) == [b"HTTP/1.1 200 OK\r\n"] * 6 + [
            b"HTTP/1.1 503 Service Unavailable\r\n"
        ]
        assert await is_served(port)


async def test_a_full_table_of_files_is_one_line_a_minute_and_makes_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with listening() as (port, _), connections(port, 4) as idle:
        assert b"200" in await asked(idle[3])
        loop = asyncio.get_running_loop()
        error = OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        full = {"message": "socket.accept() out of system resource", "exception": error}
        with capture_logs() as logs:
            for now in (0.0, 1.0, 59.0, 61.0):
                monkeypatch.setattr(loop, "time", lambda now=now: now)
                loop.call_exception_handler({**full, "socket": None})
            monkeypatch.undo()
            closed = await asyncio.gather(*(until_closed(reader) for reader, _ in idle))
        assert [one["event"] for one in logs] == ["connections_wait"] * 2
        assert closed == [b""] * 4


async def answer(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """The next answer's first line, and its body."""
    async with asyncio.timeout(PATIENCE):
        first, length = await reader.readline(), 0
        while (line := await reader.readline()) != b"\r\n":
            assert line, "the connection was closed within an answer"
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        return first, await reader.readexactly(length)


@pytest.mark.parametrize("coding", [b"gzip", b"deflate", b"br", b"identity, gzip", b"nonsense"])
async def test_a_compressed_body_is_refused_and_never_unpacked(coding: bytes) -> None:
    encoded = b"Content-Encoding: %s\r\nContent-Length: 2\r\n\r\n{}" % coding
    async with listening() as (port, *_):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        # Whoever unpacked this would find that it is none of these, and close the connection.
        writer.write(STRANGER + encoded)
        assert (await answer(reader))[0].startswith(b"HTTP/1.1 401")
        writer.write(HEAD + encoded)
        first, body = await answer(reader)
        assert first.startswith(b"HTTP/1.1 415")
        assert b"Content-Encoding: expected none" in body
        writer.write(HEAD + b"Content-Encoding: Identity\r\nContent-Length: 2\r\n\r\n{}")
        assert (await answer(reader))[0].startswith(b"HTTP/1.1 200")
        writer.close()


@pytest.mark.parametrize("framing", [b"Content-Length: 9999999999", b"Transfer-Encoding: chunked"])
async def test_a_body_that_nobody_wants_is_not_read_to_its_end(
    monkeypatch: pytest.MonkeyPatch, framing: bytes
) -> None:
    monkeypatch.setattr(server, "UNWANTED_BODY_SECONDS", SOON)
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    async with listening() as (port, *_):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(STRANGER + framing + b"\r\n\r\n" + chunk)
        assert (await answer(reader))[0].startswith(b"HTTP/1.1 401")
        async with asyncio.timeout(PATIENCE):
            with suppress(ConnectionError):
                while not reader.at_eof():
                    writer.write(chunk)
                    await writer.drain()
                    await asyncio.sleep(0.01)
        writer.close()


async def test_what_can_not_be_read_gets_an_id_and_its_line_in_the_access_log() -> None:
    async with listening() as (port, *_):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with capture_logs([merge_contextvars]) as logged:
            writer.write(b"GET /a-secret HTTP/9\r\n\r\n")
            answered = (await until_closed(reader)).decode()
        [request_id] = re.findall("X-Request-ID: ([0-9a-f]{32})\r\n", answered)
        assert [(line["event"], line["request_id"]) for line in logged] == [
            ("request_unreadable", request_id),
            ("request", request_id),
        ]
        assert (logged[1]["status"], logged[1]["route"]) == (400, "unknown")
        assert logged[1]["bytes"] == len(answered.partition("\r\n\r\n")[2])
        assert "secret" not in str(logged)
        writer.close()


def deaf(port: int) -> socket.socket:
    """A connection of a client that takes next to nothing before it reads."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", port))
    return client


def opened(running: HttpServer) -> int:
    assert running._runner.server is not None
    return len(running._runner.server.connections)


async def test_who_does_not_read_the_answers_loses_the_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "UNTAKEN_SECONDS", SOON)
    async with listening() as (port, running):
        with deaf(port) as client:
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 2000)
            await wait_until(lambda: opened(running) == 1)
            assert await is_served(port)
            await wait_until(lambda: opened(running) == 0)


async def test_a_page_that_does_not_read_its_stream_loses_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "UNTAKEN_SECONDS", SOON)
    async with listening() as (port, running):
        page, shown = running.app[CONTEXT].page, running.app[CONTEXT].board
        with deaf(port) as client:
            client.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
            await wait_until(lambda: len(page.broadcaster.subscribers) == 1)
            shown.update(control=Control(paused=True, paused_reason="x" * 10_000_000))
            await wait_until(lambda: opened(running) == 0)
            await wait_until(lambda: not page.broadcaster.subscribers)
