"""A proxy between client and server that knows where questions and answers end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from tests.support.protocol import (
    ErrorTold,
    Message,
    Request,
    read_message,
    read_request,
    read_startup,
)

_ENDS = (asyncio.IncompleteReadError, asyncio.CancelledError, OSError)
"""How a connection comes to its end; the last but one, when the stage is cleared."""
SOCKET = ".s.PGSQL.5432"


@dataclass(slots=True)
class Link:
    """One connection of a client, and the one to the server that stands for it."""

    number: int
    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    last: str = ""
    """The statement before."""
    silent: bool = False
    """Answers are swallowed."""
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    """The server has answered the whole request."""
    unanswered: int = 0
    """Statements of the request that were passed on."""
    done: asyncio.Event = field(default_factory=asyncio.Event)
    """It has answered each of them."""
    gone: bool = False
    error: ErrorTold | None = None
    """What the client is told in place of the server's next error."""

    def cut(self) -> None:
        """End both sides at once."""
        self.gone = True
        self.client.transport.abort()
        self.server.transport.abort()

    def sever(self, seconds: float) -> None:
        """End the client's side; the server's lives on for `seconds`."""
        self.gone = True
        self.client.transport.abort()
        asyncio.get_running_loop().call_later(seconds, self.server.transport.abort)


class Proxy:
    """Stands in a directory as a server would, in front of the one in `server`, and passes on
    whatever comes."""

    def __init__(self, server: Path) -> None:
        self._server = server
        self._tasks: set[asyncio.Task[None]] = set()
        self._links = count(1)

    @contextlib.asynccontextmanager
    async def at(self, folder: Path) -> AsyncIterator[None]:
        """Listen in `folder`."""
        listening = await asyncio.start_unix_server(self._serve, folder / SOCKET)
        try:
            yield
        finally:
            listening.close()
            for task in tuple(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def ask(self, link: Link, request: Request) -> None:
        """A request that the server will answer."""
        link.server.write(request.wire)

    def answer(self, link: Link, message: Message) -> None:
        """A message of the server."""
        link.client.write(message.wire)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with _closing(writer), contextlib.suppress(*_ENDS):
            answers, requests = await asyncio.open_unix_connection(self._server / SOCKET)
            link = Link(next(self._links), writer, requests)
            with _closing(requests):
                requests.write((await read_startup(reader, writer)).wire)
                await self._carry(link, reader, answers)

    async def _carry(
        self, link: Link, reader: asyncio.StreamReader, answers: asyncio.StreamReader
    ) -> None:
        """Both ways, until one side has had enough."""
        ways = {
            asyncio.create_task(self._ask(link, reader)),
            asyncio.create_task(self._answer(link, answers)),
        }
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            if link.gone:
                # Severed: the server's side ends when its time has come.
                await asyncio.wait(ways)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _ask(self, link: Link, reader: asyncio.StreamReader) -> None:
        while not link.gone:
            request = await read_request(reader)
            if request.is_answered:
                await self.ask(link, request)
            else:
                link.server.write(request.wire)

    async def _answer(self, link: Link, answers: asyncio.StreamReader) -> None:
        while True:
            self.answer(link, await read_message(answers))


class Recorder(Proxy):
    """Notes every statement that is asked for."""

    def __init__(self, server: Path) -> None:
        super().__init__(server)
        self.texts: dict[str, None] = {}
        """Each once, in the order in which they came."""

    async def ask(self, link: Link, request: Request) -> None:
        """As it comes."""
        self.texts |= dict.fromkeys(asked.text for asked in request.statements)
        await super().ask(link, request)


@contextlib.contextmanager
def _closing(writer: asyncio.StreamWriter) -> Iterator[None]:
    try:
        yield
    finally:
        writer.close()
