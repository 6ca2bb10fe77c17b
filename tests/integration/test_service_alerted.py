"""Alerts at a leader, at a follower, where no census is taken, and while the database is away."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.alert_log import AlertLog
from monitor.commands import AlertsTaken
from monitor.database import create_engine
from monitor.service.service import Service
from monitor.state.alerts import WAKING, Notification
from tests.integration.test_service_replicas import PATIENCE, censuses, more_censuses, sees, two
from tests.support.app import App, app_on
from tests.support.healing import service_settings
from tests.support.waiting import wait_until

SINCE = datetime(2026, 1, 31, 12, tzinfo=UTC)
HOURLY = {"census": {"every": "1h"}}
RECORDED = "SELECT name, status, taken_by FROM conservator.alert ORDER BY received_at"


def told(number: int = 0, *, name: str = WAKING, status: str = "firing") -> Notification:
    return Notification(f"1a30{number}", SINCE, status, name)


async def test_an_alert_makes_the_leader_count_and_is_recorded(app_database_url: str) -> None:
    async with app_on(app_database_url) as app:
        await app.plant(users=4, artworks=5)
        async with two(app_database_url, every="1h", mode="observe") as (a, _):
            await wait_until(sees(a, lambda s: s.decision), PATIENCE)
            counted = await censuses(app)
            taken = await a.commands.alerted([told()])
            assert taken == AlertsTaken(new=(told(),), woken=True, recorded=True)
            await wait_until(lambda: more_censuses(app, counted), PATIENCE)
            assert await app.rows(RECORDED) == [(WAKING, "firing", a.board.current.replica)]
            assert await app.value("SELECT count(*) FROM conservator.run") == 0


async def test_a_follower_passes_an_alert_on_to_the_leader(app_database_url: str) -> None:
    async with app_on(app_database_url) as app:
        await app.plant(users=4, artworks=5)
        async with two(app_database_url, every="1h", mode="observe") as (a, b):
            await wait_until(sees(a, lambda s: s.decision), PATIENCE)
            counted = await censuses(app)
            assert await b.commands.alerted([told()]) == AlertsTaken((told(),), True, True)
            await wait_until(lambda: more_censuses(app, counted), PATIENCE)
            assert await app.rows(RECORDED) == [(WAKING, "firing", b.board.current.replica)]


async def test_what_one_replica_was_told_is_no_news_at_the_other(app_database_url: str) -> None:
    other, ended = told(1, name="ConservatorDown"), told(status="resolved")
    async with app_on(app_database_url) as app:
        await app.plant(users=1, artworks=1)
        async with two(app_database_url, every="1h", mode="observe") as (a, b):
            await wait_until(sees(a, lambda s: s.decision), PATIENCE)
            assert (await b.commands.alerted([told(), other])).new == (told(), other)
            assert await a.commands.alerted([told(), other]) == AlertsTaken((), False, True)
            assert await a.commands.alerted([other, ended]) == AlertsTaken((ended,), False, True)
            assert len(await app.rows(RECORDED)) == 3
            listed = await a.commands.alerts(limit=2)
            assert (listed[0].name, listed[0].status) == (WAKING, "resolved")


async def test_where_no_census_is_taken_nobody_is_woken(app_database_url: str) -> None:
    checks = {"census": {"enabled": False}}
    async with app_on(app_database_url) as app:
        await app.plant(users=1, artworks=1)
        service = Service(await service_settings(app_database_url, checks=checks))
        try:
            await service.start()
            await wait_until(sees(service, lambda s: s.leader), PATIENCE)
            assert not (await service.commands.alerted([told()])).woken
            assert len(await app.rows(RECORDED)) == 1
        finally:
            await service.stop()


async def test_what_is_told_while_the_database_is_away_is_recorded_later(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app:
        await app.plant(users=1, artworks=1)
        service = Service(await service_settings(app_database_url, checks=HOURLY))
        away = create_engine("postgresql+psycopg://nobody@127.0.0.1:1/none", pool_size=1)
        try:
            await service.start()
            await wait_until(sees(service, lambda s: s.leader), PATIENCE)
            there, service._alert_log._engine = service._alert_log._engine, away
            taken = await service.commands.alerted([told()])
            assert taken == AlertsTaken((told(),), True, recorded=False)
            assert await app.rows(RECORDED) == []
            service._alert_log._engine = there
            await wait_until(_recorded(app, 1), PATIENCE)
        finally:
            await service.stop()
            await away.dispose()


def _recorded(app: App, count: int) -> Callable[[], Awaitable[bool]]:
    async def are() -> bool:
        return len(await app.rows(RECORDED)) == count

    return are


async def test_what_is_old_is_forgotten(app_database_url: str) -> None:
    async with app_on(app_database_url) as app:
        await app.plant(users=1, artworks=1)
        service = Service(await service_settings(app_database_url, checks=HOURLY))
        try:
            await service.start()
            await wait_until(sees(service, lambda s: s.leader), PATIENCE)
            await service.commands.alerted([told(1), told(2)])
            await app.run(
                "UPDATE conservator.alert SET received_at = now() - interval '91 days'"
                " WHERE fingerprint = '1a301'"
            )
            await service._sync.prune()
            assert await app.rows("SELECT fingerprint FROM conservator.alert") == [("1a302",)]
        finally:
            await service.stop()


@pytest.mark.parametrize("rounds", [25])
async def test_each_change_of_an_alert_is_new_exactly_once(
    app_database_url: str, rounds: int
) -> None:
    """Whatever is told in whatever order, in UTC or not: new is what a set had not."""
    told_of = st.builds(
        lambda n, h, status, name: Notification(
            str(n) * (1 + n * 90), SINCE.astimezone() + timedelta(hours=h), status, name
        ),
        st.integers(0, 3),
        st.integers(0, 1),
        st.sampled_from(["firing", "resolved"]),
        st.just(WAKING),
    )
    histories = st.lists(st.lists(told_of, max_size=5), max_size=6)
    async with app_on(app_database_url) as app:
        await app.plant(users=1, artworks=1)
        service = Service(await service_settings(app_database_url, checks=HOURLY))
        try:
            await service.start()

            @settings(max_examples=rounds, deadline=None, suppress_health_check=list(HealthCheck))
            @given(histories)
            def examples(history: list[list[Notification]]) -> None:
                seen.append(history)

            seen: list[list[list[Notification]]] = []
            examples()
            for history in seen:
                await app.run("DELETE FROM conservator.alert")
                known: set[tuple[str, datetime, str]] = set()
                log = AlertLog(service._engine, lambda: service.runtime, holder="x")
                for alerts in history:
                    keys = {(a.fingerprint[:200], a.starts_at, a.status) for a in alerts}
                    new = await log.take(alerts)
                    assert new is not None
                    found = {(a.fingerprint, a.starts_at, a.status) for a in new}
                    assert found == keys - known
                    known |= keys
        finally:
            await service.stop()
