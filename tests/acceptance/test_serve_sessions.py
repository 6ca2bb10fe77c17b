"""A service whose idle sessions are ended: nobody notices."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from tests.support.commands import STATE, Running, Workplace, gallery_at, on_one_server
from tests.support.http import Client
from tests.support.pgbouncer import bouncing
from tests.support.postgres import PostgresServer
from tests.support.waiting import wait_until_sync

pytestmark = on_one_server

OF_THE_SERVICE = "FROM pg_stat_activity WHERE application_name = 'conservator'"
RESTING = f"SELECT count(*) {OF_THE_SERVICE} AND state = 'idle'"
COUNTED = f"SELECT count(*) FROM {STATE}.census"
END_ALL = f"SELECT pg_terminate_backend(pid, 5000) {OF_THE_SERVICE}"
BACKFILL = "api/artworks/backfill-impressions"
SELDOM: dict[str, Any] = {
    "healing": {"mode": "observe"},
    "lease": "1m",
    "checks": {"census": {"every": "1h", "budget": None}},
}
BAD = ("lead_not_asked", "lead_lost", "state_not_read", "database_awaited", "check_failed")


def assert_nobody_notices(client: Client, users: list[str]) -> None:
    """A scrape, one user's counts, log-ins."""
    for user in users:
        assert client.metrics()["conservator_database_up"] == 1
        stats = client.get(f"api/artworks/stats?user_id={user}")
        assert stats.status == 200, stats.json
        login = client.post(BACKFILL, {"user_id": user})
        assert login.status == 200, login.json
        assert client.get("readyz").status == 200


def assert_nothing_was_logged(service: Running) -> None:
    assert [event for name in BAD for event in service.events(name)] == []
    changed = [one for one in service.events("check_changed") if one["outcome"] == "error"]
    assert changed == []


def _has_counted(work: Workplace, times: int) -> bool:
    return bool(work.value(COUNTED) >= times)


async def observed(url: str, directory: Path) -> tuple[Workplace, list[str]]:
    """A service that asks of itself only every few seconds."""
    work = await gallery_at(url, directory, **SELDOM)
    users = work.rows("SELECT DISTINCT user_id FROM user_art_impressions ORDER BY 1 LIMIT 12")
    return work, [user for (user,) in users]


@pytest.mark.parametrize("after", ["300ms", "2s"])
async def test_sessions_that_the_server_ends_when_they_are_idle(
    app_database_url: str, tmp_path: Path, after: str
) -> None:
    work, users = await observed(app_database_url, tmp_path)
    name = make_url(app_database_url).database
    work.rows(f"ALTER DATABASE \"{name}\" SET idle_session_timeout = '{after}'")
    with work.started("serve") as service:
        client = service.client()
        for user in users[:3]:
            service.until(lambda: not work.value(RESTING))
            assert_nobody_notices(client, [user])
        assert_nothing_was_logged(service)
        assert service.stop().code == 0


@pytest.mark.long
async def test_sessions_that_are_all_ended_at_once(app_database_url: str, tmp_path: Path) -> None:
    work, users = await observed(app_database_url, tmp_path)
    work.configure(healing={"mode": "observe"})  # and counts every second
    with work.started("serve") as service:
        client = service.client()
        assert_nobody_notices(client, users[:1])
        for user in users[1:]:
            until = work.value(COUNTED) + 2
            assert len(work.rows(END_ALL)) >= 1
            assert_nobody_notices(client, [user])
            # What is ended twice in a row is an outage: one is over before the next begins.
            service.until(partial(_has_counted, work, until))
        assert_nothing_was_logged(service)
        assert service.stop().code == 0


async def test_a_pgbouncer_that_is_started_anew_and_lets_its_own_connections_go(
    server: PostgresServer, app_database_url: str, tmp_path: Path
) -> None:
    work, users = await observed(app_database_url, tmp_path)
    with bouncing(server, more="server_idle_timeout = 1\nserver_check_delay = 0") as bouncer:
        through = replace(work, url=bouncer.url(app_database_url))
        through.configure(**SELDOM)
        with through.started("serve") as service:
            client = service.client()
            assert_nobody_notices(client, users[:1])
            for user in users[1:4]:
                wait_until_sync(lambda: not work.value(RESTING))
                assert_nobody_notices(client, [user])
            for user in users[4:7]:
                bouncer.restart()
                # What the service asked by itself in the moments without a bouncer was an outage.
                wait_until_sync(lambda: client.metrics()["conservator_database_up"] == 1)
                assert_nobody_notices(client, [user])
            assert service.stop().code == 0
