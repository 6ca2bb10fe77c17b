"""The service itself: /healthz, /readyz and /metrics, from memory, whatever the database does; and
the description of all calls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import lru_cache
from typing import Literal

from aiohttp import hdrs, web
from prometheus_client.exposition import choose_encoder, gzip_accepted
from prometheus_client.registry import Collector

from exporters.http.auth import AUTHORIZER
from exporters.http.errors import ApiError
from exporters.http.pages import tag_of, unless_known
from exporters.http.parsing import JSON, accepted
from exporters.http.responses import Answer, Problem
from exporters.http.routing import PlainCall, ProbeCall, Route
from monitor.status import Status


class Alive(Answer):
    """The process serves requests."""

    status: Literal["ok"] = "ok"


class Ready(Answer):
    """The database is reachable, every node of a cluster with it, the state schema the one that
    this version needs, and the three tables are there."""

    ready: Literal[True] = True
    reasons: tuple[str, ...] = ()


class NotReady(Problem):
    """Not ready for work."""

    ready: Literal[False]
    reasons: tuple[str, ...]
    """A sentence for each thing that is missing."""


async def is_alive(_: ProbeCall) -> Alive:
    """Alive?

    The process serves requests. Never needs a token.
    """
    return Alive()


async def is_ready(call: ProbeCall) -> Ready:
    """Ready for work?

    The database is reachable, every node of a cluster with it, the state schema the one that this
    version needs, and the three tables are there. From memory: a probe never touches the database.
    """
    reasons = not_ready_because(call.context.board.current)
    if reasons:
        fields = {"ready": False, "reasons": reasons}
        raise ApiError("not_ready", " ".join(reasons), fields=fields)
    return Ready()


def not_ready_because(status: Status) -> list[str]:
    """Sentences, one for each thing that is missing."""
    if not status.database_up:
        return [status.database_error or "The database has not answered yet."]
    if not status.state_schema_current:
        return ["The state schema is missing or not of this version: run `conservator init`."]
    return [missing.problem for missing in status.missing_tables]


async def get_metrics(call: ProbeCall) -> web.Response:
    """Metrics for Prometheus.

    Prometheus text or OpenMetrics, as `Accept` prefers, compressed for who takes gzip. From memory:
    a scrape never touches the database.
    """
    encode, content_type = _encoder(accepted(call.request, hdrs.ACCEPT))
    response = web.Response(
        body=encode(call.context.registry), headers={hdrs.CONTENT_TYPE: content_type}
    )
    if gzip_accepted(accepted(call.request, hdrs.ACCEPT_ENCODING)):
        response.enable_compression(web.ContentCoding.gzip)
    return response


async def get_description(call: PlainCall) -> web.Response:
    """This description.

    OpenAPI 3.1.
    """
    version = call.context.board.current.version
    reads_need_token = bool(call.request.app[AUTHORIZER].tokens.read)
    # A fifth of a second, once: in a thread, so that nobody else waits for it.
    text = await asyncio.to_thread(_describe, call.context.routes, version, reads_need_token)
    return unless_known(call.request, text, tag_of(text), JSON)


@lru_cache(maxsize=2)
def _describe(routes: tuple[Route, ...], version: str, reads_need_token: bool) -> str:
    # Loaded when somebody asks: most services are never asked.
    from exporters.http.openapi import describe  # noqa: PLC0415

    return describe(routes, version, reads_need_token=reads_need_token)


def _encoder(accept: str) -> tuple[Callable[[Collector], bytes], str]:
    try:
        return choose_encoder(accept)
    except (TypeError, ValueError):  # a version that is not made of numbers
        return choose_encoder("")
