"""A check beside an ALTER TABLE that waits: it holds nothing up, and is answered in the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from checks import custom_sql
from checks.catalogue import read_catalogue
from checks.census import take_census
from checks.errors import StatementError
from checks.relations import Catalogue
from checks.spec import CatalogueSpec, Cutoffs, PoolsSpec
from monitor.database import create_engine, snapshot
from monitor.database_errors import LOCKED, sqlstate
from tests.support.app import App, app_on
from tests.support.check_registry import router_of
from tests.support.commands import gallery_at, on_one_server
from tests.support.waiting import wait_until

PATIENCE = timedelta(seconds=30)
POOLS = PoolsSpec()
BOTH = "SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM art_sessions)"
JOINED = "SELECT count(*) FROM user_art_impressions AS i, users AS u, art_sessions"
PAIRS = "SELECT count(*) FROM users, art_sessions"
Measure = Callable[[Catalogue, str, AsyncConnection, datetime], Awaitable[float]]
WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ~ %(text)s"
)


@asynccontextmanager
async def waiting_alter(url: str, app: App) -> AsyncIterator[None]:
    """ALTER TABLE art_sessions waits for a reader of the app, until the context ends."""
    async with app_on(url) as reader, app_on(url) as migration:
        await reader.run("BEGIN")
        await reader.rows("SELECT FROM art_sessions LIMIT 1")
        altering = asyncio.create_task(
            migration.run("ALTER TABLE art_sessions ADD COLUMN later int")
        )

        async def waits() -> bool:
            return bool(await app.value(WAITING, text="^ALTER TABLE art_sessions"))

        await wait_until(waits)
        try:
            yield
        finally:
            await reader.run("COMMIT")
            await altering


async def catalogue_of(engine: AsyncEngine) -> Catalogue:
    async with snapshot(engine, timeout=PATIENCE) as connection:
        return (await read_catalogue(connection, CatalogueSpec())).require()


async def sql_check(
    catalogue: Catalogue, query: str, connection: AsyncConnection, now: datetime
) -> float:
    cutoffs = Cutoffs.at(now, POOLS)
    found = await custom_sql.measure(connection, catalogue, POOLS, cutoffs, query=query)
    return found.value or 0.0


async def census(catalogue: Catalogue, _: str, connection: AsyncConnection, now: datetime) -> float:
    taken = await take_census(
        connection,
        catalogue,
        POOLS,
        Cutoffs.at(now, POOLS),
        verified_until=None,
    )
    return float(taken.pairs)


@pytest.fixture
async def engine(app_database_url: str) -> AsyncIterator[AsyncEngine]:
    made = create_engine(app_database_url, pool_size=2)
    yield made
    await made.dispose()


@pytest.mark.parametrize(
    ("measure", "query"),
    [(sql_check, BOTH), (sql_check, JOINED), (census, PAIRS)],
    ids=["checks.sql", "a join", "census"],
)
async def test_a_check_keeps_nobody_from_a_table_while_it_waits_for_another(
    app_database_url: str, engine: AsyncEngine, measure: Measure, query: str
) -> None:
    router = router_of(engine)
    async with app_on(app_database_url) as app:
        await app.plant(users=4, artworks=4, untracked=0)
        expected = float(await app.value(query))
        catalogue = await catalogue_of(engine)
        async with waiting_alter(app_database_url, app):
            checking = asyncio.create_task(
                router.read(
                    lambda connection, now: measure(catalogue, query, connection, now),
                    timeout=PATIENCE,
                    rows=None,
                )
            )

            async def queued() -> bool:
                return bool(await app.value(WAITING, text="^(WITH|SELECT|--)"))

            await wait_until(queued)
            # What it had read by then is free within database.lock_timeout.
            await app.run("SET lock_timeout = '5s'")
            for n in range(2):
                await app.run(f"ALTER TABLE users ADD COLUMN later_{n} int")
                await app.run(f"ALTER TABLE user_art_impressions ADD COLUMN later_{n} int")
            assert not checking.done()
        found, note = await checking
        assert (found, note) == (expected, "")


async def test_a_table_that_stays_locked_is_an_error_that_says_so(
    app_database_url: str, engine: AsyncEngine
) -> None:
    catalogue = await catalogue_of(engine)
    async with app_on(app_database_url) as app, waiting_alter(app_database_url, app):
        with pytest.raises(StatementError, match=r"database\.lock_timeout") as refused:
            await router_of(engine).read(
                lambda connection, now: sql_check(catalogue, BOTH, connection, now),
                timeout=timedelta(seconds=1),
                rows=None,
            )
        assert sqlstate(refused.value) == LOCKED


@on_one_server
async def test_check_says_that_a_table_is_locked_and_lets_others_go_on(
    app_database_url: str, tmp_path: Path
) -> None:
    checks = {"sql": [{"name": "both", "query": BOTH, "every": "1h"}]}
    work = await gallery_at(app_database_url, tmp_path, checks=checks)
    patience = work.configure(checks=checks, database={"statement_timeout": "3s"})
    async with app_on(app_database_url) as app, waiting_alter(app_database_url, app):
        checking = asyncio.create_task(asyncio.to_thread(patience.run, "check", "both"))
        await app.run("SET lock_timeout = '2s'")
        while not checking.done():
            await app.run("BEGIN; LOCK TABLE users, user_art_impressions; COMMIT")
            await asyncio.sleep(0)
        done = await checking
    assert done.code != 0
    assert "database.lock_timeout" in done.err + done.words
    again = await asyncio.to_thread(work.run, "check", "both")
    assert again.code == 0
