"""/healthz, /readyz and /metrics: from memory, whatever the database does."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import hdrs, web
from prometheus_client.exposition import choose_encoder, gzip_accepted
from prometheus_client.registry import Collector

from exporters.http.errors import ApiError
from exporters.http.responses import Alive, Ready
from exporters.http.routing import ProbeCall
from monitor.status import Status


async def is_alive(_: ProbeCall) -> Alive:
    """Alive?

    The process serves requests. Never needs a token.
    """
    return Alive()


async def is_ready(call: ProbeCall) -> Ready:
    """Ready for work?

    The database is reachable, and the state schema the one that this version needs.
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
    return []


async def get_metrics(call: ProbeCall) -> web.Response:
    """Metrics for Prometheus.

    Prometheus text or OpenMetrics, as `Accept` prefers, compressed for who takes gzip. From memory:
    a scrape never touches the database.
    """
    headers = call.request.headers
    encode, content_type = _encoder(",".join(headers.getall(hdrs.ACCEPT, [])))
    response = web.Response(
        body=encode(call.context.registry), headers={hdrs.CONTENT_TYPE: content_type}
    )
    if gzip_accepted(headers.get(hdrs.ACCEPT_ENCODING, "")):
        response.enable_compression(web.ContentCoding.gzip)
    return response


def _encoder(accept: str) -> tuple[Callable[[Collector], bytes], str]:
    try:
        return choose_encoder(accept)
    except (TypeError, ValueError):  # a version that is not made of numbers
        return choose_encoder("")
