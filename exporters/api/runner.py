"""What comes before any route: a request that can't be read is answered like all others, in JSON;
one that never comes to an end holds nothing but its own connection, and that not for long.

aiohttp would answer in plain text, and log a traceback with the line that it could not read: that
line may hold a token.
"""

from __future__ import annotations

import asyncio
from collections import Counter

import structlog
from aiohttp import web
from aiohttp.http_exceptions import LineTooLong

from exporters.api.errors import bad_request, complete, error_response
from exporters.api.gate import GATE, Gate, Reason
from exporters.api.rates import client_of

log = structlog.get_logger(__name__)

TOO_LONG = "The request's address, or one of its headers, is too long to be read."
HEAD_SECONDS = 10.0
"""How long a connection may take to bring its first request's line and headers."""
IDLE_SECONDS = 20.0
"""How long an idle connection is kept; a request that has begun may take as long to be whole. No
usual scrape interval, so that a scraper's next request does not meet the end of its connection."""
MOST_CONNECTIONS = 768
"""Below the 1,024 open files that a process usually gets."""
MOST_OF_ONE_CLIENT = 512
UNREADABLE = "The request could not be read: it is not HTTP/1.1 as it should be."


class _Room:
    """Open connections, by client."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._open: Counter[str] = Counter()

    def enter(self, client: str) -> bool:
        """Count a connection; False where it is one too many. `leave` follows in any case."""
        self._open[client] += 1
        fits = self._open[client] <= MOST_OF_ONE_CLIENT and self._open.total() <= MOST_CONNECTIONS
        if not fits:
            self._gate.turned_away(Reason.TOO_MANY_CONNECTIONS)
        return fits

    def leave(self, client: str) -> None:
        """The connection is gone."""
        self._open[client] -= 1
        if self._open[client] <= 0:
            del self._open[client]


class _Protocol(web.RequestHandler):
    """One connection. Whoever opens it has to ask for something; later requests are waited for as
    long as an idle connection is kept."""

    def __init__(self, manager: web.Server, room: _Room, **options: object) -> None:
        super().__init__(manager, **options)  # type: ignore[arg-type]
        self._room = room
        self._client = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait; or close it at once where it is one too many."""
        super().connection_made(transport)
        self._head_due = self._loop.call_later(HEAD_SECONDS, self._head_is_late)
        peer = transport.get_extra_info("peername")
        self._client = client_of(str(peer[0])) if peer else ""
        if not self._room.enter(self._client) and isinstance(transport, asyncio.Transport):
            transport.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Nobody is waited for any more."""
        self._head_due.cancel()
        self._room.leave(self._client)
        super().connection_lost(exc)

    def _head_is_late(self) -> None:
        if self._request_count == 0:
            self.force_close()

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
        log.info("request_unreadable", error=type(exc).__name__, client=request.remote)
        sentence = TOO_LONG if isinstance(exc, LineTooLong) else UNREADABLE
        response = error_response(bad_request(sentence, "bad_http"))
        complete(response)
        response.force_close()
        return response


class _Server(web.Server):
    """Makes a protocol for each connection."""

    room: _Room

    def __call__(self) -> web.RequestHandler:
        return _Protocol(self, self.room, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """Runs an application so that even what no handler sees is answered in JSON."""

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        server = _Server(made.request_handler, request_factory=made.request_factory, **made._kwargs)
        server.room = _Room(self.app[GATE])
        return server


class Site(web.TCPSite):
    """A port that waits for a TLS handshake as long as for a request."""

    async def start(self) -> None:
        """Listen. Raises OSError where the port can't be had."""
        if self._ssl_context is None:
            await super().start()
            return
        await web.BaseSite.start(self)
        server = self._runner.server
        assert server is not None
        self._server = await asyncio.get_running_loop().create_server(
            server,
            self._host,
            self._port,
            ssl=self._ssl_context,
            ssl_handshake_timeout=HEAD_SECONDS,
            backlog=self._backlog,
        )


__all__ = ["HEAD_SECONDS", "IDLE_SECONDS", "TOO_LONG", "UNREADABLE", "Runner", "Site"]
