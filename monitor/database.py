"""Engines, and transactions with deadlines.

Nothing here keeps session state: every setting is made by `set_config(…, true)` inside its
transaction, and statements are never prepared, so that PgBouncer in transaction mode is fine. Only
the client's encoding and the form of dates are the session's, from its start: PgBouncer keeps these
for each client.
"""

from __future__ import annotations

import asyncio
import os
import select
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar, cast

import psycopg
from psycopg import sql
from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from checks.citus.nodes import on_nodes
from checks.errors import ConservatorError, DatabaseUnavailableError, StatementError
from checks.pipeline import (
    COMMIT,
    LOST_STATES,
    READ_ONLY,
    ConnectionLostError,
    OneStatementAsyncCursor,
    Proof,
    Rows,
    Statement,
    Trips,
    in_transaction,
    send,
)
from checks.row_security import (
    STATEMENT,
    RowGuard,
    asked,
    found_in,
    refuse_hidden,
    switch_off,
)
from monitor import deadlines
from monitor.config.database_url import DRIVER, connect_parameters
from monitor.database_errors import (
    LOCKED,
    TOO_SLOW,
    first_line,
    original_error,
    session_lost,
    sqlstate,
    translated,
)

Found = TypeVar("Found")
_USED = "used"
"""In the pool's notes on a connection: it was taken before."""


def create_engine(url: str, *, pool_size: int) -> AsyncEngine:
    """An engine for `url`, of any form that libpq reads, with at most `pool_size` connections.

    What the URL says of a connection's timeouts and name goes before ours.
    """
    # The driver reads moments by the form that the session has once a trip is over. libpq takes it
    # from nowhere else, and of what a start-up may say PgBouncer knows this.
    os.environ["PGDATESTYLE"] = _FORMS["DateStyle"]
    engine = create_async_engine(
        DRIVER,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=deadlines.POOL_TIMEOUT_SECONDS,
        pool_pre_ping=False,
        pool_recycle=deadlines.CONNECTION_AGE_SECONDS,
        # It would be asked for on the first connection, in four trips.
        use_native_hstore=False,
        connect_args={
            "connect_timeout": deadlines.CONNECT_TIMEOUT_SECONDS,
            "keepalives_idle": deadlines.SILENCE_SECONDS,
            "keepalives_interval": deadlines.PROBE_SECONDS,
            "keepalives_count": deadlines.PROBES,
            "tcp_user_timeout": deadlines.SILENCE_SECONDS * 1000,
            "cursor_factory": OneStatementAsyncCursor,
            **connecting(url),
        },
    )
    event.listen(engine.sync_engine, "handle_error", _invalidate_on_failover)
    event.listen(engine.sync_engine, "checkout", _replace_if_ended)
    return engine


def _replace_if_ended(_: object, pooled: ConnectionPoolEntry, __: object) -> None:
    """Have the pool make this connection anew where the server, or who stands between, has ended it
    since it was used last. Costs no round trip: between transactions a server says nothing but
    that, or that a setting was changed for all, after which a new one is as good."""
    used, pooled.info[_USED] = _USED in pooled.info, True
    driver = cast("psycopg.AsyncConnection[Any]", pooled.driver_connection)
    if used and (driver.closed or _is_readable(driver.fileno())):
        raise DisconnectionError


def _is_readable(descriptor: int) -> bool:
    # Unlike select(), for descriptors of any number.
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


def _invalidate_on_failover(context: object) -> None:
    # A server that became read-only keeps its connections open: drop them, so that the next
    # one is made anew and finds the primary.
    original = getattr(context, "original_exception", None)
    if isinstance(original, psycopg.Error) and original.sqlstate in LOST_STATES:
        context.is_disconnect = True  # type: ignore[attr-defined]


def milliseconds(duration: timedelta) -> str:
    return f"{max(1, round(duration.total_seconds() * 1000))}ms"


def connecting(url: str) -> dict[str, Any]:
    """How the driver begins each of our connections, whatever role, database or server say. The
    name may be another one: `url` goes before it."""
    ours: dict[str, Any] = {"prepare_threshold": None, "client_encoding": "utf8"}
    return {"application_name": "conservator", **connect_parameters(url), **ours}


