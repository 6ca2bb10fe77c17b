"""Which form the service's census takes, from one to the next."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from checks.census import CensusForm
from monitor.checking.census_source import CensusSource, Counted
from monitor.checking.replica import ReplicaRouter
from monitor.runtime import Runtime
from monitor.status import Status, StatusBoard
from tests.support.app import App, app_on
from tests.support.healing import heal, make_runtime

BY_TOTAL, BY_ARTWORK = CensusForm.BY_TOTAL, CensusForm.BY_ARTWORK


@dataclass
class Counter:
    """The service's census over an app's tables."""

    app: App
    runtime: Runtime
    counting: CensusSource

    async def take(self) -> Counted:
        return await self.counting.take(verified_until=None, users_due=lambda: True)


@asynccontextmanager
async def counter(url: str) -> AsyncIterator[Counter]:
    """On a gallery in which nothing is legacy."""
    async with app_on(url) as app:
        await app.plant(users=3, artworks=0)
        async with make_runtime(url) as runtime:
            board = StatusBoard(Status(started=datetime.now(UTC), version="0", revision="0"))
            engine = runtime.engine
            server = ReplicaRouter(engine, engine, board, max_lag=timedelta(hours=1))
            yield Counter(app, runtime, CensusSource(server, lambda: runtime))


async def test_the_total_is_not_asked_for_first_where_legacy_pairs_are_expected(
    app_database_url: str,
) -> None:
    async with counter(app_database_url) as one:
        assert (await one.take()).census.form is BY_TOTAL
        await one.app.run(
            "INSERT INTO art_sessions (id, session_id, image_url, created_at)"
            " VALUES ('import', 's', '/', timezone('UTC', now()) - interval '30 days')"
        )
        for form in (BY_TOTAL, BY_ARTWORK, BY_ARTWORK):
            found = (await one.take()).census
            assert (found.form, found.legacy_untracked) == (form, 3)
        await heal(one.runtime)
        assert [(await one.take()).census.form for _ in range(2)] == [BY_ARTWORK, BY_TOTAL]


async def test_nothing_is_said_of_a_census_that_came_from_the_only_server(
    app_database_url: str,
) -> None:
    async with counter(app_database_url) as one:
        assert (await one.take()).note == ""


async def test_tables_that_prove_too_little_are_counted_by_artwork_every_time(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app:
        await app.run(
            "ALTER TABLE user_art_impressions DROP CONSTRAINT user_art_impressions_artwork_id_fkey"
        )
    async with counter(app_database_url) as one:
        assert [(await one.take()).census.form for _ in range(3)] == [BY_ARTWORK] * 3
