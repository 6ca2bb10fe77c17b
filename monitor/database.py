"""Engines, transactions with deadlines, and PostgreSQL's errors in words.

Nothing here keeps session state: every setting is made by `set_config(…, true)` inside its
transaction, and statements are never prepared, so that PgBouncer in transaction mode is fine.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import psycopg
from psycopg import sql
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from checks.errors import ConservatorError, DatabaseUnavailableError, StatementError
from checks.row_security import RowGuard, is_refusal, prove, refusal_sentence
from monitor import deadlines

RETRYABLE_STATES = frozenset({"40P01", "40001", "55P03", "57014"})
"""Deadlock, serialization failure, lock timeout, statement timeout: the batch is tried again."""
LOST_STATES = frozenset({"57P01", "57P02", "57P03", "25006"})
"""Shutdown, crash, starting up, and a failover that left us on a read-only server."""

_TYPE_STATES = frozenset({"42883", "42804", "42846"})
"""No operator, no assignment, no cast between two types."""
_OTHER_TYPES = (
    " Where the types of the application's columns have changed, `conservator doctor` says what"
    " follows."
)


_DATA_EXCEPTION = "22"
_UNREADABLE = (
    " Where an expression of `catalog` meets a value that it can't read, `conservator doctor` says"
    " which."
)


def create_engine(url: str, *, pool_size: int) -> AsyncEngine:
    """An engine for `url` (postgresql+psycopg://…) with at most `pool_size` connections."""
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=deadlines.POOL_TIMEOUT_SECONDS,
        pool_pre_ping=False,
        pool_recycle=deadlines.CONNECTION_AGE_SECONDS,
        connect_args={
            "prepare_threshold": None,
            "connect_timeout": deadlines.CONNECT_TIMEOUT_SECONDS,
            "application_name": "conservator",
            "keepalives_idle": deadlines.SILENCE_SECONDS,
            "keepalives_interval": deadlines.PROBE_SECONDS,
            "keepalives_count": 3,
            "tcp_user_timeout": deadlines.SILENCE_SECONDS * 1000,
        },
    )
    event.listen(engine.sync_engine, "handle_error", _invalidate_on_failover)
    return engine


def _invalidate_on_failover(context: object) -> None:
    # A server that became read-only keeps its connections open: drop them, so that the next
    # one is made anew and finds the primary.
    original = getattr(context, "original_exception", None)
    if isinstance(original, psycopg.Error) and original.sqlstate in LOST_STATES:
        context.is_disconnect = True  # type: ignore[attr-defined]


def _milliseconds(duration: timedelta) -> str:
    return f"{max(1, round(duration.total_seconds() * 1000))}ms"


_OURS_ALONE = frozenset({"transaction_read_only", "synchronous_commit"})
"""Settings that are not for a cluster's other nodes. Citus begins their transactions as ours is;
and what it commits on several nodes it must find again after a crash, or they would disagree."""


async def set_local(connection: AsyncConnection, **settings: str) -> None:
    """Make settings for the rest of the connection's transaction, and no longer.

    Where the database is a Citus cluster, its nodes too keep to them.
    """
    calls = ", ".join(f"set_config(%(n{i})s, %(v{i})s, true)" for i in range(len(settings)))
    values: dict[str, object] = {}
    for i, (name, value) in enumerate(settings.items()):
        values |= {f"n{i}": name, f"v{i}": value}
    cluster = "to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL AS cluster"
    result = await connection.exec_driver_sql(f"SELECT {calls}, {cluster}", values)
    if result.one().cluster:
        for command in on_nodes(settings):
            await connection.exec_driver_sql(command)


def on_nodes(settings: Mapping[str, str]) -> list[str]:
    """The commands that make `settings` on the nodes of a Citus cluster.

    Only SET LOCAL is passed on, and only when that is asked for; set_config() never is.
    """
    commands = ["SET LOCAL citus.propagate_set_commands = 'local'"]
    commands += [
        f"SET LOCAL {name} = {sql.Literal(value).as_string(None)}"
        for name, value in settings.items()
        if name not in _OURS_ALONE
    ]
    if "synchronous_commit" in settings:
        commands.append("SET LOCAL synchronous_commit TO DEFAULT")
    return commands


@asynccontextmanager
async def snapshot(
    engine: AsyncEngine, *, timeout: timedelta, rows: RowGuard | None = None
) -> AsyncIterator[AsyncConnection]:
    """A read-only transaction in which every statement sees the same rows.

    `timeout` bounds each statement, on the server. JIT is off: compiling costs more than these
    statements take. Whoever reads the app's tables gives `rows`, by which none is hidden.
    """
    # Not by SQLAlchemy's option: its reset makes every later transaction of the connection READ
    # WRITE, even where the server was made read-only.
    settings = _deadlines(timeout) | {"transaction_read_only": "on"}
    async with _begin(engine, settings, one_snapshot=True, rows=rows) as connection:
        yield connection


