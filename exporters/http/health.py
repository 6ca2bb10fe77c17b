"""/healthz, /readyz and /metrics: from memory, whatever the database does."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import hdrs, web
from prometheus_client.exposition import choose_encoder, gzip_accepted
from prometheus_client.registry import Collector

from exporters.http.context import context_of
from exporters.http.errors import json_response
from exporters.http.shapes.base import Fault
from exporters.http.shapes.service import Alive, NotReady, Ready
from monitor.status import Status


async def healthz(_: web.Request) -> web.Response:
    """The process serves requests."""
    return json_response(Alive(status="ok"))


async def readyz(request: web.Request) -> web.Response:
    """Ready for work; if not, 503 with every reason."""
    status = context_of(request).board.current
    reasons = not_ready_because(status)
    if not reasons:
        return json_response(Ready(ready=True, reasons=[]))
    error = Fault(code="not_ready", message=" ".join(reasons))
    return json_response(NotReady(ready=False, reasons=reasons, error=error), status=503)


def not_ready_because(status: Status) -> list[str]:
    """Sentences, one for each thing that is missing."""
    if not status.database_up:
        return [status.database_error or "The database has not answered yet."]
    if not status.state_schema_current:
        return ["The state schema is missing or not of this version: run `conservator init`."]
    return []


async def metrics(request: web.Request) -> web.Response:
    """Prometheus text or OpenMetrics, as the scraper prefers."""
    encode, content_type = _encoder(",".join(request.headers.getall(hdrs.ACCEPT, [])))
    response = web.Response(
        body=encode(context_of(request).registry), headers={hdrs.CONTENT_TYPE: content_type}
    )
    if gzip_accepted(request.headers.get(hdrs.ACCEPT_ENCODING, "")):
        response.enable_compression(web.ContentCoding.gzip)
    return response


def _encoder(accept: str) -> tuple[Callable[[Collector], bytes], str]:
    try:
        return choose_encoder(accept)
    except (TypeError, ValueError):  # a version that is not made of numbers
        return choose_encoder("")
