"""The application: every route, around them the access log and the answers to errors. And its port:
connections are bounded, and even what can't be read is answered in JSON.

What aiohttp offers bounds the rest: idle connections and unfinished requests, the length of a line,
bodies that nobody wants. docs/security.md says what is left to a reverse proxy.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any

import structlog
from aiohttp import hdrs, web
from aiohttp.http_exceptions import LineTooLong
from prometheus_client import CollectorRegistry

from exporters.http.auth import AUTHORIZER, Authorizer, Tokens
from exporters.http.errors import TOO_LONG, ApiError
from exporters.http.events import SSE_TIMEOUTS, SseTimeouts
from exporters.http.limits import MAX_CONNECTIONS, ConnectionLimiter, client_of
from exporters.http.middlewares import (
    access_log_middleware,
    error_response,
    errors_middleware,
    log_unreadable_request,
    send_request_id,
)
from exporters.http.routes import ROUTES
from exporters.http.routing import CONTEXT, Context, add_route
from exporters.page.state import PageState
from exporters.prometheus import Clock, create_registry
from monitor.commands import Commands
from monitor.status import StatusBoard

log = structlog.get_logger(__name__)

UNREADABLE = "The request could not be read: it is not HTTP/1.1 as it should be."
IDLE_SECONDS = 20.0
"""How long a connection is kept that brings no whole request. No usual scrape interval, so that a
scraper's next request does not meet the end of its connection."""
HANDSHAKE_SECONDS = 10.0
UNWANTED_BODY_SECONDS = 2.0
"""So long is read of a body that nobody wants: many a client reads no answer before it has sent
everything."""
SHUTDOWN_SECONDS = 1.0
"""The service has stopped by then: whoever still waits for an answer gets none."""
FAREWELL_SECONDS = 2.0
"""How long a client may take to answer the end of a TLS connection."""
BACKLOG = 64
"""Connections that wait to be taken in."""
AT_ONCE = BACKLOG // 4
"""Connections that are taken in by one turn of the loop. One too many is dropped two turns later,
and closed after another: beside those that are served, at most BACKLOG are open."""
ROOM_SECONDS = 0.5
"""How often, at most, an idle connection makes room for those that no descriptor was left for."""
STARVED_SECONDS = 60.0
"""How often it is said that connections wait for a free file descriptor."""
ExceptionHandler = Callable[[asyncio.AbstractEventLoop, dict[str, Any]], object]
_FULL = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
UNTAKEN_SECONDS = 20.0
"""How long a client may leave untaken what is beyond the system's buffers."""
SEND_BUFFER_BYTES = 131_072
"""Asked of the system for each connection, where it would grow to megabytes for a deaf client."""
_HEADERS = {
    hdrs.CACHE_CONTROL: "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""On every response that doesn't say otherwise: nothing is stored, framed, sniffed or run."""


def create_app(
    board: StatusBoard,
    commands: Commands,
    tokens: Tokens,
    *,
    observe: bool = False,
    clock: Clock = time.monotonic,
    registry: CollectorRegistry | None = None,
    backfills_a_minute: int | None = None,
) -> web.Application:
    """The HTTP side of the service.

    `observe`: `healing.mode` is observe. `clock` is the one by which the snapshot's monotonic
    moments were taken. `registry` defaults to one over `board`; what this side counts is added to
    it. `backfills_a_minute`: of one client; None: any number. Serve it with aiohttp's access log
    off: ours is in `middlewares`, and aiohttp's may carry tokens.
    """
    app = web.Application(
        middlewares=[access_log_middleware, errors_middleware],
    )
    registry = registry or create_registry(board, observe=observe, clock=clock)
    authorizer = Authorizer(tokens, clock=clock, backfills_a_minute=backfills_a_minute)
    registry.register(authorizer.refused)
    page = PageState(
        board,
        commands,
        observe=observe,
        may_act=lambda: bool(authorizer.tokens.admin),
        clock=clock,
    )

    async def close_page(_: web.Application) -> None:
        await page.close()

    app[AUTHORIZER] = authorizer
    app[CONTEXT] = Context(board, commands, registry, observe, clock, page, ROUTES)
    app[SSE_TIMEOUTS] = SseTimeouts()
    app.on_shutdown.append(close_page)
    app.on_response_prepare.append(_harden_response)
    app.on_response_prepare.append(send_request_id)
    for route in ROUTES:
        add_route(app, route)
    return app


def exchange_tokens(app: web.Application, tokens: Tokens) -> None:
    """From now on these tokens. Streams that were opened with another one end."""
    app[AUTHORIZER].tokens = tokens
    app[CONTEXT].page.broadcaster.wake()


async def _harden_response(request: web.Request, response: web.StreamResponse) -> None:
    """Complete the headers of a response that goes out."""
    _harden(response)
    if request.secure:
        response.headers.setdefault(hdrs.STRICT_TRANSPORT_SECURITY, "max-age=31536000")


def _harden(response: web.StreamResponse) -> None:
    """Add what every response has unless it says otherwise."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers[hdrs.SERVER] = "conservator"


class Connection(web.RequestHandler):
    """One connection. aiohttp would answer what it can't read in plain text, and log the line that
    it could not read, which may hold a token."""

    def __init__(self, manager: web.Server, limiter: ConnectionLimiter) -> None:
        super().__init__(
            manager,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type]  # ours holds no query
            # Bodies would be unpacked before it is known who sends them.
            auto_decompress=False,
            keepalive_timeout=IDLE_SECONDS,
            lingering_time=UNWANTED_BODY_SECONDS,
        )
        self._limiter = limiter
        self._client = ""
        self._socket: asyncio.Transport | None = None
        self._taken_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Serve it; or close it at once where it is one too many."""
        super().connection_made(transport)
        assert isinstance(transport, asyncio.Transport)
        self._socket = transport
        # What is beyond the system's buffers is waited for from the start.
        transport.set_write_buffer_limits(high=0)
        wire = transport.get_extra_info("socket")
        if wire is not None:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        peer = transport.get_extra_info("peername")
        self._client = client_of(str(peer[0])) if peer else ""
        if not self._limiter.enter(self._client, self):
            self.drop()

    def data_received(self, data: bytes) -> None:
        """The client has sent something."""
        self._limiter.spoke(self._client, self)
        super().data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        """It has been closed by either side."""
        self._stop_waiting()
        self._limiter.leave(self._client, self)
        super().connection_lost(exc)

    @property
    def is_idle(self) -> bool:
        """Whether it waits for its next request, or for the rest of one."""
        return self._waiter is not None and not self._waiter.done()

    def drop(self) -> None:
        """Close it at once: what it was sent the system keeps for it."""
        self.force_close()
        assert self._socket is not None
        self._socket.abort()

    def pause_writing(self) -> None:
        """The client leaves something untaken."""
        super().pause_writing()
        loop = asyncio.get_running_loop()
        self._taken_due = loop.call_later(UNTAKEN_SECONDS, self._abandon)

    def resume_writing(self) -> None:
        """It has taken everything."""
        self._stop_waiting()
        super().resume_writing()

    def _stop_waiting(self) -> None:
        if self._taken_due is not None:
            self._taken_due.cancel()
            self._taken_due = None

    def _abandon(self) -> None:
        log.info("answer_not_taken", client=self._client)
        assert self._socket is not None
        # A mere close would wait until the client has taken the rest.
        self._socket.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what could not be read; it ends the connection."""
        if status != web.HTTPBadRequest.status_code:
            return super().handle_error(request, status, exc, message)
        sentence = TOO_LONG if isinstance(exc, LineTooLong) else UNREADABLE
        response = error_response(ApiError("bad_http", sentence))
        _harden(response)
        log_unreadable_request(response, exc, request.remote)
        response.force_close()
        return response


class HttpServer:
    """Serves an application at one port, to so many `connections` at a time."""

    def __init__(self, app: web.Application, *, connections: int = MAX_CONNECTIONS) -> None:
        self.app = app
        self._runner = web.AppRunner(app, shutdown_timeout=SHUTDOWN_SECONDS)
        self._listener: asyncio.Server | None = None
        self._limiter = ConnectionLimiter(app[AUTHORIZER].refused, most=connections)
        # Who follows a live page is never idle: the others must not be kept out by them.
        broadcaster = app[CONTEXT].page.broadcaster
        broadcaster.max_streams = min(broadcaster.max_streams, connections // 2)
        self._handler: ExceptionHandler | None = None
        """The loop's own, while ours is there."""
        self._made_room = -ROOM_SECONDS
        self._starved: float | None = None
        """When it was said last that there are too many open files, on the loop's clock."""

    async def start(
        self, host: str, port: int, *, ssl_context: ssl.SSLContext | None = None
    ) -> None:
        """Listen. Raises OSError where the port can't be had, and nothing is left open then."""
        await self._runner.setup()
        manager = self._runner.server
        assert manager is not None
        loop, secured = asyncio.get_running_loop(), ssl_context is not None
        try:
            self._listener = await loop.create_server(
                lambda: Connection(manager, self._limiter),
                host,
                port,
                backlog=AT_ONCE,
                ssl=ssl_context,
                ssl_handshake_timeout=HANDSHAKE_SECONDS if secured else None,
                ssl_shutdown_timeout=FAREWELL_SECONDS if secured else None,
            )
        except OSError:
            await self.cleanup()
            raise
        for one in self._listener.sockets:
            # The loop takes in as many at a time as may wait, and more may wait.
            with socket.socket(fileno=os.dup(one.fileno())) as same:
                same.listen(BACKLOG)
        self._handler = loop.get_exception_handler()
        loop.set_exception_handler(self._look_at_failure)

    def _look_at_failure(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Every failed accept() is told the loop, which tries again within a second."""
        error = context.get("exception")
        if not (isinstance(error, OSError) and error.errno in _FULL and "socket" in context):
            loop.default_exception_handler(context)
            return
        # A full table is told once for each place of the backlog: room is made for one of them.
        if loop.time() - self._made_room >= ROOM_SECONDS:
            self._made_room = loop.time()
            self._limiter.make_room(1)
        if self._starved is None or loop.time() - self._starved >= STARVED_SECONDS:
            self._starved = loop.time()
            log.error("connections_wait", error=error.strerror)

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Every address with the port, as it is listened at."""
        sockets = () if self._listener is None else self._listener.sockets
        return [one.getsockname()[:2] for one in sockets]

    async def cleanup(self) -> None:
        """Close the port, end what is open, free what the application holds."""
        if self._listener is not None:
            self._listener.close()
            asyncio.get_running_loop().set_exception_handler(self._handler)
        await self._runner.cleanup()