@asynccontextmanager
async def transaction(
    engine: AsyncEngine,
    *,
    timeout: timedelta = deadlines.STATE_TIMEOUT,
    lock_timeout: timedelta | None = None,
    idle: timedelta | None = None,
    waits_for_disk: bool = True,
    one_snapshot: bool = False,
    rows: RowGuard | None = None,
) -> AsyncIterator[AsyncConnection]:
    """A transaction that may write; commits at the end, rolls back on any exception.

    `timeout` bounds each statement, on the server; the default is for a few rows of our own tables.
    After `idle` (default: twice `timeout`) without a word from us the server ends it, so that a
    process that hangs in the middle doesn't keep its locks.

    Without `waits_for_disk` the commit returns before the log is flushed: a crash of the server
    may lose the newest transactions, whole and newest first, never a part of one.

    With `one_snapshot` every statement in it sees the same rows. Whoever reads or writes the app's
    tables gives `rows`, by which none is hidden.
    """
    settings = _deadlines(timeout, idle)
    if lock_timeout is not None:
        settings["lock_timeout"] = _milliseconds(lock_timeout)
    if not waits_for_disk:
        settings["synchronous_commit"] = "off"
    async with _begin(engine, settings, one_snapshot=one_snapshot, rows=rows) as connection:
        yield connection


def _deadlines(timeout: timedelta, idle: timedelta | None = None) -> dict[str, str]:
    return {
        "statement_timeout": _milliseconds(timeout),
        "idle_in_transaction_session_timeout": _milliseconds(idle or timeout * 2),
    }


@asynccontextmanager
async def _begin(
    engine: AsyncEngine,
    settings: dict[str, str],
    *,
    one_snapshot: bool,
    rows: RowGuard | None,
) -> AsyncIterator[AsyncConnection]:
    unproven = None if rows is None or rows.off else rows
    if rows is not None:
        settings["row_security"] = "off" if rows.off else "on"
    async with translated(), engine.connect() as connection:
        if one_snapshot:
            await connection.execution_options(isolation_level="REPEATABLE READ")
        async with connection.begin():
            await set_local(connection, jit="off", **settings)
            if unproven is not None:
                await prove(connection, unproven)
            yield connection
            # Whatever was read holds a lock by now: no policy has changed since.
            if unproven is not None and not one_snapshot:
                await prove(connection, unproven)
        if unproven is not None and one_snapshot:
            # The snapshot is older than its locks, and shows no policy that changed in between.
            async with connection.begin():
                await prove(connection, unproven)


async def database_now(connection: AsyncConnection) -> datetime:
    """The primary's clock, which alone decides about age."""
    now: datetime = (await connection.exec_driver_sql("SELECT now()")).scalar_one()
    return now


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
    except (DBAPIError, PoolTimeoutError, psycopg.Error, OSError) as error:
        raise translate(error) from error


def translate(error: BaseException) -> ConservatorError:
    """The error of ours that says what to do about `error`."""
    if isinstance(error, PoolTimeoutError):
        return DatabaseUnavailableError(
            f"No database connection became free within {deadlines.POOL_TIMEOUT_SECONDS} s:"
            " raise database.pool_size or look for a statement that hangs."
        )
    original: BaseException = (error.orig or error) if isinstance(error, DBAPIError) else error
    state = sqlstate(error)
    message = _first_line(original)
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    no_state = state is None and isinstance(
        error, OperationalError | InterfaceError | OSError | psycopg.OperationalError
    )
    if lost or no_state or state in LOST_STATES or (state or "").startswith(("08", "28", "3D")):
        return DatabaseUnavailableError(
            f"The database can't be used: {message}. Check database.url, and that the server runs"
            " and lets this role in."
        )
    if state == "57014":
        return StatementError(
            "A statement ran longer than it may and was cancelled: raise"
            " database.statement_timeout, or let `conservator doctor` look for a missing index."
        )
    if is_refusal(original):
        return StatementError(refusal_sentence(message))
    if state == "42501":
        return StatementError(
            f"The database refused a statement: {message}. `conservator init --print-sql` prints"
            " the grants that are needed."
        )
    hint = _OTHER_TYPES if state in _TYPE_STATES else ""
    hint = _UNREADABLE if (state or "").startswith(_DATA_EXCEPTION) else hint
    return StatementError(f"The database refused a statement ({state}): {message}.{hint}")


def _first_line(error: BaseException) -> str:
    if isinstance(error, psycopg.Error) and error.diag.message_primary:
        return error.diag.message_primary.rstrip(".")
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__).rstrip(".")
