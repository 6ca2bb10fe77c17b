"""A proxy that strikes where statements end, also within one round trip."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.chaos.faults import Boundary, Moment, Seen
from tests.support.protocol import (
    ENDS_STATEMENT,
    ERROR,
    FLUSH,
    READY,
    Asked,
    ErrorTold,
    Message,
    Request,
)
from tests.support.proxy import Link, Proxy

_ENDS_TRANSACTION = ("COMMIT", "ROLLBACK")

Act = Callable[[Link], Awaitable[None]]
"""What happens at a boundary. The request goes on afterwards, if its link is still there."""
Fail = Callable[[Boundary], ErrorTold | None]
"""The error with which the server fails a statement, if it does."""


class Wire(Proxy):
    """Counts statements, and acts where it is told to."""

    def __init__(self, server: Path) -> None:
        super().__init__(server)
        self.seen: list[Seen] = []
        """Every statement since the last `arm`, in the order in which they came."""
        self.struck = asyncio.Event()
        """What was armed has happened."""
        self._counts: Counter[str] = Counter()
        self._at: Callable[[Boundary, Moment], bool] = _never
        self._act: Act | None = None
        self._fail: Fail | None = None

    def fail(self, by: Fail) -> None:
        """From here on count anew; the server fails each statement for which `by` has an error, as
        if it had that."""
        self.disarm()
        self._fail = by

    def arm(self, at: Callable[[Boundary, Moment], bool], act: Act) -> None:
        """From here on count anew, and act at the first boundary for which `at` holds."""
        self.disarm()
        self._at, self._act = at, act
        self.struck = asyncio.Event()

    def disarm(self) -> None:
        """From here on count anew, and do nothing."""
        self.seen, self._counts = [], Counter()
        self._at, self._act, self._fail = _never, None, None

    async def ask(self, link: Link, request: Request) -> None:
        """The statements of a request one after the other, until something ends its connection."""
        link.unanswered = 0
        asked = request.statements
        for statement in asked:
            boundary = self._note(link, statement, begins_trip=statement is asked[0])
            if self._strikes(boundary, Moment.BEFORE):
                await _answered(link)
                await self._strike(link)
            elif self._strikes(boundary, Moment.AFTER):
                link.silent = True
                _pass_on(link, statement)
                await _answered(link, whole=statement is asked[-1])
                await self._strike(link)
                return
            if link.gone:
                return
            _pass_on(link, self._failed(link, boundary, statement))

    def _failed(self, link: Link, boundary: Boundary, statement: Asked) -> Asked:
        """The statement, or what fails in its place."""
        if self._fail is None or link.error is not None:
            return statement
        link.error = self._fail(boundary)
        return statement if link.error is None else statement.refused

    def answer(self, link: Link, message: Message) -> None:
        """To the client, unless it is to hear nothing any more."""
        if message.kind == ERROR and link.error is not None:
            message, link.error = link.error.told, None
        if not link.silent:
            super().answer(link, message)
        if message.kind in ENDS_STATEMENT:
            link.unanswered -= 1
        elif message.kind == ERROR:
            # Nothing of what follows in this request is carried out.
            link.unanswered = 0
        if link.unanswered <= 0:
            link.done.set()
        if message.kind == READY:
            link.ready.set()

    def _note(self, link: Link, statement: Asked, *, begins_trip: bool) -> Boundary:
        text = _named(statement.text, link.last)
        link.last = text
        self._counts[text] += 1
        boundary = Boundary(text, self._counts[text], begins_trip)
        self.seen.append(Seen(link.number, boundary))
        return boundary

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


def _pass_on(link: Link, statement: Asked) -> None:
    link.unanswered += 1
    link.done.clear()
    link.ready.clear()
    link.server.write(statement.wire)


async def _answered(link: Link, *, whole: bool = False) -> None:
    """Until the server has carried out what was passed on; the `whole` request, with its end."""
    if whole:
        await link.ready.wait()
    elif link.unanswered > 0:
        link.server.write(FLUSH.wire)
        await link.done.wait()


def _named(statement: str, before: str) -> str:
    """A transaction's end is told from others by what came before it."""
    return f"{statement} after {before}" if statement in _ENDS_TRANSACTION else statement


async def _acting(act: Act, link: Link) -> None:
    await act(link)


def _never(_: Boundary, __: Moment) -> bool:
    return False
