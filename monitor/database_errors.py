"""PostgreSQL's errors in words: what the driver raises becomes an error of ours, with a remedy."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from checks.citus.nodes import IDLE, is_lost_node, lost_sentence, node_of
from checks.errors import ConservatorError, DatabaseUnavailableError, StatementError
from checks.pipeline import LOST_STATES
from checks.row_security import is_refusal, refusal_sentence
from monitor import deadlines

LOCKED = "55P03"
TOO_SLOW = "57014"
UNBOUND = "08P01"
RETRYABLE_STATES = frozenset({"40P01", "40001", LOCKED, TOO_SLOW})
"""Deadlock, serialization failure, lock timeout, statement timeout: the batch is tried again."""

_TYPE_STATES = frozenset({"42883", "42804", "42846"})
"""No operator, no assignment, no cast between two types."""
_OTHER_TYPES = (
    " Where the types of the application's columns have changed, `conservator doctor` says what"
    " follows."
)
NO_UTF8 = "22021"
_DATA_EXCEPTION = "22"
_UNREADABLE = (
    " Where an expression of `catalog` meets a value that it can't read, `conservator doctor` says"
    " which."
)
PARAMETERS = "{} has a parameter ($1), for which there is no value: write it out."


def session_lost(error: ConservatorError) -> bool:
    """Whether a session that was had has ended, which says nothing about the next one."""
    cause = error.__cause__
    return isinstance(cause, DBAPIError) and cause.connection_invalidated


def sqlstate(error: BaseException) -> str | None:
    """The SQLSTATE behind an exception of SQLAlchemy, psycopg or ours, if there is one."""
    if isinstance(error, DBAPIError):
        error = error.orig or error
    elif isinstance(error, ConservatorError) and error.__cause__ is not None:
        return sqlstate(error.__cause__)
    return error.sqlstate if isinstance(error, psycopg.Error) else None


@asynccontextmanager
async def translated() -> AsyncIterator[None]:
    """Turn what the driver raises into our tree; the original stays as the cause."""
    try:
        yield
    except (DBAPIError, PoolTimeoutError, psycopg.Error, OSError, UnicodeDecodeError) as error:
        raise translate(error) from error


def translate(error: BaseException) -> ConservatorError:
    """The error of ours that says what to do about `error`."""
    if isinstance(error, PoolTimeoutError):
        return DatabaseUnavailableError(
            f"No database connection became free within {deadlines.POOL_TIMEOUT_SECONDS} s:"
            " raise database.pool_size or look for a statement that hangs."
        )
    original = original_error(error)
    state = sqlstate(error)
    # Found by the server where it looks at what it sends, else by the driver.
    if isinstance(error, UnicodeDecodeError) or state == NO_UTF8:
        return StatementError(
            "A text in the database is no UTF-8, which the encoding SQL_ASCII lets be: correct it,"
            f" or leave its row out ({first_line(original)})."
        )
    message = first_line(original)
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    no_state = state is None and isinstance(
        error,
        OperationalError
        | InterfaceError
        | OSError
        | psycopg.OperationalError
        | psycopg.InterfaceError,
    )
    ended = lost or state in LOST_STATES or state == IDLE
    refused = (state or "").startswith(("08", "28", "3D"))
    if isinstance(original, psycopg.Error) and (
        is_lost_node(original) or ((ended or refused) and node_of(original) is not None)
    ):
        return DatabaseUnavailableError(lost_sentence(original))
    if ended or (refused and not _of_statement(original)) or no_state:
        return DatabaseUnavailableError(
            f"The database can't be used: {message}. Check database.url, and that the server runs"
            " and lets this role in."
        )
    if state == TOO_SLOW:
        return StatementError(
            "A statement ran longer than it may and was cancelled: raise"
            " database.statement_timeout, or let `conservator doctor` look for a missing index."
        )
    if state == LOCKED:
        return StatementError(
            "A lock was not to be had within database.lock_timeout, because of an ALTER TABLE"
            " perhaps, or of who is in its way: try again, or raise it."
        )
    if is_refusal(original):
        return StatementError(refusal_sentence(message))
    if state == "42501":
        return StatementError(
            f"The database refused a statement: {message}. `conservator init --print-sql` prints"
            " the grants that are needed."
        )
    if state == UNBOUND:
        return StatementError(PARAMETERS.format("A query of the configuration"))
    hint = _OTHER_TYPES if state in _TYPE_STATES else ""
    hint = _UNREADABLE if (state or "").startswith(_DATA_EXCEPTION) else hint
    return StatementError(f"The database refused a statement ({state}): {message}.{hint}")


def _of_statement(error: BaseException) -> bool:
    """Whether the server said it of a statement, and the session goes on: a foreign table that it
    reads lies on a server that is away, for instance."""
    return isinstance(error, psycopg.Error) and error.diag.severity_nonlocalized == "ERROR"


def original_error(error: BaseException) -> BaseException:
    """What the driver raised."""
    if isinstance(error, ConservatorError) and error.__cause__ is not None:
        return original_error(error.__cause__)
    return (error.orig or error) if isinstance(error, DBAPIError) else error


def first_line(error: BaseException) -> str:
    if isinstance(error, psycopg.Error) and error.diag.message_primary:
        return error.diag.message_primary.rstrip(".")
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__).rstrip(".")
