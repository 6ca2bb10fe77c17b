"""The service while its database is not there, or read-only: it waits, and says so."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
import psycopg
import pytest
from structlog.testing import capture_logs

from checks.errors import CatalogueError, DatabaseUnavailableError
from monitor.deadlines import DRAIN_SECONDS
from monitor.demo.gallery import SCHEMA
from monitor.service.service import Service
from tests.support.app import App, app_on, conninfo
from tests.support.commands import on_one_server
from tests.support.healing import make_settings, service_settings
from tests.support.ledger_audit import assert_ledger_is_there, assert_records_agree
from tests.support.postgres import PostgresServer
from tests.support.services import EAGER, QUICK, is_clean, running
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.prepared, pytest.mark.long]

LEASE = 1.0
PATIENCE = 60.0
SHORT_DRAIN = 2.0
LONGEST_STOP = 10.0 - DRAIN_SECONDS + SHORT_DRAIN


async def a_service(url: str, **healing: object) -> Service:
    """Under the role that `init --print-sql` makes, on a database that its owner has prepared."""
    settings = await service_settings(
        url, checks=QUICK, healing={**EAGER, **healing}, lease=f"{LEASE}s"
    )
    return Service(settings)


async def furnish(url: str) -> None:
    async with app_on(url) as app:
        await app.run(SCHEMA.read_text(encoding="utf-8"))
        await app.plant(users=10, artworks=30)


def healed(service: Service) -> bool:
    written = service.board.current.counters.get(("heal_impressions", ""))
    return written == 300 and is_clean(service)


async def test_a_database_that_is_away_at_the_start_is_waited_for(
    own_server: PostgresServer,
) -> None:
    url = own_server.url()
    await furnish(url)
    service = await a_service(url)
    own_server.kill()
    with capture_logs() as events:
        async with running(service):
            status = service.board.current
            assert not status.ready
            assert not status.leader
            assert status.database_error
            with pytest.raises(DatabaseUnavailableError, match="can't be used"):
                await service.commands.pause("fire")
            await asyncio.to_thread(own_server.restart)
            await wait_until(lambda: healed(service))
            assert service.board.current.ready
            assert service.board.current.leader
    names = [event["event"] for event in events]
    assert names.count("database_up") == 1
    assert names[0] == "database_awaited"
    async with app_on(url) as app:
        await assert_records_agree(app)
        await assert_ledger_is_there(app)


async def test_what_must_be_mended_is_told_even_when_the_database_came_late(
    own_server: PostgresServer,
) -> None:
    own_server.kill()
    service = Service(make_settings(own_server.url(), checks=QUICK, lease=f"{LEASE}s"))
    async with running(service):
        assert service.failed is not None
        await asyncio.to_thread(own_server.restart)
        with pytest.raises(CatalogueError, match="art_sessions"):
            await asyncio.wait_for(asyncio.shield(service.failed), PATIENCE)


async def test_a_service_that_still_waits_for_its_database_stops_at_once() -> None:
    service = Service(make_settings("postgresql://postgres@/nowhere?host=/nonexistent"))
    await service.start()
    assert not service.board.current.ready
    begun = time.monotonic()
    await service.stop()
    assert time.monotonic() - begun < 3


async def test_an_outage_longer_than_the_lease_costs_the_lead_and_not_the_process(
    own_server: PostgresServer,
) -> None:
    url = own_server.url()
    await furnish(url)
    with capture_logs() as events:
        async with running(await a_service(url, pace={"max_batch": 5, "duty": "30%"})) as service:
            await wait_until(lambda: service.board.current.active_run is not None)
            own_server.kill()
            await wait_until(lambda: not service.board.current.database_up)
            await wait_until(lambda: not service.board.current.leader)
            assert not service.board.current.ready
            assert "can't be used" in (service.board.current.database_error or "")
            await asyncio.to_thread(own_server.restart)
            await wait_until(lambda: healed(service))
            assert service.board.current.ready
            assert service.board.current.leader
    # One line for each change, however often it was tried.
    told = [e["event"] for e in events if str(e["event"]).startswith(("database_", "lead_"))]
    assert told.count("database_down") == told.count("database_up") - 1
    assert "lead_lost" in told
    async with app_on(url) as app:
        assert await app.value("SELECT token FROM conservator.leader") >= 2
        await assert_records_agree(app)
        await assert_ledger_is_there(app)


async def test_a_failover_that_leaves_it_on_a_read_only_server_is_an_outage_until_it_is_over(
    own_server: PostgresServer,
) -> None:
    url = own_server.url()
    await furnish(url)
    async with running(await a_service(url, mode="observe")) as service:
        await wait_until(lambda: service.board.current.decision is not None)
        # The sessions that there are become read-only, too, as on a primary that was demoted.
        switch_read_only(url, "on")
        await wait_until(lambda: not service.board.current.database_up)
        await wait_until(lambda: not service.board.current.leader)
        assert "read-only" in (service.board.current.database_error or "")
        await stays(lambda: not service.board.current.database_up)
        switch_read_only(url, "off")
        await wait_until(lambda: service.board.current.ready)
        await wait_until(lambda: service.board.current.leader)


def switch_read_only(url: str, value: str) -> None:
    options = "-c default_transaction_read_only=off"
    with psycopg.connect(conninfo(url), autocommit=True, options=options) as connection:
        connection.execute(f"ALTER SYSTEM SET default_transaction_read_only = {value}".encode())
        connection.execute("SELECT pg_reload_conf()")


async def stays(condition: Callable[[], bool]) -> None:
    """It holds for two leases, through every attempt and refresh in them."""
    deadline = time.monotonic() + 2 * LEASE

    def over() -> bool:
        assert condition()
        return time.monotonic() > deadline

    await wait_until(over)


@pytest.fixture
def short_drain(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stop waits for batches five seconds less than it would, of the ten that it may take."""
    monkeypatch.setattr("monitor.service.service.DRAIN_SECONDS", SHORT_DRAIN)


