"""Clients that dribble, flood, or speak something else hold nobody but themselves."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import structlog
from aiohttp import web
from structlog.testing import capture_logs

from exporters.api import Limits, create_app
from exporters.api import body as body_module
from exporters.refusals import Refusals, Refused
from tests.support.certificates import make_certificate
from tests.support.raw_http import connection, exchange, port_of
from tests.support.waiting import wait_until
from tests.unit.exporters.builders import board
from tests.unit.exporters.recorder import Recorder
from tests.unit.exporters.serving import ALL_TOKENS

ALIVE = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
POST = b"POST /api/healing/pause HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer the-admin\r\n"
SECRET = "a-secret-in-a-strange-place"
QUICK = Limits(idle_seconds=0.3, lingering_seconds=0.3)


def app() -> web.Application:
    return create_app(board(), Recorder(), ALL_TOKENS)


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async with port_of(app(), limits=QUICK) as opened:
        yield opened


async def closed(reader: asyncio.StreamReader) -> str:
    """What the server said before it closed the connection, which it must within the timeout."""
    async with asyncio.timeout(5):
        try:
            return (await reader.read()).decode()
        except ConnectionResetError:
            return ""


@pytest.mark.parametrize("sent", [b"", b"GET /healthz HT", b"GET /healthz HTTP/1.1\r\nX-A: b\r\n"])
async def test_who_sends_no_whole_header_is_hung_up_on_while_others_are_answered(
    port: int, sent: bytes
) -> None:
    async with connection(port) as (reader, writer):
        writer.write(sent)
        assert "200 OK" in await exchange(port, ALIVE)
        assert await closed(reader) == ""


async def test_dribbling_a_header_byte_by_byte_does_not_put_the_end_off(port: int) -> None:
    async with connection(port) as (reader, writer):
        began = time.monotonic()
        ended = asyncio.create_task(closed(reader))

        async def dribbled() -> bool:
            if not ended.done() and not writer.is_closing():
                writer.write(b"G")
            return ended.done()

        await wait_until(dribbled, 5)
        assert time.monotonic() - began < 3


async def test_a_body_that_dribbles_is_given_up(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_module, "BODY_SECONDS", 0.2)
    answer = await exchange(port, POST + b"Content-Length: 100\r\n\r\n{")
    assert "408 Request Timeout" in answer
    assert "body_too_slow" in answer


@pytest.mark.parametrize("length", [b"Content-Length: 200000\r\n\r\n", b""])
async def test_a_body_that_is_too_large_is_refused_before_it_has_all_arrived(
    port: int, length: bytes
) -> None:
    chunked = b"Transfer-Encoding: chunked\r\n\r\n" + b"11170\r\n" + b" " * 70_000 + b"\r\n"
    answer = await exchange(port, POST + (length + b" " * 100_000 if length else chunked))
    assert "413" in answer.splitlines()[0]
    assert "body_too_large" in answer


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + SECRET.encode() + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization : Bearer " + SECRET.encode() + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: " + SECRET.encode() * 1000 + b"\r\n\r\n",
        b"GET /" + SECRET.encode() * 1000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
    ids=["TLS", "blank before colon", "header too long", "path too long"],
)
async def test_what_is_not_http_is_answered_in_our_form_and_its_bytes_are_told_to_nobody(
    port: int, request_bytes: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with capture_logs() as logs:
        answer = await exchange(port, request_bytes)
        await wait_until(lambda: any(line["event"] == "request" for line in logs))
    head, _, text = answer.partition("\r\n\r\n")
    assert head.split()[1] == "400"
    assert json.loads(text)["error"]["code"] == "bad_request"
    assert "X-Request-ID: " in head
    assert "frame-ancestors 'none'" in head
    assert SECRET not in answer + repr(logs) + caplog.text


async def test_one_client_gets_so_many_connections_and_room_again_once_it_closes_some() -> None:
    refusals = Refusals()
    limits = Limits(connections_of_one_client=3)
    async with port_of(app(), limits=limits, refusals=refusals) as port, AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(connection(port)) for _ in range(3)]
        assert await exchange(port, ALIVE) == ""
        assert dict(refusals.totals())[Refused.TOO_MANY_CONNECTIONS] >= 1
        opened[0][1].close()

        async def answered() -> bool:
            return "200 OK" in await exchange(port, ALIVE)

        await wait_until(answered)


async def test_a_request_makes_one_line_in_the_log_without_anything_that_the_caller_wrote(
    port: int,
) -> None:
    bare = b"GET /%s?token=%s HTTP/1.1\r\nHost: x\r\nUser-Agent: %s\r\nConnection: close\r\n"
    words = (SECRET.encode(),) * 3
    known = (
        b"GET /api/artworks/stats?user_id=%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        b"Authorization: Bearer the-reader\r\nX-Request-ID: 0123456789abcdef\r\n\r\n"
    )
    with capture_logs() as logs:
        await exchange(port, bare % words + b"\r\n")
        await exchange(port, known % words[0])
        await wait_until(lambda: len([one for one in logs if one["event"] == "request"]) == 2)
    stranger, reader = (one for one in logs if one["event"] == "request")
    assert SECRET not in repr(logs)
    assert (stranger["route"], stranger["status"], stranger["role"]) == ("", 404, "stranger")
    expected: dict[str, Any] = {
        "method": "GET",
        "route": "/api/artworks/stats",
        "status": 200,
        "role": "read",
        "client": "127.0.0.1",
        "request_id": "0123456789abcdef",
    }
    assert {name: reader[name] for name in expected} == expected
    assert reader["seconds"] >= 0
    assert reader["bytes"] > 0
    assert structlog.contextvars.get_contextvars() == {}


async def test_over_tls_browsers_are_told_to_stay_there(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    async with port_of(app(), ssl_context=certificate.served()) as port:
        answer = await exchange(port, ALIVE, certificate.trusted())
        assert "Strict-Transport-Security: max-age=" in answer
        assert "200 OK" in answer
