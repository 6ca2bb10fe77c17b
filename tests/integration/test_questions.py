"""A question costs one round trip, and whatever its answer, nothing of it stays."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.discover.sampling import BY_INDEX
from checks.errors import DatabaseUnavailableError
from checks.questions import Questions
from monitor.database import create_engine, snapshot
from tests.support.distance import Distance

WHOLE = timedelta(minutes=5)
PATIENCE = timedelta(milliseconds=200)
STANDS = """
SELECT
    pg_backend_pid() AS pid,
    current_setting('statement_timeout') AS bound,
    current_setting('enable_seqscan') AS reads_tables,
    (
        SELECT count(*) FROM pg_locks
        WHERE pid = pg_backend_pid() AND relation = 'users'::regclass
    ) AS locks
"""


@asynccontextmanager
async def asking(url: str, folder: Path) -> AsyncIterator[tuple[AsyncConnection, Distance]]:
    """A connection of ours, in a transaction, and who sees what goes over it."""
    parsed = make_url(url)
    proxy = Distance(Path(str(parsed.query["host"])), 0)
    through = parsed.update_query_dict({"host": str(folder)})
    async with proxy.at(folder):
        engine = create_engine(through.render_as_string(hide_password=False), pool_size=1)
        try:
            async with snapshot(engine, timeout=WHOLE) as connection:
                yield connection, proxy
        finally:
            await engine.dispose()


async def stands(connection: AsyncConnection) -> tuple[object, ...]:
    """Where the transaction is: its session, the bound on its statements, what it holds."""
    return tuple((await connection.exec_driver_sql(STANDS)).one())


async def test_a_question_is_one_trip_with_its_bound_and_what_comes_before_it(
    app_database_url: str, tmp_path: Path
) -> None:
    async with asking(app_database_url, tmp_path) as (connection, proxy):
        before = await stands(connection)
        assert before[1:] == ("5min", "on", 0)
        proxy.forget()
        (found,) = await Questions(connection, PATIENCE).ask(
            f"SELECT s.*, %(n)s::int AS n FROM ({STANDS}) AS s, (SELECT count(*) FROM users) AS u",
            {"n": 7},
            BY_INDEX,
        )
        (transaction,) = proxy.transactions
        assert [len(trip) for trip in transaction.trips] == [6]
        assert (found.pid, found.bound, found.reads_tables, found.n) == (
            before[0],
            "200ms",
            "off",
            7,
        )
        assert found.locks > 0
        assert await stands(connection) == before


@pytest.mark.parametrize(
    ("refused", "state"),
    [
        ("SELECT 1 / (count(*) - count(*)) FROM users", "22012"),
        ("SELECT no_such_thing FROM users", "42703"),
        ("SELECT pg_sleep(60) FROM (SELECT count(*) FROM users) AS u", "57014"),
        # Not the word of a server that became a standby: the transaction was made so.
        ("INSERT INTO users DEFAULT VALUES", "25006"),
        # The driver's: it has no value for these, and does not send this at all.
        ("SELECT 'infinity'::timestamptz FROM (SELECT count(*) FROM users) AS u", None),
        ("SELECT 1 % 1", None),
    ],
)
async def test_a_refused_question_leaves_the_transaction_where_it_was(
    app_database_url: str, tmp_path: Path, refused: str, state: str | None
) -> None:
    async with asking(app_database_url, tmp_path) as (connection, _):
        before = await stands(connection)
        questions = Questions(connection, PATIENCE)
        for _again in range(2):
            with pytest.raises(psycopg.Error) as error:
                await questions.ask(refused, {}, BY_INDEX)
            assert error.value.sqlstate == state
            assert await stands(connection) == before
        assert [row.one for row in await questions.ask("SELECT 1 AS one", {})] == [1]


async def test_a_session_that_is_ended_in_a_question_is_lost(
    app_database_url: str, tmp_path: Path
) -> None:
    ended = "SELECT pg_terminate_backend(pg_backend_pid())"
    with pytest.raises(DatabaseUnavailableError, match="terminating connection"):
        async with asking(app_database_url, tmp_path) as (connection, _):
            await Questions(connection, PATIENCE).ask(ended, {})
