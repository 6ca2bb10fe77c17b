"""Sessions of the app that wait for a batch are seen, and the next batch is smaller."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from functools import partial

import pytest
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from monitor.database import create_engine
from monitor.healing.executor import Progress
from monitor.healing.throttle.throttler import BlockingWatch, free_connections
from monitor.state.runs import RunState
from tests.support.app import App, app_on
from tests.support.databases import cloned
from tests.support.healing import (
    RECORD,
    Gate,
    make_runtime,
    plan,
    planted,
    prepared_template,
    working,
)
from tests.support.ledger_audit import assert_records_agree
from tests.support.postgres import PostgresServer
from tests.support.waiting import PATIENCE, wait_until

pytestmark = pytest.mark.prepared

_UPSERT = """
INSERT INTO user_art_impressions (user_id, artwork_id, viewed_at)
VALUES (%(user)s, 'old0001', timezone('UTC', now()))
ON CONFLICT (user_id, artwork_id) DO UPDATE SET viewed_at = excluded.viewed_at
"""
_IS_A_BATCH = "LOCK TABLE conservator.run IN ROW SHARE MODE"


@pytest.fixture
async def watch(app_database_url: str) -> AsyncIterator[BlockingWatch]:
    """Over the database with the app's tables."""
    engine = create_engine(app_database_url, pool_size=2)
    made = BlockingWatch(engine, "conservator")
    yield made
    await made.close()
    await engine.dispose()


@asynccontextmanager
async def blocked_visitors(url: str, app: App, *users: str) -> AsyncIterator[None]:
    """Each views an artwork and waits for a lock; they get it before the context has ended."""
    async with AsyncExitStack() as stack:
        sessions = [await stack.enter_async_context(app_on(url)) for _ in users]
        pids = [session.connection.info.backend_pid for session in sessions]
        views = [
            asyncio.create_task(session.run(_UPSERT, user=user))
            for session, user in zip(sessions, users, strict=True)
        ]

        async def all_wait() -> bool:
            found = await app.value(
                "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted AND pid = ANY(%(p)s)",
                p=pids,
            )
            return bool(found == len(users))

        try:
            await wait_until(all_wait)
            yield
            await asyncio.wait_for(asyncio.gather(*views), PATIENCE)
        finally:
            for view in views:
                view.cancel()
            await asyncio.gather(*views, return_exceptions=True)


async def is_blocked(app: App, session: App) -> bool:
    """Whether it waits for somebody."""
    pid = session.connection.info.backend_pid
    return bool(await app.value("SELECT cardinality(pg_blocking_pids(%(pid)s)) > 0", pid=pid))


async def test_a_batch_that_the_app_waits_for_is_seen_and_the_next_one_is_smaller(
    app_database_url: str,
) -> None:
    progress: list[Progress] = []
    pace = {"max_batch": 40, "batch_target": "30s"}
    async with (
        app_on(app_database_url) as app,
        app_on(app_database_url) as keeper,
        # Nobody but the watcher is to ask anything meanwhile: no heartbeat for a while.
        make_runtime(app_database_url, healing={"pace": pace}, lease="10m") as runtime,
    ):
        await app.plant(users=20, artworks=10)
        run = await plan(runtime)
        gate = Gate(keeper)
        await gate.build(place=RECORD)
        with capture_logs() as events:
            task = asyncio.create_task(runtime.executor(progress.append).work(run))
            await wait_until(gate.somebody_waits)
            (batch,) = await gate.waiting()
            # These pairs have just been inserted by the batch that stands at the gate.
            async with blocked_visitors(app_database_url, app, "u0001", "u0002"):
                await wait_until_looked(app, batch)
                await gate.open()
            ended = await asyncio.wait_for(task, PATIENCE)
        blocking = [event for event in events if event["event"] == "batch_blocks_others"]
        assert [event["sessions"] for event in blocking] == [2]
        assert [one.size for one in progress][:2] == [40, 20]
        assert (ended.run.state, ended.run.inserted) == (RunState.SUCCEEDED, 200)
        await assert_records_agree(app)


async def wait_until_looked(app: App, batch: int) -> None:
    """Until the watcher has ended two looks from now on: the second one began from now on, too."""
    now = await app.value("SELECT clock_timestamp()")
    ends: set[object] = set()

    async def has_looked_twice() -> bool:
        found = await app.rows(
            "SELECT query_start FROM pg_stat_activity WHERE state = 'idle' AND pid <> %(batch)s"
            " AND application_name = 'conservator' AND datname = current_database()"
            " AND query_start > %(now)s",
            batch=batch,
            now=now,
        )
        ends.update(found)
        return len(ends) > 1

    await wait_until(has_looked_twice)


async def test_sessions_that_wait_are_counted_and_others_are_not(
    app_database_url: str, watch: BlockingWatch
) -> None:
    async with (
        app_on(app_database_url) as app,
        app_on(app_database_url) as batch,
        app_on(app_database_url) as other,
    ):
        await app.plant(users=3, artworks=1)
        async with AsyncExitStack() as open_transactions:
            for one, user in ((batch, "u0001"), (other, "u0002")):
                await open_transactions.enter_async_context(one.connection.transaction())
                await one.run(_UPSERT, user=user)
            await batch.run(_IS_A_BATCH)
            async with AsyncExitStack() as waiting:
                await waiting.enter_async_context(
                    blocked_visitors(app_database_url, app, "u0001", "u0002")
                )
                seen = [0]

                def sees_somebody() -> bool:
                    seen.append(watch.seen())
                    return any(seen)

                with watch.over():
                    await asyncio.sleep(0)
                # Nobody has looked yet, and the next one comes at once.
                with watch.over():
                    await wait_until(sees_somebody)
                await watch.close()
                assert max(seen) == 1
                await other.run(_IS_A_BATCH)
                with ExitStack() as first:
                    first.enter_context(watch.over())
                    with watch.over():
                        await wait_until(lambda: watch.seen() == 2)
                        first.close()
                        await wait_until(lambda: watch.seen() == 2)
                await watch.close()
                await open_transactions.aclose()


