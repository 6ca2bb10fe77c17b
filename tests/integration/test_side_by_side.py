"""Two sessions that see the same rows share a count; where there is only one, it does all of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from checks import affected, halves
from checks import census as counting
from checks.catalogue import read_catalogue
from checks.census import CensusForm
from checks.errors import ConservatorError, StatementError
from checks.row_security import guard_of
from checks.spec import CatalogueSpec
from monitor.checking.census import CensusCheck
from monitor.checking.expectations.worker import WorkerPool
from monitor.database import create_engine, side_by_side, snapshot
from monitor.runtime import CurrentRuntime
from monitor.state.runs import RunState
from tests.support.app import App, app_on
from tests.support.check_registry import registry_of
from tests.support.healing import heal, make_runtime
from tests.support.postgres import PostgresServer
from tests.support.replicas import replica_of
from tests.support.undoing import undo
from tests.support.waiting import wait_until

PATIENCE = timedelta(seconds=30)
COUNT = "SELECT count(*) FROM user_art_impressions"
SESSION = "SELECT pg_backend_pid()"
OURS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'conservator'
"""
SLEEP = "SELECT pg_sleep(300)"
Look = Callable[[AsyncConnection], Awaitable[tuple[int, int]]]


async def look(connection: AsyncConnection) -> tuple[int, int]:
    """Which session this is, and how many impressions it sees."""
    session = (await connection.exec_driver_sql(SESSION)).scalar_one()
    return session, (await connection.exec_driver_sql(COUNT)).scalar_one()


@dataclass
class Stage:
    """An app's tables, and a session of ours that sees them as they were."""

    app: App
    engine: AsyncEngine
    connection: AsyncConnection
    seen: int

    async def both(self, mine: Look = look, theirs: Look = look) -> bool:
        """Whether there were two sessions. Both saw what was there when the snapshot was taken, and
        its transaction goes on."""
        async with snapshot(self.engine, timeout=PATIENCE) as connection:
            found = (await read_catalogue(connection, CatalogueSpec())).require()
        (one, seen), (other, seen_there) = await side_by_side(
            self.connection, mine, theirs, timeout=PATIENCE, rows=guard_of(found)
        )
        assert (seen, seen_there) == (self.seen, self.seen)
        assert await look(self.connection) == (one, self.seen)
        return one != other

    async def busy(self) -> int:
        """Our sessions that are in the middle of something, but for the one that waits."""
        return int(await self.app.value(OURS + "AND state <> 'idle'")) - 1


@asynccontextmanager
async def stage(url: str, *, sessions: int = 4) -> AsyncIterator[Stage]:
    """What is deleted while the context lasts, the session does not see."""
    engine = create_engine(url, pool_size=sessions)
    async with app_on(url) as app:
        await app.plant(users=3, artworks=2)
        async with snapshot(engine, timeout=PATIENCE) as connection:
            _, seen = await look(connection)
            await app.run("DELETE FROM user_art_impressions WHERE user_id = 'u0001'")
            yield Stage(app, engine, connection, seen)
    await engine.dispose()


async def test_two_sessions_see_the_same_rows_whatever_is_deleted(app_database_url: str) -> None:
    async with stage(app_database_url) as at:
        assert await at.both()
        assert await at.busy() == 0


async def test_one_session_does_it_all_where_the_pool_has_no_other_to_spare(
    app_database_url: str,
) -> None:
    async with stage(app_database_url, sessions=2) as at:
        assert not await at.both()