async def somebody_waits(app: App) -> bool:
    return bool(await app.value("SELECT count(*) FROM pg_locks WHERE NOT granted"))


@on_one_server
@pytest.mark.parametrize("ends", [True, False], ids=["a lock that ends", "a lock for ever"])
async def test_a_stop_waits_for_the_batch_at_hand_and_never_longer_than_ten_seconds(
    ends: bool, app_database_url: str, short_drain: None
) -> None:
    settings = await service_settings(
        app_database_url,
        checks=QUICK,
        healing={**EAGER, "pace": {"max_batch": 5, "duty": "30%"}},
        database={"lock_timeout": "50s"},
    )
    async with app_on(app_database_url) as app, app_on(app_database_url) as locker:
        service = Service(settings)
        await app.plant(users=10, artworks=20)
        with capture_logs() as events:
            async with locker.connection.transaction():
                # The app shows an artwork right now: whoever wants the same pair waits for it.
                await locker.run("LOCK TABLE user_art_impressions IN SHARE MODE")
                await service.start()
                await wait_until(lambda: somebody_waits(app))
                begun = time.monotonic()
                stopping = asyncio.create_task(service.stop())
                await wait_until(lambda: "stopping" in [event["event"] for event in events])
                if not ends:
                    await wait_until(stopping.done)
            await stopping
        assert time.monotonic() - begun < LONGEST_STOP
        (said,) = [event for event in events if event["event"] == "stopping"][:1]
        assert said["runs"] == 1
        ((state, inserted),) = await app.rows("SELECT state, inserted FROM conservator.run")
        listed = await app.value("SELECT count(*) FROM conservator.backfilled_impression")
        assert inserted == listed == (5 if ends else 0)
        assert state == ("held" if ends else "running")
        assert await app.value("SELECT lease_until <= now() FROM conservator.leader")
        await assert_records_agree(app)


async def test_a_server_that_answers_nobody_any_more_does_not_hold_a_stop_up(
    own_server: PostgresServer, short_drain: None
) -> None:
    url = own_server.url()
    await furnish(url)
    service = await a_service(url, pace={"max_batch": 5, "duty": "30%"})
    async with app_on(url) as app, running(service):
        await wait_until(lambda: service.board.current.active_run is not None)
        backend = await app.value("SELECT pg_backend_pid()")
        server = psutil.Process(backend).parent()
        assert server is not None
        with frozen([server, *server.children()]):
            begun = time.monotonic()
            await service.stop()
            assert time.monotonic() - begun < LONGEST_STOP


@contextmanager
def frozen(processes: list[psutil.Process]) -> Iterator[None]:
    """They stand still, with their connections open, until the context ends."""
    for one in processes:
        one.suspend()
    try:
        yield
    finally:
        for one in processes:
            one.resume()
