"""PgBouncer in transaction mode: everything works, and nothing of ours stays in its sessions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import psycopg
import pytest

from monitor.healing.executor import Progress
from monitor.state.runs import Run, RunState, Trigger
from tests.support.app import app_on, conninfo
from tests.support.healing import heal, make_runtime, paced, plan, working
from tests.support.ledger_audit import (
    assert_exactly_healed,
    start_audit,
)
from tests.support.pgbouncer import Bouncer, bouncing
from tests.support.postgres import PostgresServer
from tests.support.roles import as_service
from tests.support.waiting import wait_until

pytestmark = pytest.mark.prepared

# These PgBouncer sets itself, to what each client said when it came.
_LEFT = """
SELECT pg_backend_pid(),
    ARRAY(SELECT name || ' = ' || setting FROM pg_settings WHERE source = 'session'
        AND name NOT IN ('application_name', 'client_encoding', 'DateStyle', 'TimeZone',
            'standard_conforming_strings')),
    (SELECT count(*) FROM pg_prepared_statements),
    (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()),
    (SELECT count(*) FROM pg_class WHERE relpersistence = 't'),
    ARRAY(SELECT pg_listening_channels())
"""


@dataclass
class Neighbour:
    """A client of the same pool, which looks what others have left in the sessions it gets."""

    looks: int = 0
    sessions: set[int] = field(default_factory=set)
    """Server processes that it was given."""
    found: list[object] = field(default_factory=list)
    """Whatever should not have been there."""

    async def look(self, connection: psycopg.AsyncConnection[tuple[object, ...]]) -> None:
        """Once."""
        ((pid, settings, prepared, locks, temporary, channels),) = await (
            await connection.execute(_LEFT)
        ).fetchall()
        self.looks += 1
        assert isinstance(pid, int)
        self.sessions.add(pid)
        if settings or prepared or locks or temporary or channels:
            self.found.append((settings, prepared, locks, temporary, channels))


@asynccontextmanager
async def neighbour(url: str) -> AsyncIterator[Neighbour]:
    """A neighbour that looks without a pause, as long as the block lasts. It is of the service's
    role, since PgBouncer keeps a pool for each."""
    async with await psycopg.AsyncConnection.connect(
        conninfo(as_service(url)),
        autocommit=True,
        prepare_threshold=None,
        application_name="neighbour",
    ) as connection:
        seen = Neighbour()
        await seen.look(connection)
        looking = asyncio.create_task(_look_for_ever(seen, connection))
        try:
            yield seen
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
    assert looking.cancelled(), looking.exception()


async def _look_for_ever(
    seen: Neighbour, connection: psycopg.AsyncConnection[tuple[object, ...]]
) -> None:
    while True:
        await seen.look(connection)


@pytest.fixture
def bouncer(server: PostgresServer) -> Iterator[Bouncer]:
    """Two connections to the server for all clients of a database together."""
    with bouncing(server, pool_size=2) as running:
        yield running


async def test_a_run_goes_through_two_connections_and_leaves_nothing_in_them(
    app_database_url: str, bouncer: Bouncer
) -> None:
    through = bouncer.url(app_database_url)
    async with app_on(app_database_url) as app:
        await app.plant(users=15, artworks=15)
        await start_audit(app)
        async with make_runtime(through, **paced()) as runtime, neighbour(through) as seen:
            ended = await heal(runtime)
            looks = seen.looks
            await wait_until(lambda: seen.looks > looks + 20)
        assert (ended.run.state, ended.run.inserted) == (RunState.SUCCEEDED, 225)
        assert ended.run.batches > 15
        assert len(seen.sessions) == 2
        assert seen.found == []
        await assert_exactly_healed(app)


async def test_a_neighbour_finds_what_a_careless_client_leaves(
    app_database_url: str, bouncer: Bouncer
) -> None:
    through = bouncer.url(app_database_url)
    async with make_runtime(app_database_url):
        pass  # for the role
    async with neighbour(through) as seen:
        with psycopg.connect(conninfo(as_service(through)), autocommit=True) as careless:
            careless.execute("SET lock_timeout = '500ms'")
        await wait_until(lambda: bool(seen.found))
    assert seen.found[0] == (["lock_timeout = 500"], 0, 0, 0, [])


async def test_one_user_is_healed_and_a_run_is_paused_between_its_batches(
    app_database_url: str, bouncer: Bouncer
) -> None:
    through = bouncer.url(app_database_url)
    async with app_on(app_database_url) as app:
        await app.plant(users=5, artworks=15)
        await start_audit(app)
        async with make_runtime(through, **paced()) as runtime, neighbour(through) as seen:
            user = await runtime.planner.plan_user(
                runtime.run_owner(Trigger.API), "u0001", reason="a login", force=False
            )
            assert isinstance(user, Run)
            ended = await working(runtime, user)
            assert (ended.run.state, ended.run.inserted) == (RunState.SUCCEEDED, 15)

            run, paused = await plan(runtime), asyncio.Event()

            def pause_once(_: Progress) -> None:
                if not paused.is_set():
                    paused.set()
                    with psycopg.connect(conninfo(app_database_url)) as operator:
                        operator.execute(
                            "UPDATE conservator.control SET paused = true,"
                            " paused_reason = 'we look'"
                        )

            held = await runtime.executor(pause_once).work(run)
            assert (held.run.state, held.run.batches) == (RunState.HELD, 1)
            await app.run("UPDATE conservator.control SET paused = false")
            taken = await runtime.resume(run.id)
            assert taken is not None
            ended = await working(runtime, taken)
            assert (ended.run.state, ended.run.inserted) == (RunState.SUCCEEDED, 60)
        assert seen.found == []
        await assert_exactly_healed(app)
