"""The port: how many connections it takes, and how long each may keep us waiting.

A connection that has sent no whole header within `idle_seconds` of its opening, or of the last
answer, is closed: that is aiohttp's keep-alive timer, which runs from the first byte's absence on.
Bodies have a deadline of their own (`body.py`).
"""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from dataclasses import dataclass
from typing import Any

import structlog
from aiohttp import web

from exporters.api.access_log import AccessLog
from exporters.api.buckets import client_of
from exporters.api.errors import ApiError, complete_headers, error_response
from exporters.refusals import Refusals, Refused

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one port takes."""

    idle_seconds: float = 20.0
    """For a whole header, and between requests. Not a usual scrape interval, so that a scraper's
    next request doesn't meet the closing of its connection."""
    handshake_seconds: float = 10.0
    lingering_seconds: float = 2.0
    """How long the rest of a body that nobody wants is still read, so that the answer arrives."""
    connections: int = 768
    """Below the 1,024 open files that a process usually gets."""
    connections_of_one_client: int = 512


class Crowd:
    """Counts open connections by client."""

    def __init__(self, limits: Limits, refusals: Refusals) -> None:
        self.limits = limits
        self._refusals = refusals
        self._open: Counter[str] = Counter()

    def enter(self, client: str) -> bool:
        """Counts a connection; False where it is one too many. `leave` must follow in any case."""
        self._open[client] += 1
        fits = (
            self._open[client] <= self.limits.connections_of_one_client
            and self._open.total() <= self.limits.connections
        )
        if not fits:
            self._refusals.count(Refused.TOO_MANY_CONNECTIONS)
        return fits

    def leave(self, client: str) -> None:
        """The connection is gone."""
        self._open[client] -= 1
        if self._open[client] <= 0:
            del self._open[client]


class Connection(web.RequestHandler):
    """One connection. What can't be read as HTTP is answered in our form, and logged without its
    bytes: they may hold a token."""

    __slots__ = ("_client", "_crowd")

    def __init__(self, manager: web.Server, crowd: Crowd, **options: Any) -> None:
        super().__init__(manager, **options)
        self._crowd = crowd
        self._client: str | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Close it at once where it is one too many."""
        super().connection_made(transport)
        peer = transport.get_extra_info("peername")
        self._client = client_of(peer[0] if peer else None)
        if not self._crowd.enter(self._client) and isinstance(transport, asyncio.Transport):
            transport.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Make room."""
        super().connection_lost(exc)
        if self._client is not None:
            self._crowd.leave(self._client)
            self._client = None

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what never reached the application. It ends the connection."""
        if request.writer.output_size > 0:
            raise ConnectionError("An answer has begun already.")
        if status < web.HTTPInternalServerError.status_code:
            log.info("request_unreadable", kind=type(exc).__name__, client=request.remote or "")
            error = ApiError(status, "bad_request", "The request could not be read as HTTP/1.1.")
        else:
            log.error("request_failed", kind=type(exc).__name__, exc_info=exc)
            error = ApiError(status, "internal", "Something unforeseen went wrong.")
        response = error_response(error)
        complete_headers(request, response)
        response.force_close()
        return response


class Site(web.BaseSite):
    """A port of the application, within limits."""

    __slots__ = ("_crowd", "_host", "_port")

    def __init__(
        self,
        runner: web.BaseRunner,
        host: str,
        port: int,
        *,
        refusals: Refusals,
        limits: Limits = Limits(),
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(runner, ssl_context=ssl_context, backlog=512)
        self._host = host
        self._port = port
        self._crowd = Crowd(limits, refusals)

    @property
    def name(self) -> str:
        """Where it listens."""
        scheme = "http" if self._ssl_context is None else "https"
        return f"{scheme}://{self._host}:{self._port}"

    async def start(self) -> None:
        """Listen. Raises OSError when the port can't be had."""
        await super().start()
        server, loop, limits = self._runner.server, asyncio.get_running_loop(), self._crowd.limits
        assert server is not None

        def connection() -> Connection:
            return Connection(
                server,
                self._crowd,
                loop=loop,
                access_log_class=AccessLog,
                keepalive_timeout=limits.idle_seconds,
                lingering_time=limits.lingering_seconds,
            )

        self._server = await loop.create_server(
            connection,
            self._host,
            self._port,
            ssl=self._ssl_context,
            ssl_handshake_timeout=None if self._ssl_context is None else limits.handshake_seconds,
            backlog=self._backlog,
        )
