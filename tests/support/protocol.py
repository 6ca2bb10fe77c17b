"""Messages of PostgreSQL's protocol, version 3: where a request ends, and what it asks.

https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

from __future__ import annotations

import asyncio
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass

QUERY, PARSE, SYNC = b"Q", b"P", b"S"
READY = b"Z"
ENDS_STATEMENT = frozenset({b"C", b"I", b"s"})
"""CommandComplete, EmptyQueryResponse, PortalSuspended."""
ERROR = b"E"
_ENDS_REQUEST = frozenset({QUERY, SYNC})
_UNANSWERED = frozenset({b"X", b"p"})
"""Terminate, and what belongs to logging in: passed on at once."""
_ENCRYPTION = frozenset({80877103, 80877104})
"""SSLRequest and GSSENCRequest, which a unix socket has no use for."""

_COMMENT = re.compile(r"--[^\n]*\n|/\*.*?\*/", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Message:
    """One message, with its type byte; the first of a connection has none."""

    kind: bytes
    body: bytes

    @property
    def wire(self) -> bytes:
        """As it travels; the length counts itself."""
        return self.kind + struct.pack("!i", len(self.body) + 4) + self.body


@dataclass(frozen=True, slots=True)
class Request:
    """Messages of a client up to the point where the server answers all of them."""

    messages: tuple[Message, ...]

    @property
    def wire(self) -> bytes:
        """As it travels."""
        return b"".join(message.wire for message in self.messages)

    @property
    def is_answered(self) -> bool:
        """Whether a ReadyForQuery comes back."""
        return self.messages[-1].kind in _ENDS_REQUEST

    @property
    def statements(self) -> tuple[Asked, ...]:
        """What it asks, one after the other; the last one has its end."""
        parts: list[list[Message]] = [[]]
        for message in self.messages:
            if message.kind in (QUERY, PARSE) and _text(parts[-1]) is not None:
                parts.append([])
            parts[-1].append(message)
        return tuple(Asked(_text(part) or "", tuple(part)) for part in parts)


@dataclass(frozen=True, slots=True)
class Asked:
    """One statement of a request."""

    text: str
    """Its SQL on one line, without comments."""
    messages: tuple[Message, ...]

    @property
    def wire(self) -> bytes:
        """As it travels."""
        return b"".join(message.wire for message in self.messages)

    @property
    def refused(self) -> Asked:
        """The same with a text that no server takes: it fails, and what follows in its request is
        skipped."""
        return Asked(self.text, tuple(_unreadable(message) for message in self.messages))


@dataclass(frozen=True, slots=True)
class ErrorTold:
    """An error as a server says it."""

    sqlstate: str
    message: str
    context: str = ""

    @property
    def told(self) -> Message:
        """The ErrorResponse."""
        fields = {"S": "ERROR", "V": "ERROR", "C": self.sqlstate, "M": self.message}
        if self.context:
            fields["W"] = self.context
        body = b"".join(f"{key}{value}".encode() + b"\0" for key, value in fields.items())
        return Message(ERROR, body + b"\0")


FLUSH = Message(b"H", b"")
"""Has the server answer what it was asked so far."""


def _text(messages: Sequence[Message]) -> str | None:
    for message in messages:
        if message.kind == QUERY:
            return _plain(message.body)
        if message.kind == PARSE:
            return _plain(message.body.split(b"\0", 1)[1])
    return None


def _unreadable(message: Message) -> Message:
    if message.kind == QUERY:
        return Message(QUERY, b"REFUSED\0")
    if message.kind == PARSE:
        return Message(PARSE, message.body.split(b"\0", 1)[0] + b"\0REFUSED\0\0\0")
    return message


def _plain(text: bytes) -> str:
    sql = text.split(b"\0", 1)[0].decode(errors="replace")
    return " ".join(_COMMENT.sub(" ", sql).split())


async def read_startup(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Message:
    """The first message of a client, once it has given up on encryption."""
    while True:
        body = await _body(reader)
        if struct.unpack("!i", body[:4])[0] not in _ENCRYPTION:
            return Message(b"", body)
        writer.write(b"N")


async def read_message(reader: asyncio.StreamReader) -> Message:
    """The next message with a type byte. Raises IncompleteReadError at the end."""
    kind = await reader.readexactly(1)
    return Message(kind, await _body(reader))


async def read_request(reader: asyncio.StreamReader) -> Request:
    """The next request of a client, whole. Raises IncompleteReadError at the end."""
    messages = []
    while True:
        message = await read_message(reader)
        messages.append(message)
        if message.kind in _ENDS_REQUEST or message.kind in _UNANSWERED:
            return Request(tuple(messages))


async def _body(reader: asyncio.StreamReader) -> bytes:
    (length,) = struct.unpack("!i", await reader.readexactly(4))
    return await reader.readexactly(length - 4)
