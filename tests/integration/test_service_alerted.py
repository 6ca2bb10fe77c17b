"""The loop is woken at a leader, at a follower, and where no census is taken."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from checks.errors import DatabaseUnavailableError
from monitor.database import create_engine
from monitor.runtime import CurrentRuntime
from monitor.service.service import Service
from tests.integration.test_service_replicas import censuses, more_censuses, two
from tests.support.app import app_on
from tests.support.commands import on_one_server
from tests.support.healing import service_settings
from tests.support.services import running, sees
from tests.support.waiting import wait_until

pytestmark = [on_one_server, pytest.mark.prepared]

WOKEN_AT = "SELECT woken_at FROM conservator.control"


async def test_a_leader_that_is_woken_counts_and_heals_nothing_by_it(app_database_url: str) -> None:
    async with app_on(app_database_url) as app:
        await app.plant(users=4, artworks=5)
        async with two(app_database_url, every="1h", mode="observe") as (a, _):
            await wait_until(sees(a, lambda s: s.decision))
            counted = await censuses(app)
            assert await a.commands.wake_loop()
            await wait_until(lambda: more_censuses(app, counted))
            assert await app.value(WOKEN_AT) is None
            assert await app.value("SELECT count(*) FROM conservator.run") == 0


async def test_a_follower_that_is_woken_has_the_leader_count_each_time(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app:
        await app.plant(users=4, artworks=5)
        async with two(app_database_url, every="1h", mode="observe") as (a, b):
            await wait_until(sees(a, lambda s: s.decision))
            for _ in range(2):
                counted = await censuses(app)
                assert await b.commands.wake_loop()
                await wait_until(partial(more_censuses, app, counted))
            counted = await censuses(app)
            for _ in range(3):
                await a._sync.refresh()
            assert await censuses(app) == counted


async def test_what_a_pass_reads_of_the_row_before_its_leader_looks_still_wakes(
    app_database_url: str,
) -> None:
    """A pass puts the control row on the board; its census may be older than the wake."""
    async with app_on(app_database_url) as app:
        await app.plant(users=1, artworks=1)
        async with two(app_database_url, every="1h", mode="observe") as (a, b):
            await wait_until(sees(a, lambda s: s.decision))
            counted = await censuses(app)
            async with a._sync._turn:  # its leader does not look meanwhile
                await b.commands.wake_loop()
                woken_at = await app.value(WOKEN_AT)
                a.board.update(control=replace(a.board.current.control, woken_at=woken_at))
            await wait_until(lambda: more_censuses(app, counted))


async def test_where_no_census_is_taken_nobody_is_woken(app_database_url: str) -> None:
    checks = {"census": {"enabled": False}}
    async with app_on(app_database_url) as app:
        await app.plant(users=1, artworks=1)
        settings = await service_settings(app_database_url, checks=checks)
        async with running(Service(settings)) as service:
            await wait_until(sees(service, lambda s: s.leader))
            assert not await service.commands.wake_loop()


async def test_a_leader_is_woken_while_the_database_is_away_and_a_follower_says_so(
    app_database_url: str,
) -> None:
    away = create_engine("postgresql+psycopg://nobody@127.0.0.1:1/none", pool_size=1)
    async with app_on(app_database_url) as app:
        await app.plant(users=1, artworks=1)
        async with two(app_database_url, every="1h", mode="observe") as (a, b):
            lost = CurrentRuntime(replace(a.runtime, engine=away))
            a.commands._runtime = b.commands._runtime = lost
            assert await a.commands.wake_loop()
            with pytest.raises(DatabaseUnavailableError):
                await b.commands.wake_loop()
    await away.dispose()
