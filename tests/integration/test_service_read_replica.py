"""Checks on a read replica: it bears the load, the primary says what time it is and keeps."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from monitor.checking.replica import LEFT
from monitor.service.service import Service
from tests.integration.test_service_checks import gallery, shown, watching
from tests.support.app import app_on
from tests.support.commands import on_one_server
from tests.support.healing import service_settings
from tests.support.postgres import PostgresServer
from tests.support.replicas import Replica, replica_of
from tests.support.waiting import wait_until

pytestmark = [on_one_server, pytest.mark.prepared]

WHERE = {"name": "on_replica", "query": "SELECT pg_is_in_recovery()::int", "every": "1s"}
OLD = (
    "INSERT INTO art_sessions (id, session_id, image_url, created_at)"
    " VALUES ('x', 's', '/', '2020-01-01')"
)
SAMPLED = {"every": "1s", "budget": "100%"}


async def test_checks_read_the_replica_and_what_is_kept_is_kept_on_the_primary(
    app_database_url: str, server: PostgresServer
) -> None:
    database = app_database_url.partition("?")[0].rpartition("/")[2]
    async with gallery(app_database_url) as app:
        with replica_of(server) as replica:
            async with watching(
                app_database_url,
                read_url=replica.url(database),
                sql=[WHERE],
                recording_rate=SAMPLED,
            ) as service:
                await wait_until(lambda: shown(service, "on_replica").value == 1)
                await wait_until(lambda: shown(service, "census").outcome is not None)
                kept = "SELECT count(*) FROM conservator.check_result WHERE name = 'on_replica'"

                async def is_kept() -> bool:
                    return bool(await app.value(kept))

                await wait_until(is_kept)
                await wait_until(lambda: shown(service, "recording_rate").outcome is not None)
                assert shown(service, "recording_rate").outcome == "pass"
                assert service.board.current.reading_replica
                # The replica falls away: the primary is read, and every check says so.
                replica.kill()
                await wait_until(lambda: shown(service, "on_replica").value == 0)
                assert LEFT in shown(service, "on_replica").message
                await wait_until(lambda: LEFT in shown(service, "census").message)
                await wait_until(lambda: LEFT in shown(service, "recording_rate").message)
                assert service.board.current.database_up
                replica.restart()
                await wait_until(lambda: shown(service, "on_replica").value == 1)
                await wait_until(lambda: LEFT not in shown(service, "census").message)


@asynccontextmanager
async def healing_on(url: str, replica: Replica, **healing: Any) -> AsyncIterator[Service]:
    """A service that reads the replica and may heal."""
    service = Service(
        await service_settings(
            url,
            checks={"census": {"every": "300ms", "budget": "100%"}},
            healing=healing,
            database={"read_url": replica.url(url.partition("?")[0].rpartition("/")[2])},
        )
    )
    try:
        await service.start()
        yield service
    finally:
        await service.stop()


async def test_what_vanishes_behind_a_paused_replica_is_counted_on_the_primary(
    app_database_url: str, server: PostgresServer
) -> None:
    async with app_on(app_database_url) as app:
        await app.plant(users=4, artworks=5)
        with replica_of(server) as replica:
            pace = {"max_replica_lag": "1s"}
            async with healing_on(app_database_url, replica, mode="observe", pace=pace) as service:
                board = service.board
                await wait_until(lambda: board.current.reading_replica is True)
                await wait_until(lambda: board.current.census is not None)
                before = legacy(service)
                replica.pause_replay()
                await app.run(OLD)
                await wait_until(lambda: legacy(service) > before)
                assert board.current.reading_replica is False
                assert "stale: the replica is" in shown(service, "census").message
                assert "its replay is paused" in board.current.reading_problem
                replica.resume_replay()
                await wait_until(lambda: board.current.reading_replica is True)
                assert legacy(service) > before


def legacy(service: Service) -> int:
    census = service.board.current.census
    return 0 if census is None else census.legacy_untracked


async def test_a_decision_from_the_replica_is_confirmed_by_a_count_on_the_primary(
    app_database_url: str, server: PostgresServer
) -> None:
    """Between the count and the plan somebody else records what was missing."""
    everything = (
        "INSERT INTO user_art_impressions (user_id, artwork_id)"
        " SELECT u.id, a.id FROM users AS u CROSS JOIN art_sessions AS a"
        " WHERE u.id IN (SELECT user_id FROM user_art_impressions)"
        " ON CONFLICT DO NOTHING"
    )
    async with app_on(app_database_url) as app:
        await app.plant(users=4, artworks=5)
        with replica_of(server) as replica:
            async with healing_on(app_database_url, replica, mode="heal") as service:
                pass  # the state schema is made, and reaches the replica
            seen: list[int] = []
            await app.run(OLD)
            written = await app.value("SELECT count(*) FROM conservator.backfilled_impression")
            async with healing_on(app_database_url, replica, mode="heal") as service:
                planner = service.runtime.planner
                plan = planner.plan_audience

                async def late(*args: Any, **named: Any) -> Any:
                    seen.append(legacy(service))
                    await app.run(everything)
                    return await plan(*args, **named)

                object.__setattr__(planner, "plan_audience", late)
                await wait_until(lambda: bool(seen))
                await wait_until(
                    lambda: service.board.current.census is not None and legacy(service) == 0
                )
                assert seen[0] > 0
            now = await app.value("SELECT count(*) FROM conservator.backfilled_impression")
            assert now == written
