"""What comes before any route: a request that can't be read is answered like all others, in JSON.

aiohttp would answer in plain text, and log a traceback with the line that it could not read: that
line may hold a token.
"""

from __future__ import annotations

import structlog
from aiohttp import web
from aiohttp.http_exceptions import LineTooLong

from exporters.api.errors import bad_request, complete, error_response

log = structlog.get_logger(__name__)

TOO_LONG = "The request's address, or one of its headers, is too long to be read."
UNREADABLE = "The request could not be read: it is not HTTP/1.1 as it should be."


class _Protocol(web.RequestHandler):
    """One connection."""

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
