"""A database that is far away: a proxy that holds everything back, and counts the round trips."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.protocol import Message, Request
from tests.support.proxy import Link, Proxy

_BEGINS = "BEGIN"
_WRITES_BATCH = 'INSERT INTO "conservator".batch ('


@dataclass(frozen=True, slots=True)
class Transaction:
    """What came between a BEGIN and the next one on the same connection: the statements of each
    round trip."""

    trips: tuple[tuple[str, ...], ...]

    @property
    def statements(self) -> int:
        """In all trips together."""
        return sum(map(len, self.trips))

    @property
    def is_batch(self) -> bool:
        """It writes a batch."""
        return any(text.startswith(_WRITES_BATCH) for trip in self.trips for text in trip)

    def asks(self, what: str) -> bool:
        """Whether a statement of it has these words."""
        return any(what in text for trip in self.trips for text in trip)


@dataclass(slots=True)
class _Way:
    """One direction of a connection: what is under way arrives in its order."""

    writer: asyncio.StreamWriter
    due: deque[tuple[float, bytes]] = field(default_factory=deque)


class Distance(Proxy):
    """Each direction takes half of `seconds`, the time of a round trip."""

    def __init__(self, server: Path, seconds: float) -> None:
        super().__init__(server)
        self.seconds = seconds
        self._ways: dict[tuple[int, bool], _Way] = {}
        self._asked: list[tuple[int, tuple[str, ...]]] = []

    def forget(self) -> None:
        """What was asked so far."""
        self._asked.clear()

    async def ask(self, link: Link, request: Request) -> None:
        """Arrives later."""
        self._asked.append((link.number, tuple(asked.text for asked in request.statements)))
        self._send((link.number, True), link.server, request.wire)

    def answer(self, link: Link, message: Message) -> None:
        """Arrives later."""
        self._send((link.number, False), link.client, message.wire)

    def _send(self, key: tuple[int, bool], writer: asyncio.StreamWriter, wire: bytes) -> None:
        loop = asyncio.get_running_loop()
        way = self._ways.setdefault(key, _Way(writer))
        due = loop.time() + self.seconds / 2
        way.due.append((due, wire))
        if len(way.due) == 1:
            loop.call_at(due, self._arrive, way)

    def _arrive(self, way: _Way) -> None:
        loop = asyncio.get_running_loop()
        while way.due and way.due[0][0] <= loop.time():
            way.writer.write(way.due.popleft()[1])
        if way.due:
            loop.call_at(way.due[0][0], self._arrive, way)

    @property
    def transactions(self) -> list[Transaction]:
        """Everything that was asked, in the order in which the transactions began."""
        return [Transaction(tuple(trips)) for trips in _by_transaction(self._asked)]

    @property
    def batches(self) -> list[Transaction]:
        """Those that wrote a batch."""
        return [one for one in self.transactions if one.is_batch]


def _by_transaction(
    asked: Iterable[tuple[int, tuple[str, ...]]],
) -> list[list[tuple[str, ...]]]:
    found: list[list[tuple[str, ...]]] = []
    current: dict[int, list[tuple[str, ...]]] = {}
    for link, trip in asked:
        if trip[0].startswith(_BEGINS) or link not in current:
            current[link] = []
            found.append(current[link])
        current[link].append(trip)
    return found
