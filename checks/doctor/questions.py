"""One question to the server, in a savepoint that is rolled back, whatever the answer.

A refused statement poisons nothing, and the bound on its time ends with the savepoint.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Row
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.doctor.evidence import Answer, Refusal
from checks.relations import Relation
from checks.statements import Fragments, render

Answers = Sequence[Row[Any]]


class Questions:
    """A connection inside a transaction, and how long any one question may take."""

    def __init__(self, connection: AsyncConnection, patience: timedelta) -> None:
        self.connection = connection
        self._milliseconds = round(patience / timedelta(milliseconds=1))

    async def ask(
        self,
        statement: str,
        fragments: Fragments,
        parameters: Mapping[str, object] | None = None,
    ) -> Answers | Refusal:
        """The rows of the SQL file `statement`, or why PostgreSQL refused it."""
        text = render("checks", statement, fragments)
        savepoint = await self.connection.begin_nested()
        try:
            await self.demand("catalogue_patience", {"milliseconds": self._milliseconds})
            return await self._execute(text, parameters or {})
        except DBAPIError as refused:
            if refused.connection_invalidated or not isinstance(refused.orig, psycopg.Error):
                raise
            return _refusal(refused.orig)
        finally:
            if savepoint.is_active:
                await savepoint.rollback()

    async def demand(
        self, statement: str, parameters: Mapping[str, object] | None = None
    ) -> Answers:
        """The rows of a SELECT on the catalogue, which no role is refused."""
        return await self._execute(render("checks", statement, {}), parameters or {})

    async def _execute(self, text: str, parameters: Mapping[str, object]) -> Answers:
        result = await self.connection.exec_driver_sql(text, dict(parameters))
        return result.all()


def any_row(answer: Answers | Refusal) -> Answer:
    """Whether the question found a row."""
    if isinstance(answer, Refusal):
        return Answer.UNKNOWN
    return Answer.YES if answer else Answer.NO


def _refusal(refused: psycopg.Error) -> Refusal:
    message = refused.diag.message_primary or str(refused)
    return Refusal(sqlstate=refused.sqlstate or "", message=message.rstrip("."))


def table_name(relation: Relation) -> sql.Identifier:
    """The relation in a FROM clause."""
    return name(relation.schema, relation.name)


def name(*parts: str) -> sql.Identifier:
    """An identifier in a statement that is run with parameters."""
    # The driver takes a single percent sign for a placeholder, even inside quotes.
    return sql.Identifier(*(part.replace("%", "%%") for part in parts))
