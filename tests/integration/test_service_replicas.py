"""Several services on one database: one leads, the others show what it finds and stand by."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import event
from structlog.testing import capture_logs

from exporters.current import current_census, current_users
from exporters.prometheus import create_registry
from monitor.replicas.published import SHARED, SHARED_RESULTS
from monitor.service.service import Service
from tests.support.app import App, app_on
from tests.support.commands import on_one_server
from tests.support.ledger_audit import (
    assert_exactly_healed,
    start_audit,
)
from tests.support.services import is_clean, sees, service_on
from tests.support.waiting import wait_until

pytestmark = [on_one_server, pytest.mark.prepared]

LEASE = 1.0
OWN = {
    "conservator_build_info",
    "conservator_leader",
    "conservator_database_up",
}
TAKEN = """
UPDATE conservator.leader
SET holder = 'somebody else', token = token + 1, lease_until = now() + interval '1 hour'
"""


@asynccontextmanager
async def replica(
    url: str, *, lease: str = f"{LEASE}s", every: str = "700ms", **healing: object
) -> AsyncIterator[Service]:
    """A running service with a short lease, stopped in the end."""
    checks = {"census": {"every": every, "budget": "100%"}}
    async with service_on(url, checks, lease, **healing) as service:
        yield service


@asynccontextmanager
async def two(url: str, **config: Any) -> AsyncIterator[tuple[Service, Service]]:
    """Two replicas, the first of which leads."""
    async with replica(url, **config) as first, replica(url, **config) as second:
        assert first.board.current.leader
        yield first, second


def own_series(service: Service) -> set[str]:
    registry = create_registry(service.board, process=False)
    return {sample.name for family in registry.collect() for sample in family.samples}


async def censuses(app: App) -> int:
    return int(await app.value("SELECT count(*) FROM conservator.census"))


async def test_one_counts_and_the_other_shows_what_it_found(app_database_url: str) -> None:
    async with app_on(app_database_url) as app, two(app_database_url, mode="observe") as (a, b):
        await app.plant(users=4, artworks=5)
        await wait_until(sees(b, lambda s: s.census and s.census.legacy_untracked == 20))
        await wait_until(sees(b, lambda s: s.users and s.users.affected == 4))
        shown, now = b.board.current, asyncio.get_running_loop().time()
        assert (a.board.current.leader, shown.leader) == (True, False)
        assert shown.leader_name == a.board.current.replica != shown.replica
        census, users = current_census(shown, now), current_users(shown, now)
        assert census is not None
        assert users is not None
        assert (users.affected, users.clear) == (4, 0)
        await wait_until(sees(b, lambda s: s.decision is not None and s.decision.code == "observe"))
        await wait_until(sees(b, lambda s: s.checks["census"].value == 20))
        assert b.board.current.checks["structure"].outcome is not None
        assert b.board.current.counters["check_runs", "census"] >= 1
        assert own_series(b) == OWN
        assert own_series(a) > OWN
        # Nobody has counted but the leader.
        assert not b._registry.census.newest
        in_the_books = await app.value(
            "SELECT value FROM conservator.counter WHERE name = 'check_runs' AND label = 'census'"
        )
        assert abs(in_the_books - await censuses(app)) <= 1


async def test_what_the_leader_stops_telling_grows_old_on_the_follower(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app, two(app_database_url) as (_, b):
        await wait_until(sees(b, lambda s: s.census and s.checks["census"].monotonic is not None))
        status = b.board.current
        stored = await app.value(
            "SELECT extract(epoch FROM now() - max(as_of))::float8 FROM conservator.census"
        )
        assert status.census_monotonic is not None
        age = asyncio.get_running_loop().time() - status.census_monotonic
        assert age >= stored - 0.5
        await app.run(
            f"{TAKEN}; UPDATE conservator.census SET as_of = as_of - interval '1 hour';"
            " UPDATE conservator.check_status SET last_success = last_success - interval '1 hour'"
        )

        def is_old() -> bool:
            found = b.board.current
            return current_census(found, asyncio.get_running_loop().time()) is None

        await wait_until(is_old)
        hour_ago = asyncio.get_running_loop().time() - 3500
        await wait_until(sees(b, lambda s: (s.checks["census"].monotonic or hour_ago) < hour_ago))


async def test_a_leader_that_stops_hands_over_without_waiting_for_the_lease(
    app_database_url: str,
) -> None:
    async with two(app_database_url, lease="30s") as (a, b):
        assert not b.board.current.leader
        await a.stop()
        assert not a.board.current.leader
        assert await b._leadership.attempt()
        await wait_until(sees(b, lambda s: s.leader))
        await wait_until(lambda: bool(b._registry.census.newest))


async def test_a_leader_that_falls_silent_is_replaced_and_totals_go_on(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app, two(app_database_url) as (a, b):
        await app.plant(users=4, artworks=5)
        await wait_until(sees(a, lambda s: s.counters.get(("heal_impressions", "")) == 20))
        before = dict(a.board.current.counters)
        a._background["leadership"].cancel()
        totals: list[float] = []

        def leads() -> bool:
            status = b.board.current
            if status.leader:
                totals.append(status.counters["heal_impressions", ""])
            return status.leader

        started = asyncio.get_running_loop().time()
        await wait_until(leads)
        assert asyncio.get_running_loop().time() - started < 3 * LEASE
        # From the first moment it shows what the other one had reached.
        assert totals == [20]
        assert not a.board.current.leader
        assert own_series(a) == OWN
        await wait_until(lambda: bool(b._registry.census.newest))
        counted = len(a._registry.census.newest)
        await wait_until(
            sees(b, lambda s: s.counters["check_runs", "census"] > before["check_runs", "census"])
        )
        assert len(a._registry.census.newest) == counted
        assert a.board.current.leader is False


async def test_a_deposed_leader_records_nothing_and_starts_nothing(app_database_url: str) -> None:
    async with app_on(app_database_url) as app, replica(app_database_url) as service:
        await wait_until(lambda: is_clean(service))
        with capture_logs() as events:
            # It believes in its lease; the row says otherwise.
            await app.run(TAKEN)
            decisions = await app.value("SELECT count(*) FROM conservator.decision")
            before = (await censuses(app), decisions)
            await app.plant(users=4, artworks=5)
            await wait_until(sees(service, lambda s: not s.leader))
            await wait_until(sees(service, lambda s: s.leader_name == "somebody else"))
        assert "run_planned" not in [event["event"] for event in events]
        decisions = await app.value("SELECT count(*) FROM conservator.decision")
        assert (await censuses(app), decisions) == before
        assert await app.value("SELECT count(*) FROM conservator.run") == 0
        await app.run("UPDATE conservator.leader SET lease_until = now()")
        await wait_until(sees(service, lambda s: s.counters.get(("heal_impressions", "")) == 20))
        assert await app.value("SELECT token FROM conservator.leader") == 3


async def test_a_look_that_began_while_leading_does_not_revive_a_lead_that_was_lost(
    app_database_url: str,
) -> None:
    async with (
        app_on(app_database_url) as app,
        app_on(app_database_url) as locker,
        replica(app_database_url) as service,
    ):
        async with locker.connection.transaction():
            await locker.run("LOCK TABLE conservator.counter IN ACCESS EXCLUSIVE MODE")
            look = asyncio.create_task(service._sync.refresh())
            await wait_until(lambda: somebody_waits(app))
            await app.run(TAKEN)
            await wait_until(sees(service, lambda s: not s.leader))
            assert not look.done()
        await look
        assert not service.board.current.leader
        assert own_series(service) == OWN


async def test_whoever_leads_or_follows_asks_for_all_of_it_in_one_round_trip(
    app_database_url: str,
) -> None:
    async with two(app_database_url) as services:
        for service in services:
            state = service.runtime.state
            # What nothing else reads, so that a pass under way does not count.
            asked = (*SHARED, *SHARED_RESULTS, "quarantine_size", "counters_read")
            by_itself = {state.text(name) for name in asked}
            ran: list[str] = []

            def note(
                _: object, __: object, statement: str, *___: object, to: list[str] = ran
            ) -> None:
                to.append(statement)

            event.listen(service._engine.sync_engine, "before_cursor_execute", note)
            before = service.board.current.counters
            await service._sync.refresh()
            assert service.board.current.counters is not before
            assert not by_itself.intersection(ran)


async def somebody_waits(app: App) -> bool:
    return bool(await app.value("SELECT count(*) FROM pg_locks WHERE NOT granted"))


async def test_a_run_asked_for_at_a_follower_is_worked_there_and_published_by_the_leader(
    app_database_url: str,
) -> None:
    # Shut, the gate holds the run for as long as it takes the leader to see it.
    slowly = {"pace": {"wait_while": "SELECT shut FROM gate"}, "mode": "observe"}
    async with app_on(app_database_url) as app:
        await app.plant(users=8, artworks=20)
        await app.run("CREATE TABLE gate AS SELECT TRUE AS shut; GRANT SELECT ON gate TO PUBLIC")
        await start_audit(app)
        async with two(app_database_url, every="1h", **slowly) as (a, b):
            await wait_until(sees(a, lambda s: s.census and s.census.legacy_untracked == 160))
            assert await b.commands.backfill_all() is not None
            await wait_until(sees(a, lambda s: s.active_run and s.active_run.waiting_for))
            await app.run("UPDATE gate SET shut = FALSE")
            assert await app.value("SELECT holder FROM conservator.run") == b.board.current.replica
            # Its next census is an hour away; the recount is the newest one.
            for each in (a, b):
                await wait_until(sees(each, lambda s: s.census and s.census.legacy_untracked == 0))
            assert a.board.current.counters["heal_impressions", ""] == 160
            assert a.board.current.checks["census"].value == 0
        await assert_exactly_healed(app)


async def test_a_resume_at_a_follower_wakes_the_leader(app_database_url: str) -> None:
    async with app_on(app_database_url) as app:
        await app.plant(users=4, artworks=5)
        async with two(app_database_url, every="1h") as (a, b):
            await wait_until(sees(a, lambda s: s.counters.get(("heal_runs", ""))))
            await b.commands.pause("we look")
            await wait_until(sees(a, lambda s: s.control.paused))
            counted = await censuses(app)
            await b.commands.resume()
            await wait_until(lambda: more_censuses(app, counted))


async def more_censuses(app: App, than: int) -> bool:
    return await censuses(app) > than
