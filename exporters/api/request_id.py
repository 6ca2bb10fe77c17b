"""One name for a request, in its answer and in every log line that it causes."""

from __future__ import annotations

import re
import uuid

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

HEADER = "X-Request-ID"
REQUEST_ID = web.RequestKey("request_id", str)
ROUTE = web.RequestKey("route", str)
"""The route's pattern, without ids; not there for what could not be read or routed."""
_SANE = re.compile(r"[A-Za-z0-9._-]{8,64}")
"""What a proxy in front makes; anything else could carry whatever its sender likes into logs."""


@web.middleware
async def with_request_id(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Keep the caller's name for the request where it is a sane one, else make one."""
    name = request_id(request)
    resource = request.match_info.route.resource
    if resource is not None:
        request[ROUTE] = resource.canonical
    with structlog.contextvars.bound_contextvars(request_id=name):
        return await handler(request)


def request_id(request: web.BaseRequest) -> str:
    """The request's name; made now where it has none yet."""
    known = request.get(REQUEST_ID)
    if isinstance(known, str):
        return known
    given = request.headers.get(HEADER, "")
    name = request[REQUEST_ID] = given if _SANE.fullmatch(given) else uuid.uuid4().hex
    return name
