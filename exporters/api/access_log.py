"""One line for each request: never a token, an id, or anything else that the caller wrote.

The route's pattern stands for the path, since paths and queries carry ids, and what was mistyped
may be a secret. A method is one of those that HTTP knows.
"""

from __future__ import annotations

import structlog
from aiohttp import hdrs, web
from aiohttp.abc import AbstractAccessLogger

from exporters.api.doorman import ROLE
from exporters.api.request_id import ROUTE, request_id
from exporters.api.tokens import Role

log = structlog.get_logger(__name__)


class AccessLog(AbstractAccessLogger):
    """Hands every answer, once it is sent, to the service's log."""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """`time`: seconds from the whole header to the end of the answer."""
        log.info(
            "request",
            method=request.method if request.method in hdrs.METH_ALL else "other",
            route=request.get(ROUTE, ""),
            status=response.status,
            seconds=round(time, 6),
            bytes=response.body_length,
            client=request.remote or "",
            role=request.get(ROLE, Role.STRANGER),
            request_id=request_id(request),
        )
