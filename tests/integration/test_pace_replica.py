"""Healing yields to a real streaming replica: one that is stuck, missing, idle, or unreadable."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from monitor.deadlines import SIGNAL_TIMEOUT
from monitor.demo.server import server_account
from monitor.healing.throttle.signals import read_replicas
from monitor.state.runs import RunState
from tests.support.app import App, app_on
from tests.support.child import ChildProcess
from tests.support.databases import APP, cloned
from tests.support.healing import (
    heal,
    make_runtime,
    plan,
    planted,
    wait_until_counted,
    wait_until_waiting,
    waited,
    waiting_for,
    working,
)
from tests.support.ledger_audit import assert_ledger_is_there, assert_records_agree
from tests.support.postgres import PostgresServer, PrivateDirectory
from tests.support.replicas import Replica, replica_of
from tests.support.roles import may_heal
from tests.support.waiting import wait_until

_LAG = """
SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn) FROM pg_stat_replication
"""


@pytest.fixture(scope="module")
def replica(server: PostgresServer) -> Iterator[Replica]:
    """One that follows the session's server while this module runs."""
    with replica_of(server) as running:
        yield running


def paced(**pace: object) -> dict[str, Any]:
    return {"healing": {"pace": {"max_batch": 30, **pace}}}


async def wait_until_caught_up(app: App) -> None:
    async def has_caught_up() -> bool:
        return await app.rows(_LAG) == [(0,)]

    await wait_until(has_caught_up)


async def wait_until_far_behind(app: App) -> None:
    """By both measures. The time is reported late and coarsely, unlike the bytes."""

    async def is_far_behind() -> bool:
        found = await app.rows(
            "SELECT replay_lag > interval '600 ms', pg_current_wal_lsn() - replay_lsn > 2 ^ 21"
            " FROM pg_stat_replication"
        )
        return found == [(True, True)]

    await wait_until(is_far_behind)


async def write_log(app: App, size: int) -> None:
    """Give the replica so many bytes to replay, without touching a table."""
    await app.run("SELECT pg_logical_emit_message(true, 'test', repeat('x', %(size)s))", size=size)


@pytest.mark.parametrize(
    ("limits", "reason", "words"),
    [
        (
            {"max_replica_lag_bytes": "1MiB", "max_replica_lag": "1h"},
            "replica_lag_bytes",
            "Replica standby1 has 2.0 MiB left to replay, the limit is 1.0 MiB.",
        ),
        (
            {"max_replica_lag_bytes": "1GiB", "max_replica_lag": "500ms"},
            "replica_lag",
            "s behind, the limit is 0.5 s.",
        ),
    ],
    ids=["bytes", "time"],
)
@pytest.mark.long
async def test_a_run_waits_for_a_replica_whose_replay_stands_still_and_goes_on_when_it_resumes(
    app_database_url: str, replica: Replica, limits: dict[str, object], reason: str, words: str
) -> None:
    async with planted(
        app_database_url, users=10, artworks=30, watches=True, **paced(**limits)
    ) as (app, runtime):
        run = await plan(runtime)
        await wait_until_caught_up(app)
        replica.pause_replay()
        try:
            await write_log(app, 2 * 1024**2)
            await wait_until_far_behind(app)
            task = working(runtime, run)
            await wait_until_waiting(app, words)
            written = await app.value("SELECT inserted FROM conservator.run")
            await wait_until_counted(app, reason)
            before, _ = await waited(app, reason)
            await wait_until_counted(app, reason, more_than=before)
            assert await app.rows("SELECT state, inserted FROM conservator.run") == [
                ("running", written)
            ]
        finally:
            replica.resume_replay()
        ended = await task
        assert (ended.run.state, ended.run.inserted) == (RunState.SUCCEEDED, 300)
        assert ended.run.waiting_for == ""
        record, total = await waited(app, reason)
        assert record == pytest.approx(total)
        assert 0 < record <= ended.run.waiting_seconds + 0.001
        await assert_records_agree(app)
        await assert_ledger_is_there(app)


async def test_an_idle_replica_that_has_caught_up_holds_nothing(
    app_database_url: str, replica: Replica
) -> None:
    async with planted(
        app_database_url, users=10, artworks=30, watches=True, **paced(expected_replicas=1)
    ) as (app, runtime):

        async def is_idle() -> bool:
            return await app.rows("SELECT replay_lag FROM pg_stat_replication") == [(None,)]

        await wait_until(is_idle)
        ended = await heal(runtime)
        assert (ended.run.state, ended.run.inserted) == (RunState.SUCCEEDED, 300)
        reasons = await app.rows("SELECT reason FROM conservator.run_wait")
        assert [reason for (reason,) in reasons if reason != "duty"] == []


async def test_a_role_that_may_not_see_the_lag_waits_and_names_the_grant(
    app_database_url: str, replica: Replica
) -> None:
    async with app_on(app_database_url) as app, may_heal(app_database_url, app) as url:
        await app.plant(users=10, artworks=30)
        async with make_runtime(url, **paced()) as runtime:
            task = working(runtime, await plan(runtime))
            await wait_until_waiting(app, "replica standby1 is behind can't be read by this role")
            assert 'GRANT pg_monitor TO "Healer";' in await waiting_for(app)
            await wait_until_counted(app, "replica_unknown")
            await app.run('GRANT pg_monitor TO "Healer"')
            ended = await task
        assert (ended.run.state, ended.run.inserted) == (RunState.SUCCEEDED, 300)


async def test_subscribers_and_archivers_are_no_replicas(
    app_engine: AsyncEngine, app_database_url: str, server: PostgresServer, replica: Replica
) -> None:
    async with (
        app_on(app_database_url) as app,
        subscriber(server, app, str(make_url(app_database_url).database)),
        archiver(server),
    ):

        async def all_report() -> bool:
            found = await app.rows(
                "SELECT application_name, replay_lsn IS NULL FROM pg_stat_replication"
                " WHERE state = 'streaming' AND write_lsn IS NOT NULL"
            )
            return set(found) == {("standby1", False), ("sub", False), ("pg_receivewal", True)}

        await wait_until(all_report)
        found = await read_replicas(app_engine, timeout=SIGNAL_TIMEOUT)
        assert [one.name for one in found] == ["standby1"]


@asynccontextmanager
async def subscriber(server: PostgresServer, app: App, database: str) -> AsyncIterator[None]:
    """A logical subscriber to the app's impressions, in a second database."""
    await app.run("CREATE PUBLICATION views FOR TABLE user_art_impressions")
    await app.run("SELECT pg_create_logical_replication_slot('sub', 'pgoutput')")
    with cloned(server, APP) as url:
        async with app_on(url) as other:
            await other.run(
                f"CREATE SUBSCRIPTION sub CONNECTION '{server.conninfo(database)}'"
                " PUBLICATION views WITH (create_slot = false, copy_data = false)"
            )
            try:
                yield
            finally:
                # With the slot; the database could not be dropped before.
                await other.run("DROP SUBSCRIPTION sub")


@asynccontextmanager
async def archiver(server: PostgresServer) -> AsyncIterator[None]:
    """pg_receivewal, which copies the log and replays nothing."""
    account = server_account()
    folder = PrivateDirectory(account)
    program = ChildProcess(
        [
            str(server.bin_dir / "pg_receivewal"),
            f"--dbname={server.conninfo()}",
            f"--directory={folder.path}",
        ],
        output=folder.path / "log",
        directory=folder.path,
        account=account,
    )
    try:
        yield
    finally:
        program.kill()
        folder.remove()