async def test_one_session_does_it_all_where_the_server_is_to_make_no_parallel_plans(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app:
        database = await app.value("SELECT current_database()")
        await app.run(f'ALTER DATABASE "{database}" SET max_parallel_workers_per_gather = 0')
    async with stage(app_database_url) as at:
        assert not await at.both()


async def test_one_session_does_it_all_where_no_more_may_connect(app_database_url: str) -> None:
    url = app_database_url.replace("postgres@", "counting@")
    async with app_on(app_database_url) as app:
        await app.run(
            "CREATE ROLE counting LOGIN CONNECTION LIMIT 1;"
            "GRANT SELECT ON ALL TABLES IN SCHEMA public TO counting"
        )
        try:
            engine = create_engine(url, pool_size=4)
            async with snapshot(engine, timeout=PATIENCE) as connection:
                found = await side_by_side(connection, look, look, timeout=PATIENCE, rows=None)
            await engine.dispose()
        finally:
            await app.run("DROP OWNED BY counting; DROP ROLE counting")
    assert found[0] == found[1]


async def test_one_session_does_it_all_where_the_other_is_ended_in_the_middle(
    app_database_url: str,
) -> None:
    async with stage(app_database_url) as at:
        mine, _ = await look(at.connection)

        async def ended(connection: AsyncConnection) -> tuple[int, int]:
            session, seen = await look(connection)
            if session != mine:
                await at.app.value(f"SELECT pg_terminate_backend({session})")
                await connection.exec_driver_sql(COUNT)
            return session, seen

        assert not await at.both(theirs=ended)
        # And the next time there are two again.
        assert await at.both()


async def test_what_was_too_slow_in_the_other_session_is_not_done_once_more(
    app_database_url: str,
) -> None:
    async with stage(app_database_url) as at:
        mine, _ = await look(at.connection)
        asked = []

        async def slow(connection: AsyncConnection) -> tuple[int, int]:
            session, seen = await look(connection)
            asked.append(session)
            await connection.exec_driver_sql("SET LOCAL statement_timeout = '50ms'")
            await connection.exec_driver_sql(SLEEP)
            return session, seen

        with pytest.raises(StatementError, match="longer than it may"):
            await at.both(theirs=slow)
        assert len(asked) == 1
        assert asked != [mine]


async def test_a_session_that_queues_behind_who_waits_for_the_other_gives_up(
    app_database_url: str,
) -> None:
    async with stage(app_database_url) as at, app_on(app_database_url) as migration:
        waits = "wait_event_type = 'Lock' AND query LIKE 'ALTER TABLE%'"
        found = f"SELECT count(*) FROM pg_stat_activity WHERE {waits}"
        altering: list[asyncio.Task[None]] = []

        async def alter_and_look(connection: AsyncConnection) -> tuple[int, int]:
            session, seen = await look(connection)
            if not altering:
                change = "ALTER TABLE user_art_impressions ADD COLUMN later int"
                altering.append(asyncio.create_task(migration.run(change)))
            await wait_until(is_waiting)
            return session, seen

        async def is_waiting() -> bool:
            async with app_on(app_database_url) as app:
                return bool(await app.value(found))

        async def after_that(connection: AsyncConnection) -> tuple[int, int]:
            await wait_until(is_waiting)
            return await look(connection)

        assert not await at.both(alter_and_look, after_that)
        await at.connection.rollback()
        await asyncio.gather(*altering)


@pytest.mark.parametrize("fails", [True, False], ids=["fails", "is cancelled"])
async def test_whoever_fails_or_is_cancelled_leaves_no_session_behind(
    app_database_url: str, fails: bool
) -> None:
    async with stage(app_database_url) as at:

        async def sleep(connection: AsyncConnection) -> tuple[int, int]:
            await connection.exec_driver_sql(SLEEP)
            return 0, 0

        async def is_asleep() -> bool:
            return bool(await at.app.value(OURS + f"AND query = '{SLEEP}' AND state = 'active'"))

        async def fall(_: AsyncConnection) -> tuple[int, int]:
            await wait_until(is_asleep)
            if fails:
                raise ConservatorError("As a test has it.")
            await asyncio.Event().wait()
            raise AssertionError

        counts = asyncio.create_task(at.both(fall, sleep))
        if not fails:
            await wait_until(is_asleep)
            counts.cancel()
        # The other one is not waited for until its statement ends.
        done, _ = await asyncio.wait({counts}, timeout=PATIENCE.total_seconds() / 3)
        assert done
        with pytest.raises((ConservatorError, asyncio.CancelledError)):
            await counts

        async def is_over() -> bool:
            return await at.busy() == 0

        await wait_until(is_over)


async def test_a_replica_shares_its_snapshot_too(
    app_database_url: str, server: PostgresServer
) -> None:
    async with app_on(app_database_url) as app:
        await app.plant(users=3, artworks=2)
        seen = await app.value(COUNT)
    database = app_database_url.partition("?")[0].rpartition("/")[2]
    with replica_of(server) as replica:
        engine = create_engine(replica.url(database), pool_size=4)
        async with snapshot(engine, timeout=PATIENCE) as connection:
            found = await side_by_side(connection, look, look, timeout=PATIENCE, rows=None)
        await engine.dispose()
    assert [count for _, count in found] == [seen, seen]
    assert found[0][0] != found[1][0]


@pytest.mark.parametrize("sessions", [5, 2])
async def test_the_services_census_is_shared_and_finds_what_a_pass_finds(
    app_database_url: str, sessions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared: list[bool] = []

    async def watched(
        connection: AsyncConnection, mine: Look, theirs: Look, **more: object
    ) -> object:
        pids: list[int] = []

        def telling(work: Look) -> Look:
            async def tell(connection: AsyncConnection) -> tuple[int, int]:
                pids.append((await connection.exec_driver_sql(SESSION)).scalar_one())
                return await work(connection)

            return tell

        found = await side_by_side(connection, telling(mine), telling(theirs), **more)  # type: ignore[arg-type]
        shared.append(len(set(pids)) == 2)
        return found

    # Who is affected is told by totals, however few artworks are incomplete, with each census.
    monkeypatch.setattr(CensusCheck, "_users_due", lambda _: True)
    monkeypatch.setattr(affected, "incomplete_few", lambda *_: None)
    monkeypatch.setattr(affected, "PAGES_SHARE", 0)
    for place in ("monitor.checking.replica", "monitor.healing.verification"):
        monkeypatch.setattr(f"{place}.side_by_side", watched)
    async with app_on(app_database_url) as app:
        await app.plant(users=3, artworks=4)
        async with make_runtime(app_database_url, database={"pool_size": sessions}) as runtime:
            registry = registry_of(
                runtime.settings, runtime.engine, WorkerPool(), CurrentRuntime(runtime)
            )

            async def take() -> tuple[object, ...]:
                census = (await registry.census.take()).census
                assert census is not None
                return census.form, *census.counts, sorted(census.incomplete or ())

            expected = await take()
            assert expected[0] is CensusForm.BY_ARTWORK
            monkeypatch.setattr(counting, "_probing_pays", lambda *_: True)
            assert await take() == (CensusForm.BY_PROBE, *expected[1:])
            assert shared == []
            monkeypatch.setattr(halves, "SHARED_FROM", 0)
            assert await take() == (CensusForm.BY_PROBE, *expected[1:])
            result = await heal(runtime)
            assert (await take())[4] == 0
            said = registry.census.tracker.result.message
            assert said == f"0 legacy-untracked of {sum(expected[1:5])} pairs."  # type: ignore[arg-type]
            assert shared == [sessions > 2] * 4
            # An undo looks behind a savepoint, from where no snapshot can be shared.
            undone = await undo(runtime, result.run.id)
            assert undone.run.state is RunState.SUCCEEDED
            assert await take() == (CensusForm.BY_PROBE, *expected[1:])
            assert shared == [sessions > 2] * 6