_FORMS = {
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "lc_monetary": "C",
    # How texts become values and statements, and what the server calls things.
    "standard_conforming_strings": "on",
    "array_nulls": "on",
    "quote_all_identifiers": "off",
    # An error that a savepoint is to catch would end the session.
    "exit_on_error": "off",
    "lock_timeout": "0",
    "jit": "off",
}
"""What every transaction begins with, whatever role, database or server say. How values become
text: the ledger keeps them so, and the driver reads nothing else. JIT compiles for longer than
these statements take. A lock is waited for as long as the statement may take."""
_WHERE_SET = (
    # Not known before PostgreSQL 17.
    "CASE WHEN current_setting('transaction_timeout', true) <> '0'"
    " THEN set_config('transaction_timeout', '0', true) END AS endless",
    # Rows would be written past foreign keys and triggers. Few roles may set it at all.
    "CASE WHEN current_setting('session_replication_role') = 'replica'"
    " THEN set_config('session_replication_role', 'origin', true) END AS origin",
)
"""The same, of settings that can't be made everywhere."""


async def set_local(connection: AsyncConnection, **settings: str) -> None:
    """Make settings for the rest of the connection's transaction, and no longer.

    Where the database is a Citus cluster, its nodes too keep to them.
    """
    asking = _settings(settings)
    made = await connection.exec_driver_sql(asking.text, dict(asking.values or {}))
    if made.one().cluster:
        for command in on_nodes(settings):
            await connection.exec_driver_sql(command)


def _settings(settings: Mapping[str, str]) -> Statement:
    """Makes settings for its transaction, and asks whether there are other nodes."""
    calls = ", ".join(f"set_config(%(n{i})s, %(v{i})s, true) AS s{i}" for i in range(len(settings)))
    values: dict[str, object] = {}
    for i, (name, value) in enumerate(settings.items()):
        values |= {f"n{i}": name, f"v{i}": value}
    cluster = "to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL AS cluster"
    return Statement(", ".join((f"SELECT {calls}", *_WHERE_SET, cluster)), values)


def pinning(settings: Mapping[str, str]) -> Statement:
    """Makes for its transaction what every one of ours begins with, and `settings`."""
    return _settings({**_FORMS, **settings})


def _on_nodes(settings: Mapping[str, str]) -> list[Statement]:
    return [Statement(command) for command in on_nodes(settings)]


@asynccontextmanager
async def snapshot(
    engine: AsyncEngine,
    *,
    timeout: timedelta,
    lock_timeout: timedelta | None = None,
    rows: RowGuard | None = None,
) -> AsyncIterator[AsyncConnection]:
    """A read-only transaction in which every statement sees the same rows.

    `timeout` bounds each statement, on the server, and `lock_timeout` how long it waits for a lock:
    one that queues for a table behind an ALTER TABLE holds on to those that were read before.
    Whoever reads the app's tables gives `rows`, by which none is hidden.
    """
    # Not by SQLAlchemy's option: its reset makes every later transaction of the connection READ
    # WRITE, even where the server was made read-only.
    settings = _deadlines(timeout, None, lock_timeout) | {"transaction_read_only": "on"}
    try:
        async with _begin(engine, _Opening(settings, one_snapshot=True, rows=rows)) as begun:
            yield begun.connection
    except DatabaseUnavailableError as error:
        # Elsewhere this says that a failover left us on a standby, which can be read all the same.
        if sqlstate(error) != READ_ONLY:
            raise
        raise StatementError(
            "What the configuration has us ask wants to write or to lock, and is to read only:"
            f" {first_line(original_error(error))}."
        ) from error


async def side_by_side(
    connection: AsyncConnection,
    mine: Callable[[AsyncConnection], Awaitable[Found]],
    theirs: Callable[[AsyncConnection], Awaitable[Found]],
    *,
    timeout: timedelta,
    rows: RowGuard | None,
) -> tuple[Found, Found]:
    """What `mine` finds on this connection, whose transaction sees one snapshot, and `theirs`, at
    the same time, in another session that sees the same. Neither may change anything. Nothing may
    have been rolled back to a savepoint of this transaction, from where PostgreSQL exports none.

    Where no other session is to be had, or none is wanted (the server is set to make no parallel
    plans), and where the other one fails, `theirs` is done here after `mine`.
    """
    shared = None
    pool = cast("QueuePool", connection.engine.pool)
    if pool.size() - pool.checkedout() >= _LEAST_FREE:
        shared = (await connection.exec_driver_sql(_EXPORT)).scalar_one_or_none()
    if shared is None:
        return await mine(connection), await theirs(connection)
    # It queues for a lock behind whoever waits for ours: then it must give up.
    settings = _deadlines(timeout, None, deadlines.SHARED_LOCK_TIMEOUT)
    opening = _Opening(
        settings | {"transaction_read_only": "on"}, one_snapshot=True, rows=rows, shared=shared
    )

    async def elsewhere() -> Found:
        async with _begin(connection.engine, opening) as begun:
            return await theirs(begun.connection)

    other = asyncio.create_task(elsewhere())
    try:
        found = await mine(connection)
        try:
            return found, await other
        except ConservatorError as error:
            if sqlstate(error) == TOO_SLOW:
                raise
            return found, await theirs(connection)
    finally:
        other.cancel()
        await asyncio.gather(other, return_exceptions=True)