@pytest.mark.parametrize(
    "does",
    [
        "SELECT FROM conservator.run",
        "LOCK TABLE conservator.run, conservator.backfilled_user IN ROW EXCLUSIVE MODE",
    ],
)
async def test_who_waits_for_a_count_or_a_log_in_waits_for_no_batch(
    app_database_url: str, watch: BlockingWatch, does: str
) -> None:
    """They hold locks, too: what changes a table waits for them."""
    async with (
        app_on(app_database_url) as app,
        app_on(app_database_url) as reader,
        app_on(app_database_url) as migration,
    ):
        await app.plant(users=3, artworks=1)
        async with AsyncExitStack() as counting:
            await counting.enter_async_context(reader.connection.transaction())
            await reader.run(does)
            await reader.rows("SELECT count(*) FROM user_art_impressions")
            waits = asyncio.create_task(
                migration.run("ALTER TABLE user_art_impressions ADD COLUMN note text")
            )
            try:
                await wait_until(partial(is_blocked, app, migration))
                with watch.over():
                    await wait_until_looked(app, reader.connection.info.backend_pid)
                assert watch.seen() == 0
            finally:
                await counting.aclose()
                await asyncio.wait_for(waits, PATIENCE)


async def test_who_waits_in_another_database_waits_for_no_batch_of_this_one(
    server: PostgresServer, app_database_url: str, watch: BlockingWatch
) -> None:
    """Its tables have the same oids, as copies of one database have."""
    with cloned(server, prepared_template(server)) as elsewhere:
        async with (
            app_on(app_database_url) as app,
            app_on(elsewhere) as theirs,
            app_on(elsewhere) as visitor,
            AsyncExitStack() as writing,
        ):
            await theirs.plant(users=3, artworks=1)
            await writing.enter_async_context(theirs.connection.transaction())
            await theirs.run(_IS_A_BATCH)
            await theirs.run(_UPSERT, user="u0001")
            waits = asyncio.create_task(visitor.run(_UPSERT, user="u0001"))
            try:
                await wait_until(partial(is_blocked, app, visitor))
                with watch.over():
                    await wait_until_looked(app, theirs.connection.info.backend_pid)
                assert watch.seen() == 0
            finally:
                await writing.aclose()
                await asyncio.wait_for(waits, PATIENCE)


async def test_our_own_sessions_that_wait_are_not_the_app(app_database_url: str) -> None:
    """The run's heartbeat and log-ins wait for what a batch has locked, however short it is."""
    async with app_on(app_database_url) as app, app_on(app_database_url) as batch:
        await app.plant(users=3, artworks=1)
        engine = create_engine(app_database_url, pool_size=3)
        async with batch.connection.transaction(), engine.connect() as ours:
            await batch.run(_IS_A_BATCH)
            await batch.run(_UPSERT, user="u0001")
            pid = (await ours.exec_driver_sql("SELECT pg_backend_pid()")).scalar_one()
            waits = asyncio.create_task(ours.exec_driver_sql(_UPSERT, {"user": "u0001"}))

            async def somebody_waits() -> bool:
                return bool(
                    await app.value(
                        "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = %(p)s", p=pid
                    )
                )

            try:
                await wait_until(somebody_waits)
                watch = BlockingWatch(engine, "conservator")
                backend = batch.connection.info.backend_pid
                with watch.over():
                    await wait_until_looked(app, backend)
                await watch.close()
                assert watch.seen() == 0
            finally:
                await app.run("SELECT pg_cancel_backend(%(p)s)", p=pid)
                await asyncio.wait([waits], timeout=PATIENCE)
            with pytest.raises(OperationalError):
                await waits
        await engine.dispose()


async def test_a_pool_of_one_connection_heals_unwatched(app_database_url: str) -> None:
    async with (
        planted(app_database_url, users=5, artworks=10, database={"pool_size": 1}) as (
            app,
            runtime,
        ),
        app_on(app_database_url) as keeper,
    ):
        run = await plan(runtime)
        gate = Gate(keeper)
        await gate.build(place=RECORD)
        task = working(runtime, run)
        await wait_until(gate.somebody_waits)
        async with blocked_visitors(app_database_url, app, "u0001"):
            assert not free_connections(runtime.engine)
            await gate.open()
        ended = await asyncio.wait_for(task, PATIENCE)
        assert free_connections(runtime.engine)
        assert (ended.run.state, ended.run.inserted) == (RunState.SUCCEEDED, 50)


async def test_a_watcher_that_fails_leaves_the_batch_alone(unused_tcp_port: int) -> None:
    url = f"postgresql+psycopg://nobody@127.0.0.1:{unused_tcp_port}/nowhere"
    away = create_engine(url, pool_size=2)
    with capture_logs() as events:
        watch = BlockingWatch(away, "conservator")
        with watch.over():
            await wait_until(lambda: "batch_not_watched" in {e["event"] for e in events})
        await watch.close()
    assert watch.seen() == 0
    await away.dispose()
