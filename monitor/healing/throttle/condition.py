"""The operator's `wait_while`: one statement, one row, one boolean."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from checks.statements import operator_sql
from monitor.database import snapshot
from monitor.healing.throttle.model import Unknown

_ONE_QUERY = "SELECT * FROM (\n{}\n) AS answer WHERE %(asked)s"
"""With a parameter, the server takes one statement and no more: not even an operator who means
well can end our transaction, which can't write, and go on after it."""


async def read_condition(engine: AsyncEngine, query: str, *, timeout: timedelta) -> bool | Unknown:
    """What `query` returns, in a transaction that can't write.

    Raises DatabaseUnavailableError, StatementError.
    """
    async with snapshot(engine, timeout=timeout) as connection:
        result = await connection.exec_driver_sql(
            _ONE_QUERY.format(operator_sql(query.strip().rstrip("; \n")).as_string(None)),
            {"asked": True},
        )
        rows = result.fetchmany(2)
    found = "several rows" if len(rows) > 1 else "no row"
    if len(rows) == 1:
        (row,) = rows
        if len(row) == 1 and isinstance(row[0], bool):
            return row[0]
        found = f"{len(row)} columns" if len(row) != 1 else f"{row[0]!r:.60}"
        found = "NULL" if tuple(row) == (None,) else found
    return Unknown(
        "The SQL of healing.pace.wait_while should return one row with true or false; it returned"
        f" {found}."
    )
