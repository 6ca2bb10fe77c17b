"""The application on a real socket, with every kind of token configured. Whatever it answers in any
test is held against the published description."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application, Request, Response, StreamResponse
from prometheus_client.parser import text_string_to_metric_families

from exporters.http.auth import AUTHORIZER, Authorizer, Tokens
from exporters.http.events import SSE_TIMEOUTS, SseTimeouts
from exporters.http.server import create_app
from monitor.status import StatusBoard
from tests.support.builders import Clock, board
from tests.support.openapi import mistakes
from tests.unit.exporters.recorder import Recorder

ALL_TOKENS = Tokens(admin="the-admin", app="the-app", alert="the-alert", read="the-reader")
_GZIPPED = b"\x1f\x8b"
BACKFILL = "/api/artworks/backfill-impressions"


@dataclass
class Served:
    """A client, and what stands behind the server."""

    client: TestClient[Request, Application]
    commands: Recorder
    board: StatusBoard
    clock: Clock


def authorizer_of(served: Served) -> Authorizer:
    """The application's."""
    return served.client.app[AUTHORIZER]


async def refused(served: Served) -> dict[str, float]:
    """What was turned away so far, by reason, as /metrics says it."""
    async with served.client.get("/metrics", headers=ADMIN) as response:
        text = await response.text()
    return {
        sample.labels["reason"]: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "conservator_http_refused_total"
    }


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


ADMIN = bearer("the-admin")


@asynccontextmanager
async def serving(
    tokens: Tokens = ALL_TOKENS,
    *,
    shown: StatusBoard | None = None,
    observe: bool = False,
    backfills_a_minute: int | None = None,
    timeouts: SseTimeouts | None = None,
) -> AsyncIterator[Served]:
    """The application over `shown`, or over a snapshot of a service at work."""
    commands, clock, shown = Recorder(), Clock(), shown or board()
    app = create_app(
        shown,
        commands,
        tokens,
        observe=observe,
        clock=clock,
        backfills_a_minute=backfills_a_minute,
    )
    if timeouts is not None:
        app[SSE_TIMEOUTS] = timeouts
    contradictions: list[str] = []

    async def compare(request: Request, response: StreamResponse) -> None:
        contradictions.extend(_contradictions(request, response))

    app.on_response_prepare.append(compare)
    async with TestClient(TestServer(app)) as client:
        yield Served(client, commands, shown, clock)
    assert contradictions == []


def _contradictions(request: Request, response: StreamResponse) -> list[str]:
    resource = request.match_info.route.resource
    if resource is None or request.method == "HEAD":
        return []
    if response.status >= 400 and response.content_type == "text/html":
        return []  # the same sentence for a browser; the document says so once
    text = _text(response) if isinstance(response, Response) else ""
    return mistakes(request.method, resource.canonical, response.status, response.headers, text)


def _text(response: Response) -> str:
    body = response.body
    assert body is None or isinstance(body, bytes)
    if body is not None and body.startswith(_GZIPPED):
        return gzip.decompress(body).decode()
    return (body or b"").decode()
