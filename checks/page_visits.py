"""Reading a part of the rows through an index so that each page of the table is visited once.

PostgreSQL remembers which pages have such rows, and which rows of these, in a bitmap. Where the
memory does not suffice, it forgets the rows, and compares each one of the page with all that is
looked for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from psycopg import sql
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.relations import Relation
from checks.statements import raw, render

MOST_BITMAP = 128 * 2**20
"""Bytes, at most, to remember the pages that are visited."""
GROWTH = 1.5
"""A table is taken to be so many times as large as when its size was read last."""
PAGE, BITMAP_ENTRY = 8192, 64
"""Bytes of a page of a table, and of what PostgreSQL remembers of one."""


def among_pages(column: sql.Composable, ids: sql.Composable) -> sql.Composed:
    """That `column` is one of an array, for such a statement: of two alternatives PostgreSQL can
    make a bitmap alone, and the second one is never true. To forbid all other scans by a setting
    would forbid them to the rest of the statement, too."""
    return raw("({column} = ANY ({ids}) OR {column} = ANY ('{{}}'))").format(column=column, ids=ids)


def bitmap_bytes(impressions: Relation, rows: int | None = None) -> int:
    """What it takes at most to remember the pages of so many rows, or of all."""
    pages = int(impressions.row_bytes * GROWTH) // PAGE + 1
    return BITMAP_ENTRY * (pages if rows is None else min(rows, pages))


@asynccontextmanager
async def visiting_pages(
    connection: AsyncConnection, memory: int, *, forced: bool = True
) -> AsyncIterator[None]:
    """Statements in the context, with a condition of `among_pages`, visit each page once, by one
    process, with so many bytes to remember it; where that is not `forced`, PostgreSQL chooses, with
    as much memory. What the transaction was set to comes back behind it, but after an error.
    """
    wanted = {"bytes": memory, "forced": forced}
    asked = await connection.exec_driver_sql(render("checks", "visit_pages", {}), wanted)
    before = asked.one()._asdict()
    yield
    await connection.exec_driver_sql(render("checks", "visit_pages_no_more", {}), before)
