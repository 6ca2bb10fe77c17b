"""What comes before any route: a request that can't be read is answered like all others, in JSON;
one that never comes to an end holds nothing but its own connection, and that not for long.

aiohttp would answer in plain text, and log a traceback with the line that it could not read: that
line may hold a token.
"""

from __future__ import annotations

import asyncio

import structlog
from aiohttp import web
from aiohttp.http_exceptions import LineTooLong

from exporters.api.errors import bad_request, complete, error_response

log = structlog.get_logger(__name__)

TOO_LONG = "The request's address, or one of its headers, is too long to be read."
HEAD_SECONDS = 10.0
"""How long a connection may take to bring its first request's line and headers."""
IDLE_SECONDS = 75.0
"""How long an idle connection is kept; a request that has begun may take as long to be whole."""
UNREADABLE = "The request could not be read: it is not HTTP/1.1 as it should be."


class _Protocol(web.RequestHandler):
    """One connection. Whoever opens it has to ask for something; later requests are waited for as
    long as an idle connection is kept."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait."""
        super().connection_made(transport)
        self._head_due = self._loop.call_later(HEAD_SECONDS, self._head_is_late)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Nobody is waited for any more."""
        self._head_due.cancel()
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
        log.info("request_unreadable", error=type(exc).__name__)
        sentence = TOO_LONG if isinstance(exc, LineTooLong) else UNREADABLE
        response = error_response(bad_request(sentence, "bad_http"))
        complete(response)
        response.force_close()
        return response


class _Server(web.Server):
    """Makes a protocol for each connection."""

    def __call__(self) -> web.RequestHandler:
        return _Protocol(self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """Runs an application so that even what no handler sees is answered in JSON."""

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return _Server(made.request_handler, request_factory=made.request_factory, **made._kwargs)