_EXPORT = (
    "SELECT pg_catalog.pg_export_snapshot()"
    " WHERE pg_catalog.current_setting('max_parallel_workers_per_gather')::int > 0"
)
_LEAST_FREE = 2
"""Connections of the pool: one is left for whoever comes meanwhile."""


@asynccontextmanager
async def transaction(
    engine: AsyncEngine,
    *,
    timeout: timedelta = deadlines.STATE_TIMEOUT,
    lock_timeout: timedelta | None = None,
    idle: timedelta | None = None,
    one_snapshot: bool = False,
    rows: RowGuard | None = None,
) -> AsyncIterator[AsyncConnection]:
    """A transaction that may write; commits at the end, rolls back on any exception.

    `timeout` bounds each statement, on the server; the default is for a few rows of our own tables.
    After `idle` (default: twice `timeout`) without a word from us the server ends it, so that a
    process that hangs in the middle doesn't keep its locks.

    With `one_snapshot` every statement in it sees the same rows. Whoever reads or writes the app's
    tables gives `rows`, by which none is hidden.
    """
    settings = _deadlines(timeout, idle, lock_timeout)
    async with _begin(engine, _Opening(settings, one_snapshot=one_snapshot, rows=rows)) as begun:
        yield begun.connection


def _deadlines(
    timeout: timedelta, idle: timedelta | None = None, lock_timeout: timedelta | None = None
) -> dict[str, str]:
    settings = {
        "statement_timeout": milliseconds(timeout),
        "idle_in_transaction_session_timeout": milliseconds(idle or timeout * 2),
        # Inside a round trip nothing is idle: of a client whose host went down while it sent one,
        # the server would not hear for two hours.
        "tcp_keepalives_idle": str(deadlines.SILENCE_SECONDS),
        "tcp_keepalives_interval": str(deadlines.PROBE_SECONDS),
        "tcp_keepalives_count": str(deadlines.PROBES),
    }
    if lock_timeout is not None:
        settings["lock_timeout"] = milliseconds(lock_timeout)
    return settings


@asynccontextmanager
async def trips(
    engine: AsyncEngine,
    first: Iterable[Statement],
    *,
    timeout: timedelta,
    lock_timeout: timedelta,
    idle: timedelta,
    rows: RowGuard,
    cluster: bool,
    settings: Mapping[str, str],
) -> AsyncIterator[Trips]:
    """A transaction that counts its round trips: it begins with `first`, further `settings` and all
    that `transaction` does, in one, and may end by `Trips.commit`, whose commit does not wait for
    the disk; or with `first`, where that can't be carried out twice. `cluster`: the tables lie on
    the nodes of a Citus cluster, which are told as well.
    """
    opening = _Opening(
        {**_deadlines(timeout, idle, lock_timeout), "synchronous_commit": "off", **settings},
        rows=rows,
        first=tuple(first),
        cluster=cluster,
    )
    async with _begin(engine, opening) as begun:
        yield begun


async def at_once(
    engine: AsyncEngine,
    *statements: Statement,
    timeout: timedelta,
    lock_timeout: timedelta | None = None,
    read_only: bool = False,
) -> list[Rows]:
    """A whole transaction in one round trip; what each statement returned. None may concern the
    app's rows, and on a cluster its deadlines are those of this node alone.

    `timeout` bounds each statement, on the server. Where the connection is lost, what may have been
    committed is not sent again.
    """
    settings = _deadlines(timeout, None, lock_timeout)
    if read_only:
        settings["transaction_read_only"] = "on"
    whole = (_BEGIN, pinning(settings), *statements, COMMIT)
    async with translated(), _connection(engine, whole, commits=not read_only) as (_, found):
        return found[2:-1]


_BEGIN = Statement("BEGIN ISOLATION LEVEL READ COMMITTED")
_BEGIN_SNAPSHOT = Statement("BEGIN ISOLATION LEVEL REPEATABLE READ")


