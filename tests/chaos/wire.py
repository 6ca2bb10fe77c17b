"""A proxy between client and server that knows where statements end, and strikes there."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from tests.chaos.faults import Boundary, Moment, Seen
from tests.chaos.protocol import (
    READY,
    Request,
    read_message,
    read_request,
    read_startup,
)

_ENDS = (asyncio.IncompleteReadError, asyncio.CancelledError, OSError)
"""How a connection comes to its end; the last but one, when the stage is cleared."""
_ENDS_TRANSACTION = ("COMMIT", "ROLLBACK")
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
    """The server has answered."""
    gone: bool = False

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


Act = Callable[[Link], Awaitable[None]]
"""What happens at a boundary. The request goes on afterwards, if its link is still there."""


class Wire:
    """Stands in a directory as a server would, in front of the one in `server`."""

    def __init__(self, server: Path) -> None:
        self.seen: list[Seen] = []
        """Every statement since the last `arm`, in the order in which they came."""
        self.struck = asyncio.Event()
        """What was armed has happened."""
        self._server = server
        self._counts: Counter[str] = Counter()
        self._at: Callable[[Boundary, Moment], bool] = _never
        self._act: Act | None = None
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

    def arm(self, at: Callable[[Boundary, Moment], bool], act: Act) -> None:
        """From here on count anew, and act at the first boundary for which `at` holds."""
        self.disarm()
        self._at, self._act = at, act
        self.struck = asyncio.Event()

    def disarm(self) -> None:
        """From here on count anew, and do nothing."""
        self.seen, self._counts = [], Counter()
        self._at, self._act = _never, None

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
            if not request.is_answered:
                link.server.write(request.wire)
                continue
            await self._pass_on(link, request)

    async def _pass_on(self, link: Link, request: Request) -> None:
        text = _named(request.statement, link.last)
        link.last = text
        self._counts[text] += 1
        boundary = Boundary(text, self._counts[text])
        self.seen.append(Seen(link.number, boundary))
        if self._strikes(boundary, Moment.BEFORE):
            await self._strike(link)
        elif self._strikes(boundary, Moment.AFTER):
            link.silent = True
            link.ready.clear()
            link.server.write(request.wire)
            await link.ready.wait()
            await self._strike(link)
            return
        if not link.gone:
            link.server.write(request.wire)

    def _strikes(self, boundary: Boundary, moment: Moment) -> bool:
        return self._act is not None and self._at(boundary, moment)

    async def _strike(self, link: Link) -> None:
        act, self._act = self._act, None
        assert act is not None
        self.struck.set()
        # What is done to a session ends this connection before it is done.
        acting = asyncio.create_task(_acting(act, link))
        self._tasks.add(acting)
        acting.add_done_callback(self._tasks.discard)
        await asyncio.shield(acting)

    async def _answer(self, link: Link, answers: asyncio.StreamReader) -> None:
        while True:
            message = await read_message(answers)
            if not link.silent:
                link.client.write(message.wire)
            if message.kind == READY:
                link.ready.set()


def _named(statement: str, before: str) -> str:
    """A transaction's end is told from others by what came before it."""
    return f"{statement} after {before}" if statement in _ENDS_TRANSACTION else statement


async def _acting(act: Act, link: Link) -> None:
    await act(link)


def _never(_: Boundary, __: Moment) -> bool:
    return False


@contextlib.contextmanager
def _closing(writer: asyncio.StreamWriter) -> Iterator[None]:
    try:
        yield
    finally:
        writer.close()
