"""One connection each: what comes too late, too much of it or unreadably, and who doesn't listen.

aiohttp would answer what it can't read in plain text, and log a traceback with the line that it
could not read: that line may hold a token. It would unpack bodies for strangers, read to its end
what nobody wants, and keep for good what a client doesn't take.
"""

from __future__ import annotations

import asyncio
import socket
from collections import Counter

import structlog
from aiohttp import StreamReader, web
from aiohttp.http_exceptions import LineTooLong

from exporters.http.errors import bad_request, complete, error_response
from exporters.http.gate import Gate, Reason
from exporters.http.rates import client_of
from exporters.http.requests import tell_unreadable

log = structlog.get_logger(__name__)

TOO_LONG = "The request's address, or one of its headers, is too long to be read."
UNREADABLE = "The request could not be read: it is not HTTP/1.1 as it should be."
HEAD_SECONDS = 10.0
"""How long a connection may take to bring its first request's line and headers."""
TAKEN_SECONDS = 20.0
"""How long a client may leave untaken what is beyond the system's buffers."""
SEND_BUFFER_BYTES = 131_072
"""Asked of the system for each connection, where it would grow to megabytes for a deaf client."""
UNWANTED_BYTES = 1_048_576
UNWANTED_SECONDS = 2.0
"""So much, and so long, is read of a body that nobody wants: many a client reads no answer before
it has sent everything."""
MOST_CONNECTIONS = 768
"""Below the 1,024 open files that a process usually gets."""
MOST_OF_ONE_CLIENT = 512


class Room:
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


class Connection(web.RequestHandler):
    """Whoever opens it has to ask for something, and to take what is answered; later requests are
    waited for as long as an idle connection is kept."""

    def __init__(self, manager: web.Server, room: Room, **options: object) -> None:
        super().__init__(
            manager,
            auto_decompress=False,
            lingering_time=UNWANTED_SECONDS,
            **options,  # type: ignore[arg-type]
        )
        self._room = room
        self._client = ""
        self._wire: asyncio.Transport | None = None
        self._taken_due: asyncio.TimerHandle | None = None
        self._unwanted: StreamReader | None = None
        self._unwanted_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait; or close it at once where it is one too many."""
        super().connection_made(transport)
        assert isinstance(transport, asyncio.Transport)
        self._wire = transport
        self._head_due = self._loop.call_later(HEAD_SECONDS, self._head_is_late)
        # The system's buffers are all there is: what is beyond them is waited for from the start.
        transport.set_write_buffer_limits(high=0)
        wire = transport.get_extra_info("socket")
        if wire is not None:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        peer = transport.get_extra_info("peername")
        self._client = client_of(str(peer[0])) if peer else ""
        if not self._room.enter(self._client):
            transport.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Nobody is waited for any more."""
        self._head_due.cancel()
        self._stop_waiting()
        self._room.leave(self._client)
        super().connection_lost(exc)

    def _head_is_late(self) -> None:
        if self._request_count == 0:
            self.force_close()

    def pause_writing(self) -> None:
        """The client leaves something untaken."""
        super().pause_writing()
        self._taken_due = self._loop.call_later(TAKEN_SECONDS, self._is_not_taken)

    def resume_writing(self) -> None:
        """It has taken everything."""
        self._stop_waiting()
        super().resume_writing()

    def _stop_waiting(self) -> None:
        if self._taken_due is not None:
            self._taken_due.cancel()
            self._taken_due = None

    def _is_not_taken(self) -> None:
        log.info("answer_not_taken", client=self._client)
        assert self._wire is not None
        # A mere close would wait until the client has taken the rest.
        self._wire.abort()

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Answer. What of the body has not been read by then is wanted by nobody."""
        unread = not request.content.is_eof()
        if unread and (request.content_length or 0) > UNWANTED_BYTES:
            resp.force_close()
        finished = await super().finish_response(request, resp, start_time)
        if unread:
            self._unwanted, self._unwanted_bytes = request.content, UNWANTED_BYTES
        return finished

    def data_received(self, data: bytes) -> None:
        """Take it in; no more than some of what nobody wants."""
        if self._unwanted is not None:
            if self._unwanted.is_eof():
                self._unwanted = None
            else:
                self._unwanted_bytes -= len(data)
                if self._unwanted_bytes < 0:
                    self.force_close()
                    return
        super().data_received(data)

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
        response = error_response(bad_request(sentence, "bad_http"))
        complete(response)
        tell_unreadable(response, exc, request.remote)
        response.force_close()
        return response


__all__ = ["TOO_LONG", "UNREADABLE", "Connection", "Room"]
