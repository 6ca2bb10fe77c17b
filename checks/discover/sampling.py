"""Asks a bounded number of rows: each question in a savepoint, and within its patience.

A table above a size is never opened without TABLESAMPLE, of which the same blocks are read each
time; where PostgreSQL can't sample, as a view, the first rows are taken. What other tables have of
the ids found is looked up in their indexes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.discover.tables import Table
from checks.errors import Refusal
from checks.pipeline import Rows, Statement
from checks.questions import Questions
from checks.relations import Kind
from checks.statements import Fragments, identifier, raw, render, template

WHOLE_BYTES = 16 * 1024 * 1024
"""Up to this size a table is looked at whole, of a larger one about so much."""
ROWS = 50_000
"""The most rows of one table that a question looks at."""
PATIENCE = timedelta(seconds=3)
"""How long one question may take; what was not answered is not known."""
_SAMPLED = frozenset({Kind.TABLE, Kind.PARTITIONED, Kind.MATERIALIZED_VIEW})
BY_INDEX = Statement(template("checks", "discover_by_index"))
"""Before each question."""


class Sampler:
    """Questions about rows, on a connection that is inside a transaction."""

    def __init__(self, connection: AsyncConnection, patience: timedelta = PATIENCE) -> None:
        """`patience` bounds each question."""
        self.connection = connection
        self._questions = Questions(connection, patience)
        self._bytes: dict[int, int] = {}
        self.looked_at: set[str] = set()
        """The tables of which rows were read."""

    async def ask(
        self, statement: str, fragments: Fragments, parameters: Mapping[str, object] | None = None
    ) -> Rows | Refusal:
        """The rows of a statement of `checks/sql`, or why there are none."""
        text = render("checks", statement, fragments)
        try:
            return await self._questions.ask(text, parameters or {}, BY_INDEX)
        except psycopg.Error as error:
            return Refusal.of(error)

    async def first(
        self, statement: str, fragments: Fragments, parameters: Mapping[str, object] | None = None
    ) -> Any | None:
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


def name_of(table: Table) -> sql.SQL:
    """The table's name, quoted, with its schema."""
    return identifier(table.schema, table.name)


TRUE = raw("TRUE")
