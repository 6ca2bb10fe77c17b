"""Which form the service's census takes, from one to the next."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from checks.census import Census, CensusForm
from checks.statements import render
from monitor.checking.expectations.worker import WorkerPool
from monitor.checking.registry import CheckRegistry
from monitor.runtime import CurrentRuntime, Runtime
from tests.support.app import App, app_on
from tests.support.check_registry import registry_of
from tests.support.commands import on_one_server
from tests.support.healing import heal, make_runtime

pytestmark = [on_one_server, pytest.mark.prepared]

BY_TOTAL, BY_ARTWORK = CensusForm.BY_TOTAL, CensusForm.BY_ARTWORK


@dataclass
class Counter:
    """The service's census over an app's tables."""

    app: App
    runtime: Runtime
    registry: CheckRegistry

    async def take(self) -> Census:
        census = (await self.registry.census.take()).census
        assert census is not None
        return census


@asynccontextmanager
async def counter(url: str) -> AsyncIterator[Counter]:
    """On a gallery in which nothing is legacy."""
    async with app_on(url) as app:
        await app.plant(users=3, artworks=0)
        async with make_runtime(url) as runtime:
            registry = registry_of(
                runtime.settings, runtime.engine, WorkerPool(), CurrentRuntime(runtime)
            )
            yield Counter(app, runtime, registry)


async def test_the_total_is_not_asked_for_first_where_legacy_pairs_are_expected(
    app_database_url: str,
) -> None:
    async with counter(app_database_url) as one:
        assert (await one.take()).form is BY_TOTAL
        await one.app.run(
            "INSERT INTO art_sessions (id, session_id, image_url, created_at)"
            " VALUES ('import', 's', '/', timezone('UTC', now()) - interval '30 days')"
        )
        for form in (BY_TOTAL, BY_ARTWORK, BY_ARTWORK):
            found = await one.take()
            assert (found.form, found.legacy_untracked) == (form, 3)
        await heal(one.runtime)
        assert [(await one.take()).form for _ in range(2)] == [BY_ARTWORK, BY_TOTAL]


async def test_the_total_is_not_asked_for_first_where_impressions_were_deleted(
    app_database_url: str,
) -> None:
    async with counter(app_database_url) as one:
        old = (
            "INSERT INTO art_sessions (id, session_id, image_url, created_at)"
            " VALUES ('old', 's', '/', timezone('UTC', now()) - interval '30 days')"
        )
        await one.app.run(old)
        assert (await one.take()).form is BY_TOTAL
        await heal(one.runtime)
        assert [(await one.take()).form for _ in range(2)] == [BY_ARTWORK, BY_TOTAL]
        await one.app.run(
            "DELETE FROM user_art_impressions WHERE (user_id, artwork_id) = ('u0001', 'old')"
        )
        # As the session would by itself, within ten seconds.
        await one.app.run("SELECT pg_stat_force_next_flush()")
        found = await one.take()
        assert (found.form, found.legacy_untracked, found.incomplete) == (BY_ARTWORK, 1, ("old",))
        await heal(one.runtime)
        assert [(await one.take()).form for _ in range(2)] == [BY_ARTWORK, BY_TOTAL]
        # With their user, they are not missing.
        await one.app.run("DELETE FROM users WHERE id = 'u0001'")
        await one.app.run("SELECT pg_stat_force_next_flush()")
        assert (await one.take()).form is BY_TOTAL


async def test_what_is_deleted_from_partitions_is_deleted_from_the_table(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app:
        await app.run(
            "CREATE TABLE parted (n int) PARTITION BY LIST (n);"
            "CREATE TABLE part PARTITION OF parted FOR VALUES IN (1);"
            "INSERT INTO parted VALUES (1), (1); DELETE FROM parted"
        )
        await app.run("SELECT pg_stat_force_next_flush()")
        counted = "SELECT d.rows FROM (" + render("checks", "rows_deleted", {}) + ") AS d"
        oids = "SELECT 'parted'::regclass::oid, 'part'::regclass::oid, 'users'::regclass::oid"
        ((parted, part, users),) = await app.rows(oids)
        assert await app.value(counted, relations=[parted, part, users]) == [2, 2, 0]


async def test_nothing_is_said_of_a_census_that_came_from_the_only_server(
    app_database_url: str,
) -> None:
    async with counter(app_database_url) as one:
        census = await one.take()
        message = f"0 legacy-untracked of {census.pairs} pairs."
        assert one.registry.census.tracker.result.message == message


async def test_tables_that_prove_too_little_are_counted_by_artwork_every_time(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app:
        await app.run(
            "ALTER TABLE user_art_impressions DROP CONSTRAINT user_art_impressions_artwork_id_fkey"
        )
    async with counter(app_database_url) as one:
        assert [(await one.take()).form for _ in range(3)] == [BY_ARTWORK] * 3
