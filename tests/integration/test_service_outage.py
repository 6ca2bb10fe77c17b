"""The service when its database goes away, and when it is told to stop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from checks.errors import DatabaseUnavailableError, RefusedError
from monitor.demo.gallery import SCHEMA
from monitor.service.service import Service
from tests.support.app import App, app_on
from tests.support.commands import on_one_server
from tests.support.ledger_audit import (
    assert_exactly_healed,
    assert_records_agree,
    start_audit,
)
from tests.support.postgres import PostgresServer
from tests.support.services import is_clean, service_on
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.prepared, pytest.mark.long]

SLOW: dict[str, Any] = {"pace": {"max_batch": 5, "duty": "30%"}}


async def batches(app: App) -> int:
    return int(await app.value("SELECT coalesce(max(batches), 0) FROM conservator.run"))


@asynccontextmanager
async def in_the_middle(app: App, service: Service, *, after: int) -> AsyncIterator[None]:
    """The service has written some batches of a run, and has more to write."""

    async def has_begun() -> bool:
        return await batches(app) >= after

    await wait_until(has_begun)
    assert service.board.current.active_run is not None
    yield


@pytest.mark.parametrize("ending", ["kill", "restart"])
async def test_a_database_that_dies_in_the_middle_of_a_run_is_healed_when_it_is_back(
    own_server: PostgresServer, ending: str
) -> None:
    url = own_server.url()
    async with app_on(url) as app:
        await app.run(SCHEMA.read_text(encoding="utf-8"))
        await app.plant(users=10, artworks=30)
        await start_audit(app)
    async with service_on(url, **SLOW) as service:
        async with app_on(url) as app, in_the_middle(app, service, after=3):
            pass
        if ending == "kill":
            own_server.kill()
            await wait_until(lambda: not service.board.current.database_up)
            assert service.board.current.database_error
            assert not service.board.current.ready
            with pytest.raises(DatabaseUnavailableError):
                await service.commands.user_census("u0001")
        await asyncio.to_thread(own_server.restart)
        await wait_until(lambda: service.board.current.ready)
        await wait_until(lambda: is_clean(service), 60)
        assert service.board.current.database_error is None
        async with app_on(url) as app:
            assert await app.rows("SELECT state, inserted FROM conservator.run") == [
                ("succeeded", 300)
            ]
            await assert_exactly_healed(app)


@on_one_server
async def test_a_stop_in_the_middle_leaves_a_held_run_and_the_next_service_ends_it(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app:
        await app.plant(users=10, artworks=20)
        await start_audit(app)
        async with (
            service_on(app_database_url, **SLOW) as service,
            in_the_middle(app, service, after=3),
        ):
            started = time.monotonic()
            await service.stop()
            assert time.monotonic() - started < 5
        ((state, inserted, outcome),) = await app.rows(
            "SELECT state, inserted, outcome FROM conservator.run"
        )
        assert (state, outcome) == ("held", "Its process was told to stop.")
        assert 15 <= inserted < 200
        async with service_on(app_database_url) as service:
            await wait_until(lambda: is_clean(service))
        assert await app.rows("SELECT state, inserted, token FROM conservator.run") == [
            ("succeeded", 200, 2)
        ]
        codes = await app.rows("SELECT DISTINCT code FROM conservator.decision")
        assert ("resume",) in codes
        await assert_exactly_healed(app)


@on_one_server
async def test_a_stop_while_a_run_is_being_planned_holds_it_before_its_first_batch(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app, app_on(app_database_url) as locker:
        await app.plant(users=10, artworks=20)
        async with service_on(app_database_url, mode="observe", **SLOW) as service:
            async with locker.connection.transaction():
                await locker.run("LOCK TABLE conservator.work IN ACCESS EXCLUSIVE MODE")
                planning = asyncio.create_task(service.commands.backfill_all())
                await wait_until(lambda: somebody_waits_for_a_lock(app))
                with capture_logs() as events:
                    stopping = asyncio.create_task(service.stop())
                    await wait_until(lambda: "stopping" in [event["event"] for event in events])
                with pytest.raises(RefusedError, match="shutting down"):
                    await service.commands.backfill_user("u0001", force=False)
            await planning
            await asyncio.wait_for(stopping, 5)
        rows = await app.rows("SELECT state, inserted FROM conservator.run")
        assert rows == [("held", 0)]


async def somebody_waits_for_a_lock(app: App) -> bool:
    found = await app.value(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        " AND application_name = 'conservator' AND datname = current_database()"
    )
    return bool(found)


@on_one_server
async def test_a_pause_from_elsewhere_holds_the_services_run_and_a_resume_ends_it(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app:
        await app.plant(users=10, artworks=20)
        async with service_on(app_database_url, **SLOW) as service:
            async with in_the_middle(app, service, after=2):
                await app.run("UPDATE conservator.control SET paused = true")
            await wait_until(lambda: state_is(app, "held"))
            before = await app.fingerprint("user_art_impressions")
            await wait_until(lambda: was_decided(app, "paused"))
            assert await app.fingerprint("user_art_impressions") == before
            await service.commands.resume()
            await wait_until(lambda: is_clean(service))
        assert await app.rows("SELECT state, inserted FROM conservator.run") == [("succeeded", 200)]
        await assert_records_agree(app)


async def state_is(app: App, state: str) -> bool:
    return await app.rows("SELECT state FROM conservator.run") == [(state,)]


async def was_decided(app: App, code: str) -> bool:
    found = await app.value(
        "SELECT count(*) FROM conservator.decision WHERE code = %(code)s", code=code
    )
    return bool(found >= 2)


@on_one_server
async def test_two_services_on_one_database_share_the_work_and_double_nothing(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app:
        await app.plant(users=10, artworks=20)
        await start_audit(app)
        async with (
            service_on(app_database_url, **SLOW) as one,
            service_on(app_database_url, **SLOW) as other,
        ):
            await wait_until(lambda: is_clean(one) and is_clean(other))
        assert await app.value("SELECT sum(inserted) FROM conservator.run") == 200
        await assert_exactly_healed(app)
