"""Which server checks read: a real replica, level, paused, killed, back; and servers that are
none."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from structlog.testing import capture_logs

from checks.errors import DatabaseUnavailableError, StatementError
from monitor.checking.replica import LEFT, ReplicaRouter
from monitor.database import create_engine
from monitor.status import Status, StatusBoard
from tests.support.app import App, app_on
from tests.support.postgres import PostgresServer
from tests.support.replicas import Replica, replica_of
from tests.support.waiting import wait_until

TIMEOUT = timedelta(seconds=20)
SOON = timedelta(seconds=1)
IN_RECOVERY = "SELECT pg_is_in_recovery()"
IMPRESSIONS = "SELECT count(*) FROM user_art_impressions"


@pytest.fixture(scope="module")
def replica(server: PostgresServer) -> Iterator[Replica]:
    with replica_of(server) as running:
        yield running


@asynccontextmanager
async def reader(
    url: str, read_url: str, *, max_lag: timedelta = timedelta(seconds=10)
) -> AsyncIterator[tuple[ReplicaRouter, StatusBoard]]:
    primary = create_engine(url, pool_size=2)
    other = create_engine(read_url, pool_size=2)
    board = StatusBoard(Status(started=datetime.now(UTC), version="0", revision="0"))
    try:
        yield ReplicaRouter(primary, other, board, max_lag=max_lag), board
    finally:
        await primary.dispose()
        await other.dispose()


async def answer(server: ReplicaRouter, statement: str) -> tuple[object, str]:
    async def ask(connection: AsyncConnection, _: datetime) -> object:
        return (await connection.exec_driver_sql(statement)).scalar_one()

    return await server.read(ask, timeout=TIMEOUT, rows=None)


def database_of(url: str) -> str:
    return url.partition("?")[0].rpartition("/")[2]


@asynccontextmanager
async def on_replica(
    url: str, replica: Replica, *, max_lag: timedelta = timedelta(seconds=10)
) -> AsyncIterator[tuple[App, ReplicaRouter, StatusBoard]]:
    """With a gallery whose database the replica has."""
    async with app_on(url) as app:
        await app.plant(users=4, artworks=5)
        async with reader(url, replica.url(database_of(url)), max_lag=max_lag) as (server, board):

            async def is_there() -> bool:
                return (await answer(server, IN_RECOVERY))[0] is True

            await wait_until(is_there)  # the database, too, has to be replayed first
            yield app, server, board


async def test_what_was_committed_before_is_seen_on_the_replica_every_time(
    app_database_url: str, replica: Replica
) -> None:
    async with on_replica(app_database_url, replica) as (app, server, board):
        for _ in range(30):
            await app.run("UPDATE art_sessions SET version = version + 1")
            version = "SELECT min(version) + max(version) FROM art_sessions"
            expected = await app.value(version)
            assert await answer(server, version) == (expected, "")
        assert await answer(server, IN_RECOVERY) == (True, "")
        assert board.current.reading_replica is True


async def test_it_is_the_primarys_clock_that_is_handed_on(
    app_database_url: str, replica: Replica
) -> None:
    async def told(_: AsyncConnection, now: datetime) -> datetime:
        return now

    async with on_replica(app_database_url, replica) as (app, server, _):
        before = await app.value("SELECT clock_timestamp()")
        now, _ = await server.read(told, timeout=TIMEOUT, rows=None)
        assert before <= now <= await app.value("SELECT clock_timestamp()")


async def test_a_replica_that_stands_still_is_left_and_read_again_once_it_is_level(
    app_database_url: str, replica: Replica
) -> None:
    async with on_replica(app_database_url, replica, max_lag=SOON) as (app, server, board):
        assert await answer(server, IN_RECOVERY) == (True, "")
        replica.pause_replay()
        try:
            await app.run("DELETE FROM user_art_impressions")
            with capture_logs() as logs:
                found, why = await answer(server, IMPRESSIONS)
                assert found == 0
                assert why.startswith(f"{LEFT} stale: the replica is ")
                assert "did not catch up in time (healing.pace.max_replica_lag: 1 s)" in why
                assert "its replay is paused" in why
                # The server goes on writing WAL of its own: the next one is told another lag.
                in_recovery, why = await answer(server, IN_RECOVERY)
                assert in_recovery is False
            assert [log["event"] for log in logs] == ["replica_left"]
            assert board.current.reading_replica is False
            assert board.current.reading_problem in why
        finally:
            replica.resume_replay()
        with capture_logs() as logs:
            assert await answer(server, IMPRESSIONS) == (0, "")
        assert [log["event"] for log in logs] == ["replica_read"]
        assert (board.current.reading_replica, board.current.reading_problem) == (True, "")


async def test_a_replica_that_is_killed_is_left_and_found_again(
    app_database_url: str, server: PostgresServer
) -> None:
    with replica_of(server, "standby2") as mortal:
        async with on_replica(app_database_url, mortal) as (_, reading, board):
            assert await answer(reading, IN_RECOVERY) == (True, "")
            mortal.kill()
            found, why = await answer(reading, IN_RECOVERY)
            assert found is False
            assert why.startswith(f"{LEFT} the replica can't be read. The database can't be used")
            mortal.restart()

            async def is_read_again() -> bool:
                return await answer(reading, IN_RECOVERY) == (True, "")

            await wait_until(is_read_again)
            assert board.current.reading_replica is True


async def test_a_replica_that_dies_while_it_is_read_is_left_in_the_same_breath(
    app_database_url: str, server: PostgresServer
) -> None:
    with replica_of(server, "standby3") as mortal:
        async with on_replica(app_database_url, mortal) as (_, reading, _):
            seen: list[bool] = []

            async def work(connection: AsyncConnection, _: datetime) -> int:
                in_recovery = (await connection.exec_driver_sql(IN_RECOVERY)).scalar_one()
                seen.append(in_recovery)
                if in_recovery:
                    mortal.kill()
                return int((await connection.exec_driver_sql("SELECT 7")).scalar_one())

            found, why = await reading.read(work, timeout=TIMEOUT, rows=None)
            assert (found, seen) == (7, [True, False])
            assert "the replica gave up" in why


async def test_a_statement_that_is_wrong_is_wrong_on_the_replica_too(
    app_database_url: str, replica: Replica
) -> None:
    async with on_replica(app_database_url, replica) as (_, server, board):
        with pytest.raises(StatementError, match="paintings"):
            await answer(server, "SELECT count(*) FROM paintings")
        assert board.current.reading_replica is True


async def test_read_url_may_lead_to_the_primary_itself(app_database_url: str) -> None:
    async with reader(app_database_url, app_database_url) as (server, board):
        assert await answer(server, IN_RECOVERY) == (False, "")
        assert board.current.reading_replica is True


async def test_a_server_that_follows_nobody_or_somebody_else_is_not_read(
    app_database_url: str, own_server: PostgresServer, server: PostgresServer
) -> None:
    async with reader(app_database_url, own_server.url("postgres")) as (reading, board):
        _, why = await answer(reading, "SELECT 1")
        assert "is no replica of database.url's" in why
        assert board.current.reading_replica is False
    with replica_of(own_server, "others") as others:
        async with reader(app_database_url, others.url("postgres")) as (reading, _):
            _, why = await answer(reading, "SELECT 1")
            assert "is no replica of database.url's" in why


async def test_where_the_position_can_not_be_read_the_primary_is_read(
    app_database_url: str, replica: Replica
) -> None:
    """As on a service that refuses the functions."""
    async with on_replica(app_database_url, replica) as (_, server, board):
        engine: AsyncEngine = server.primary

        @event.listens_for(engine.sync_engine, "before_cursor_execute", retval=True)
        def refuse(
            _conn: object, _cursor: object, statement: str, parameters: object, *_: object
        ) -> tuple[str, object]:
            return statement.replace("pg_current_wal_lsn", "pg_no_such_function"), parameters

        found, why = await answer(server, IN_RECOVERY)
        assert found is False
        assert "the replica can't be read" in why
        assert board.current.reading_replica is False


async def test_a_primary_that_is_away_is_an_error(app_database_url: str, replica: Replica) -> None:
    nowhere = "postgresql+psycopg://postgres@127.0.0.1:1/none"
    async with reader(nowhere, replica.url("postgres")) as (server, _):
        with pytest.raises(DatabaseUnavailableError):
            await answer(server, "SELECT 1")


async def test_without_a_replica_nothing_is_asked_or_said(app_engine: AsyncEngine) -> None:
    board = StatusBoard(Status(started=datetime.now(UTC), version="0", revision="0"))
    server = ReplicaRouter(app_engine, app_engine, board, max_lag=SOON)
    assert await answer(server, IN_RECOVERY) == (False, "")
    assert board.current.reading_replica is None
