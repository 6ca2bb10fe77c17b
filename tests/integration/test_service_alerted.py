"""An alert at a leader, at a follower, and where no census is taken."""

from __future__ import annotations

from monitor.service import Service
from tests.integration.test_service_replicas import PATIENCE, censuses, more_censuses, sees, two
from tests.support.app import app_on
from tests.support.healing import service_settings
from tests.support.waiting import wait_until


async def test_an_alert_makes_the_leader_count_and_a_follower_say_that_it_does_not(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app:
        await app.plant(users=4, artworks=5)
        async with two(app_database_url, every="1h", mode="observe") as (a, b):
            await wait_until(sees(a, lambda s: s.decision), PATIENCE)
            counted = await censuses(app)
            assert not await b.desk.alerted()
            assert await censuses(app) == counted
            assert await a.desk.alerted()
            await wait_until(lambda: more_censuses(app, counted), PATIENCE)
            assert await app.value("SELECT count(*) FROM conservator.run") == 0


async def test_where_no_census_is_taken_nobody_is_woken(app_database_url: str) -> None:
    checks = {"census": {"enabled": False}}
    async with app_on(app_database_url) as app:
        await app.plant(users=1, artworks=1)
        service = Service(await service_settings(app_database_url, checks=checks))
        try:
            await service.start()
            await wait_until(sees(service, lambda s: s.leader), PATIENCE)
            assert not await service.desk.alerted()
        finally:
            await service.stop()
