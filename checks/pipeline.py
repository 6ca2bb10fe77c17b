"""Several statements in one round trip: all are sent, then one Sync, then every answer is read.

A statement that fails ends the trip: those behind it are not carried out, COMMIT neither.
Parameters are bound by the server, nothing is prepared.
"""

from __future__ import annotations

import contextlib
from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import psycopg
from psycopg import AsyncConnection as DriverConnection
from psycopg import generators
from psycopg._queries import PostgresQuery
from psycopg.abc import PQGen
from psycopg.abc import Transformer as AnyTransformer
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.pq.abc import PGconn, PGresult
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

READ_ONLY = "25006"  # read_only_sql_transaction
LOST_STATES = frozenset({"57P01", "57P02", "57P03", READ_ONLY})
"""Shutdown, crash, starting up, and a failover that left us on a read-only server."""

Rows = tuple[Any, ...]
"""What one statement returned: named tuples, with the names of the columns as `_columns`."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement with its parameters; None where it has no place for any."""

    text: str
    values: Mapping[str, object] | None = None


COMMIT = Statement("COMMIT")
CLOCK = Statement("SELECT clock_timestamp() AS now")


class _OneStatement:
    """Of a driver's cursor: never by the protocol that carries out whatever stands behind a
    semicolon, which the driver takes for what has no parameters. The operator's SQL, in whatever
    statement it stands, is no second one."""

    def _execute_send(
        self, query: PostgresQuery, *, force_extended: bool = False, binary: bool | None = None
    ) -> None:
        send_one: Any = super()
        send_one._execute_send(query, force_extended=True, binary=binary)


class OneStatementCursor(_OneStatement, psycopg.Cursor[Any]):
    """The same for Great Expectations, whose connections are not ours."""


class OneStatementAsyncCursor(_OneStatement, psycopg.AsyncCursor[Any]):
    """Of every connection of ours."""


async def run_script(connection: Connection, script: str) -> None:
    """Carry out several statements of ours, none of which has a parameter or anything of the
    operator's in it, in one trip. Raises psycopg.Error."""
    driver = cast("DriverConnection[Any]", connection.connection.driver_connection)
    await psycopg.AsyncCursor(driver).execute(script.encode())


class ConnectionLostError(OperationalError):
    """The connection is gone, as SQLAlchemy says it for its own statements."""

    def __init__(self, error: psycopg.Error) -> None:
        super().__init__(None, None, error, connection_invalidated=True)


async def send(
    connection: AsyncConnection, statements: Iterable[Statement], *, read_only: bool = False
) -> list[Rows]:
    """What each statement returned. The connection is one of an engine whose transactions are
    begun and ended by statements (AUTOCOMMIT).

    Raises the psycopg.Error of the first that failed. A connection that was lost is dropped, and
    with it whatever the pool has from before: ConnectionLostError. `read_only`: the transaction was
    made so, and who may not write in it has not been left on a standby by a failover.
    """
    driver = await _driver_of(connection)
    transformer = Transformer(driver)
    answers: list[PGresult] = []
    try:
        async with driver.lock:
            answers = await driver.wait(_exchange(driver, transformer, statements))
        return _read(driver, transformer, answers)
    except psycopg.Error as error:
        refused = read_only and error.sqlstate == READ_ONLY
        if not driver.closed and (refused or error.sqlstate not in LOST_STATES):
            raise
        await _drop(connection, driver)
        raise ConnectionLostError(error) from error
    except BaseException:
        # Cancelled in the middle: nobody knows what is still to come.
        await connection.invalidate()
        raise


async def in_transaction(connection: AsyncConnection) -> bool:
    """Whether a transaction has been begun and not ended."""
    status = (await _driver_of(connection)).info.transaction_status
    return status is not TransactionStatus.IDLE


async def is_aborted(connection: AsyncConnection) -> bool:
    """Whether a statement of the transaction has failed, which takes nothing but a rollback now."""
    status = (await _driver_of(connection)).info.transaction_status
    return status is TransactionStatus.INERROR


