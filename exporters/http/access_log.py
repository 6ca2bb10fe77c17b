"""Around every request: its id, in the log, in what it logs, and in the answer; and its line in the
access log, which never holds a token, a query or a body.
"""

from __future__ import annotations

import re
import time
import uuid

import structlog
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from exporters.http.auth import ROLE
from exporters.http.errors import route_of
from exporters.http.tokens import Role

log = structlog.get_logger(__name__)

REQUEST_ID = "X-Request-ID"
QUIET_ROUTES = frozenset({"/metrics", "/healthz", "/readyz", "/static/{name}"})
"""Asked for all the time: their lines are for who debugs."""
_PROXY_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""Ids that a proxy before us may have given; others are replaced."""
_ID = web.RequestKey("request_id", str)


@web.middleware
async def access_log_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request an id, and log it once it is answered."""
    given = request.headers.get(REQUEST_ID, "")
    request_id = given if _PROXY_ID.fullmatch(given) else uuid.uuid4().hex
    request[_ID] = request_id
    started = time.perf_counter()
    status, size = 0, 0
    with structlog.contextvars.bound_contextvars(request_id=request_id):
        try:
            response = await handler(request)
            status, size = response.status, response.body_length if response.prepared else 0
            if not response.prepared:
                body = getattr(response, "body", None)
                size = len(body) if isinstance(body, bytes) else 0
            return response
        finally:
            _log_request(request, status, size, time.perf_counter() - started)


async def send_request_id(request: web.Request, response: web.StreamResponse) -> None:
    """Put the id into the answer's headers."""
    request_id = request.get(_ID)
    if request_id is not None:
        response.headers[REQUEST_ID] = request_id


def log_unreadable_request(
    response: web.Response, error: BaseException | None, client: str | None
) -> None:
    """Id and line of what could not be read, of which nothing is repeated."""
    request_id = response.headers[REQUEST_ID] = uuid.uuid4().hex
    with structlog.contextvars.bound_contextvars(request_id=request_id):
        log.info("request_unreadable", error=type(error).__name__, client=client)
        log.info(
            "request",
            method="other",
            route="unknown",
            status=response.status,
            seconds=0.0,
            bytes=response.content_length or 0,
            client=client,
            role=Role.STRANGER.value,
        )


def _log_request(request: web.Request, status: int, size: int, seconds: float) -> None:
    route = route_of(request)
    failed = status >= web.HTTPInternalServerError.status_code
    write = log.debug if route in QUIET_ROUTES and not failed else log.info
    write(
        "request",
        method=request.method if request.method in hdrs.METH_ALL else "other",
        route=route or "unknown",
        status=status or None,  # None: the client went away before the answer
        seconds=round(seconds, 4),
        bytes=size,
        client=request.remote,
        role=request.get(ROLE, Role.STRANGER).value,
    )