@dataclass(frozen=True, slots=True)
class _Opening:
    """What a transaction begins with."""

    settings: Mapping[str, str]
    one_snapshot: bool = False
    rows: RowGuard | None = None
    first: Sequence[Statement] = ()
    cluster: bool | None = None
    """None: the database is asked."""
    shared: str | None = None
    """The snapshot of another session, by the name under which that has exported it."""

    @property
    def begin(self) -> tuple[Statement, ...]:
        """The transaction, with what must come before it sees anything."""
        if self.shared is None:
            return (_BEGIN_SNAPSHOT if self.one_snapshot else _BEGIN,)
        sees = sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(self.shared))
        return _BEGIN_SNAPSHOT, Statement(sees.as_string(None))

    @property
    def proof(self) -> Proof | None:
        """That every row is visible, where that has to be proven."""
        if self.rows is None or self.rows.off:
            return None
        return Proof(Statement(STATEMENT, asked(self.rows.relations)), _judge)

    @property
    def all_settings(self) -> dict[str, str]:
        """With those that every transaction makes."""
        settings = {**_FORMS, **self.settings}
        if self.rows is not None:
            settings["row_security"] = "off" if self.rows.off else "on"
        return settings


@asynccontextmanager
async def _connection(
    engine: AsyncEngine, first: Sequence[Statement], *, commits: bool = False
) -> AsyncIterator[tuple[AsyncConnection, list[Rows]]]:
    """A connection of the pool on which transactions are begun by statements, so that what they
    begin with can travel along; and what `first`, its first trip, returned. Ended by SQLAlchemy,
    where nothing else has ended them.

    A connection that is lost on that trip, though the pool had it from before, is replaced once:
    nothing has come of what was sent, unless it `commits`. Of a commit nobody can tell: where a
    PgBouncer lost its server, its goodbye comes before any answer, whatever was carried out.
    """
    for last in (False, True):
        begun = False
        try:
            async with engine.connect() as connection:
                await connection.execution_options(isolation_level="AUTOCOMMIT")
                async with connection.begin():
                    found = await send(connection, first)
                    begun = True
                    yield connection, found
        except ConnectionLostError:
            if begun or last or commits:
                raise
        else:
            return


@asynccontextmanager
async def _begin(engine: AsyncEngine, opening: _Opening) -> AsyncIterator[Trips]:
    settings, proof = opening.all_settings, opening.proof
    begin = opening.begin
    nodes = _on_nodes(settings) if opening.cluster else []
    proofs = [] if proof is None else [proof.statement]
    first = (*begin, _settings(settings), *nodes, *proofs, *opening.first)
    async with translated(), _connection(engine, first) as (connection, found):
        made, *rest = found[len(begin) :]
        if opening.cluster is None and made[0].cluster:
            await send(connection, _on_nodes(settings))
        if proof is not None:
            await _prove(connection, opening, proof, rest[len(nodes)])
        yield Trips(connection, rest[len(nodes) + len(proofs) :], proof)
        if proof is not None and await in_transaction(connection):
            # Whatever was read holds a lock by now: no policy has changed since. But a snapshot is
            # older than its locks, and shows no policy that changed in between.
            anew = (COMMIT, _BEGIN) if opening.one_snapshot else ()
            proof.judge((await send(connection, (*anew, proof.statement)))[-1])


async def _prove(connection: AsyncConnection, opening: _Opening, proof: Proof, found: Rows) -> None:
    proof.judge(found)
    if not found and opening.rows is not None and opening.rows.may_switch_off:
        await switch_off(connection)


def _judge(found: Rows) -> None:
    """Raises StatementError unless every row is visible for certain."""
    refuse_hidden(found_in(row._asdict() for row in found))


async def again_if_lost(read: Callable[[], Awaitable[Found]]) -> Found:
    """What `read`, which changes nothing, finds; by another session where its own was ended in the
    middle."""
    try:
        return await read()
    except DatabaseUnavailableError as error:
        if not session_lost(error):
            raise
    return await read()


async def when_unlocked(read: Callable[[], Awaitable[Found]], *, within: timedelta) -> Found:
    """What `read`, which changes nothing, finds. Where its lock timeout ends it, because somebody
    changes a table or waits to, it is done again with nothing held in between, for so long."""
    deadline = time.monotonic() + within.total_seconds()
    while True:
        try:
            return await read()
        except StatementError as error:
            pause = deadlines.LOCK_PAUSE_SECONDS
            if sqlstate(error) != LOCKED or time.monotonic() + pause > deadline:
                raise
        await asyncio.sleep(pause)


async def database_now(connection: AsyncConnection) -> datetime:
    """The primary's clock, which alone decides about age."""
    now: datetime = (await connection.exec_driver_sql("SELECT now()")).scalar_one()
    return now
