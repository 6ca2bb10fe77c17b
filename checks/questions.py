"""Questions that the database may refuse: each is one round trip, and bounded in its time.

Whatever the answer, the transaction is taken back to where it was: a refused statement poisons
nothing, no lock of it stays, and the bound on its time ends there.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta

import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.pipeline import Rows, Statement, is_aborted, send
from checks.statements import render

_SAVEPOINT = Statement("SAVEPOINT question")
_TAKE_BACK = (
    Statement("ROLLBACK TO SAVEPOINT question"),
    Statement("RELEASE SAVEPOINT question"),
)


class Questions:
    """Asks on a connection that is inside a transaction that only reads."""

    def __init__(self, connection: AsyncConnection, patience: timedelta) -> None:
        """`patience` bounds each question; it never loosens a stricter bound."""
        self._connection = connection
        milliseconds = round(patience / timedelta(milliseconds=1))
        bound = render("checks", "catalogue_patience", {})
        self._bound = Statement(bound, {"milliseconds": milliseconds})

    @asynccontextmanager
    async def bounded(self) -> AsyncIterator[None]:
        """Whatever is asked of the connection meanwhile; what is refused raises."""
        await send(self._connection, (_SAVEPOINT, self._bound))
        yield
        await send(self._connection, _TAKE_BACK)

    async def ask(self, text: str, parameters: Mapping[str, object], *before: Statement) -> Rows:
        """What the statement returns, asked behind `before`, which ends with it. Raises the
        psycopg.Error with which it was refused; DBAPIError where that was the transaction's end."""
        question = (_SAVEPOINT, self._bound, *before, Statement(text, parameters))
        try:
            found = await send(self._connection, (*question, *_TAKE_BACK), read_only=True)
        except psycopg.Error as refused:
            # What the driver would not send, or could not read, has left nothing to take back.
            if await is_aborted(self._connection):
                await self._take_back(refused)
            raise
        return found[len(question) - 1]

    async def _take_back(self, refused: psycopg.Error) -> None:
        try:
            await send(self._connection, _TAKE_BACK)
        except psycopg.Error:
            # The savepoint itself was refused, by a node that has gone: that is no answer.
            raise DBAPIError(None, None, refused) from refused
