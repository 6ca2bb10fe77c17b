"""Asks a bounded number of rows: each question in a savepoint, and within its patience.

A table above a size is never opened without TABLESAMPLE, of which the same blocks are read each
time; where PostgreSQL can't sample, as a view, the first rows are taken. What other tables have of
the ids found is looked up in their indexes.
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

from checks.discover.tables import Table
from checks.errors import Refusal
from checks.relations import Kind
from checks.statements import Fragments, identifier, raw, render

WHOLE_BYTES = 16 * 1024 * 1024
"""Up to this size a table is looked at whole, of a larger one about so much."""
ROWS = 50_000
"""The most rows of one table that a question looks at."""
PATIENCE = timedelta(seconds=3)
"""How long one question may take; what was not answered is not known."""
_SAMPLED = frozenset({Kind.TABLE, Kind.PARTITIONED, Kind.MATERIALIZED_VIEW})

Answers = Sequence[Row[Any]]


class Sampler:
    """Questions about rows, on a connection that is inside a transaction."""

    def __init__(self, connection: AsyncConnection, patience: timedelta = PATIENCE) -> None:
        """`patience` bounds each question."""
        self.connection = connection
        self._milliseconds = round(patience / timedelta(milliseconds=1))
        self._bytes: dict[int, int] = {}
        self.looked_at: set[str] = set()
        """The tables of which rows were read."""

    async def ask(
        self, statement: str, fragments: Fragments, parameters: Mapping[str, object] | None = None
    ) -> Answers | Refusal:
        """The rows of a statement of `checks/sql`, or why there are none."""
        answer: Answers | Refusal
        async with self.connection.begin_nested() as savepoint:
            try:
                bound = {"milliseconds": self._milliseconds}
                await self._run(render("checks", "catalogue_patience", {}), bound)
                await self._run(render("checks", "discover_by_index", {}), {})
                answer = await self._run(render("checks", statement, fragments), parameters or {})
            except DBAPIError as error:
                if error.connection_invalidated or not isinstance(error.orig, psycopg.Error):
                    raise
                answer = Refusal.of(error.orig)
            # The bound on its time ends with it.
            await savepoint.rollback()
        return answer

    async def first(
        self, statement: str, fragments: Fragments, parameters: Mapping[str, object] | None = None
    ) -> Row[Any] | None:
        """The one row of a statement; None where it was refused, or there is none."""
        answer = await self.ask(statement, fragments, parameters)
        return None if isinstance(answer, Refusal) or not answer else answer[0]

    async def rows(self, table: Table) -> sql.Composable:
        """Some of the table's rows, as a subselect."""
        self.looked_at.add(table.configured)
        sample: sql.Composable = sql.SQL("")
        size = await self.size(table)
        if size > WHOLE_BYTES and table.kind in _SAMPLED:
            percent = sql.Literal(100 * WHOLE_BYTES / size)
            sample = sql.SQL(" TABLESAMPLE SYSTEM ({}) REPEATABLE (0)").format(percent)
        return sql.SQL("(SELECT * FROM {}{} LIMIT {})").format(
            name_of(table), sample, sql.Literal(ROWS)
        )

    async def size(self, table: Table) -> int:
        """Bytes on disk; 0 of a view."""
        if table.oid not in self._bytes:
            found = await self.first("discover_size", {}, {"relations": [table.oid]})
            self._bytes[table.oid] = table.bytes if found is None else found.bytes
        return self._bytes[table.oid]

    async def _run(self, text: str, parameters: Mapping[str, object]) -> Answers:
        return (await self.connection.exec_driver_sql(text, dict(parameters))).all()


def name_of(table: Table) -> sql.SQL:
    """The table's name, quoted, with its schema."""
    return identifier(table.schema, table.name)


TRUE = raw("TRUE")
