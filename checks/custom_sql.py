"""The operator's own check: a query that returns one number.

Whatever is not one number is an error and never a zero: a check that measures nothing must not
look like one that found nothing. Nor must one that row security hides rows from: the query may read
any table, so it is first asked with row security off, and where PostgreSQL refuses that, the answer
says that the number is of what this role sees.
"""

from __future__ import annotations

import math
from decimal import Decimal

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.errors import StatementError
from checks.judgement import Measurement
from checks.relations import Catalogue
from checks.row_security import is_refusal, switch_off
from checks.spec import Cutoffs, PoolsSpec
from checks.statements import operator_sql, render, template

STATEMENT = "custom_sql"
READ_ONLY = "transaction_is_read_only"

_ONE_NUMBER = "expected one row with one number"
_PARTIAL = (
    " Row security applies to this role in a table that it reads: rows that are hidden from the"
    " role are left out."
)
_TOO_MANY = 2
"""Rows that are fetched: enough to tell one from several."""


def statement(query: str) -> str:
    """`query` as it runs, parameters unbound."""
    return render("checks", STATEMENT, {"query": operator_sql(query.strip().rstrip(";"))})


async def measure(
    connection: AsyncConnection,
    catalogue: Catalogue,
    pools: PoolsSpec,
    cutoffs: Cutoffs,
    *,
    query: str,
) -> Measurement:
    """Run `query` in the connection's transaction, which must be read-only; its number.

    Raises StatementError where it does not return exactly one finite number.
    """
    read_only = await connection.exec_driver_sql(template("checks", READ_ONLY))
    if not read_only.scalar_one():
        raise StatementError(
            "A query of the configuration runs in a read-only transaction only, and this one may"
            " write: open it with BEGIN READ ONLY."
        )
    partial = ""
    try:
        async with connection.begin_nested():
            await switch_off(connection)
            rows = await _rows(connection, query)
    except DBAPIError as error:
        if not is_refusal(error):
            raise
        rows, partial = await _rows(connection, query), _PARTIAL
    number = _only_number(rows)
    return Measurement(value=number, message=f"The query returned {number:,.15g}.{partial}")


async def _rows(connection: AsyncConnection, query: str) -> list[tuple[object, ...]]:
    try:
        result = await connection.exec_driver_sql(statement(query), {"rows": _TOO_MANY})
    except DBAPIError as error:
        found = str(error.orig).splitlines()[0].rstrip(".")
        match getattr(error.orig, "sqlstate", None):
            case "42601":
                raise StatementError(
                    f"The query is not one SELECT: {found}. Expected a single SELECT, WITH, VALUES"
                    " or TABLE, without a semicolon inside."
                ) from error
            case "25006":
                # Elsewhere this says that a failover left us on a standby.
                raise StatementError(
                    f"The query wants to write or to lock: {found}. Expected one that reads."
                ) from error
        raise
    return [tuple(row) for row in result]


def _only_number(rows: list[tuple[object, ...]]) -> float:
    if not rows:
        raise StatementError(
            f"The query returned no row; {_ONE_NUMBER}. An aggregate such as count(*) always has"
            " one."
        )
    if len(rows) > 1:
        raise StatementError(
            f"The query returned several rows; {_ONE_NUMBER}. Aggregate them, or add LIMIT 1."
        )
    if len(rows[0]) != 1:
        raise StatementError(
            f"The query returned {len(rows[0])} columns; {_ONE_NUMBER}. Select the number alone."
        )
    return _number(rows[0][0])


def _number(value: object) -> float:
    if value is None:
        raise StatementError(
            f"The query returned NULL; {_ONE_NUMBER}. Say what that means with coalesce(…, 0)."
        )
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise StatementError(
            f"The query returned {_kind(value)}; {_ONE_NUMBER}. Count or cast it:"
            " count(*), (…)::int, extract(epoch FROM …)."
        )
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise StatementError(f"The query returned {value}; {_ONE_NUMBER} that is finite.")
    return number


def _kind(value: object) -> str:
    names = {bool: "a boolean", str: "a text", bytes: "bytes"}
    return names.get(type(value), f"a value of type {type(value).__name__}")
