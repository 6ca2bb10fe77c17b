"""What an error of the database means for a batch, decided by its SQLSTATE."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import TypeVar

import psycopg
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.citus.nodes import without_shards
from checks.errors import DatabaseUnavailableError
from checks.pipeline import Statement, send
from monitor.database_errors import RETRYABLE_STATES, TOO_SLOW, sqlstate

ALL_IMMEDIATE = Statement("SET CONSTRAINTS ALL IMMEDIATE")
"""What waits for the commit fires at once."""

_OF_ROWS = frozenset(("09", "20", "21", "22", "23", "27", "2F", "38", "39", "44", "P0"))
"""SQLSTATE classes that depend on what is written: values out of range or of a wrong form,
constraints, and what a trigger's code raises or runs into."""
_TOO_LARGE = "54000"
"""Two long ids fit their tables and are too long together for an index entry."""
_OF_POSTGRESQL = _OF_ROWS | frozenset(
    (
        *("00", "01", "02", "03", "08", "0A", "0B", "0F", "0L", "0P", "0Z", "10", "24", "25"),
        *("26", "28", "2B", "2D", "34", "3B", "3D", "3F", "40", "42", "53", "54", "55", "57"),
        *("58", "72", "F0", "HV", "XX"),
    )
)
"""Every class that PostgreSQL itself uses; any other is the app's own, raised by a trigger.
Source: https://www.postgresql.org/docs/current/errcodes-appendix.html"""
_VALUES = re.compile(r"\s?[:\uff1a]\s?[\"'\xab\xbb\u201c-\u201e\u300c].*")
"""A value that is quoted behind a colon, by the marks of whatever language the server speaks."""
_LONGEST_MESSAGE = 300
_SAME_SIZE_STATES = frozenset({"23503", TOO_SLOW})
"""A foreign key, and what was not over in time."""
SAME_SIZE_ATTEMPTS = 2
"""A row was deleted meanwhile: once more the same, whose snapshot no longer sees it, then halve.
Or the statement timed out: once more, since it may have been an accident, then fewer rows."""

_T = TypeVar("_T")


def is_worth_retrying(error: BaseException, attempts: int) -> bool:
    """Whether the same batch may succeed after a wait, once so many attempts have failed: others
    are in the way, the server is, or a row has gone meanwhile."""
    if isinstance(error, DatabaseUnavailableError):
        return True
    state = sqlstate(error)
    if state in _SAME_SIZE_STATES:
        return attempts < SAME_SIZE_ATTEMPTS
    return state in RETRYABLE_STATES


def is_row_error(state: str | None) -> bool:
    """Whether a statement that failed with this SQLSTATE may succeed for other rows."""
    if state is None:
        return False
    return state[:2] in _OF_ROWS or state == _TOO_LARGE or state[:2] not in _OF_POSTGRESQL


def refusal_sentence(error: psycopg.Error) -> str:
    """What the database said, in one line that begins with the SQLSTATE.

    Details and context hold the row's values and are left out, and so is the value that a
    conversion (class 22) quotes; what a trigger raises is the app's own text and stays.
    """
    state = error.sqlstate or "no SQLSTATE"
    text = " ".join((error.diag.message_primary or str(error)).split())
    text = without_shards(error, text)
    if state.startswith("22"):
        text = _VALUES.sub("", text)
    return f"{state}: {text[:_LONGEST_MESSAGE]}"


async def write_or_refusal(
    connection: AsyncConnection, write: Callable[[], Awaitable[_T]]
) -> _T | psycopg.Error:
    """What `write` returns, which sends its statements as `send` does, behind a savepoint; or the
    error by which the database refuses its row.

    Raises errors that speak of no row.
    """
    try:
        async with connection.begin_nested():
            done = await write()
            # A deferred constraint would speak up at the commit, and lose the batch.
            await send(connection, [ALL_IMMEDIATE])
            return done
    except psycopg.Error as error:
        if not is_row_error(error.sqlstate):
            raise
        return error