async def _driver_of(connection: AsyncConnection) -> DriverConnection[Any]:
    raw = await connection.get_raw_connection()
    return cast("DriverConnection[Any]", raw.driver_connection)


def _exchange(
    driver: DriverConnection[Any], transformer: AnyTransformer, statements: Iterable[Statement]
) -> PQGen[list[PGresult]]:
    """Not by psycopg's own pipeline, which sends Flush behind the last Sync: that would reach
    PgBouncer after a commit, which would keep a server for an answer that Flush alone never has."""
    pgconn = driver.pgconn
    queries = []
    for statement in statements:
        query = PostgresQuery(transformer)
        query.convert(statement.text.encode(), statement.values)
        queries.append(query)
    pgconn.enter_pipeline_mode()
    for query in queries:
        pgconn.send_query_params(
            query.query, query.params, param_types=query.types, param_formats=query.formats
        )
    pgconn.pipeline_sync()
    yield from generators.send(pgconn)
    return (yield from _answers(pgconn, len(queries)))


def _answers(pgconn: PGconn, number: int) -> PQGen[list[PGresult]]:
    answers: list[PGresult] = []
    try:
        for _ in range(number):
            answers += yield from generators.fetch_many(pgconn)
        yield from generators.fetch_many(pgconn)  # of the Sync
        pgconn.exit_pipeline_mode()
    except psycopg.OperationalError:
        pgconn.finish()
        # Why the server has gone, it may have said.
        if not any(answer.status == ExecStatus.FATAL_ERROR for answer in answers):
            raise
    return answers


def _read(
    driver: DriverConnection[Any], transformer: AnyTransformer, answers: Sequence[PGresult]
) -> list[Rows]:
    for answer in answers:
        if answer.status == ExecStatus.FATAL_ERROR:
            raise error_from_result(answer, encoding=driver.info.encoding)
    return [_rows(transformer, answer) for answer in answers]


def _rows(transformer: AnyTransformer, answer: PGresult) -> Rows:
    if answer.status != ExecStatus.TUPLES_OK:
        return ()
    transformer.set_pgresult(answer)
    names = tuple((answer.fname(n) or b"").decode() for n in range(answer.nfields))
    return tuple(transformer.load_rows(0, answer.ntuples, _row_type(names)._make))


@lru_cache(maxsize=128)
def _row_type(names: tuple[str, ...]) -> type[Any]:
    # Two columns may have one name, and one may be a word of Python's.
    made = cast("Any", namedtuple)("Row", names, rename=True)
    made._columns = names
    return cast("type[Any]", made)


async def _drop(connection: AsyncConnection, driver: DriverConnection[Any]) -> None:
    await driver.close()
    # The pool hears of it by a statement that can't be sent any more.
    with contextlib.suppress(DBAPIError):
        await connection.exec_driver_sql("SELECT 1")


@dataclass(frozen=True, slots=True)
class Proof:
    """What has to be asked before and after the app's rows are read, and who judges the answer."""

    statement: Statement
    judge: Callable[[Rows], None]
    """Raises where rows may be hidden."""


class Trips:
    """The round trips of a transaction that was begun, with the time that the server took."""

    def __init__(
        self, connection: AsyncConnection, opened: Sequence[Rows], proof: Proof | None
    ) -> None:
        self.connection = connection
        self._proof = proof
        self.opened = opened
        """What the statements returned that were sent along with its begin."""
        self.server_seconds = 0.0
        """Spent on what was sent since then, commit included."""

    async def ask(self, *statements: Statement) -> list[Rows]:
        """One trip over the app's rows; what each statement returned. Raises psycopg.Error, and
        what the judge of the proof raises."""
        if self._proof is None:
            return await self._send(statements)
        *found, proof = await self._send((*statements, self._proof.statement))
        self._proof.judge(proof)
        return found

    async def commit(self, *statements: Statement) -> None:
        """The last trip, over our own tables."""
        await self._send((*statements, COMMIT))

    async def _send(self, statements: Iterable[Statement]) -> list[Rows]:
        began, *found, ended = await send(self.connection, (CLOCK, *statements, CLOCK))
        self.server_seconds += (ended[0].now - began[0].now).total_seconds()
        return found
