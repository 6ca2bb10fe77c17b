"""The recording rate beside a real heal run, on a replica that stands still, and what it reads."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from sqlalchemy import NullPool
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from checks.catalogue import read_catalogue
from checks.recording_rate.queries import (
    CLOCK,
    SETTLING,
    statements,
    take_sample,
    visible_until,
)
from checks.recording_rate.samples import Sample, SampleInterval
from checks.spec import CatalogueSpec, PoolsSpec
from checks.statements import template
from tests.support.databases import APP, cloned
from tests.support.healing import heal, planted
from tests.support.postgres import PostgresServer
from tests.support.query_plans import plans_of
from tests.support.replicas import replica_of
from tests.support.undoing import UPSERT
from tests.support.waiting import wait_until

pytestmark = pytest.mark.prepared

POOLS = PoolsSpec()
TEXTS = {CLOCK: template("checks", CLOCK)}
NEVER = datetime.min.replace(tzinfo=UTC)
EVERY = timedelta(minutes=5)
HOUR = timedelta(hours=1)
USERS, ARTWORKS = 20, 2000
_FILL = f"""
SET session_replication_role = replica;
INSERT INTO users (id) SELECT 'u' || n FROM generate_series(1, {USERS}) AS n;
INSERT INTO art_sessions (id, session_id, image_url, created_at)
SELECT 'a' || n, n, n, timestamp '2026-02-01' + n * interval '1 minute'
FROM generate_series(1, {ARTWORKS}) AS n;
INSERT INTO user_art_impressions (user_id, artwork_id, viewed_at)
SELECT u.id, a.id, a.created_at FROM art_sessions AS a CROSS JOIN users AS u;
CREATE SCHEMA books;
CREATE TABLE books.backfilled_impression AS
SELECT user_id, artwork_id, viewed_at FROM user_art_impressions WHERE user_id <> 'u1';
"""


@pytest.fixture(scope="module")
def filled_url(server: PostgresServer) -> Iterator[str]:
    """Everybody is shown an artwork as soon as it is there, one a minute; only u1 really."""
    with cloned(server, APP) as url:
        with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute(_FILL.encode())
            connection.execute("ANALYZE")
        yield url


async def sampled(
    connection: AsyncConnection, interval: SampleInterval, state: str | None
) -> Sample:
    """The interval, counted on the app's tables."""
    catalogue = (await read_catalogue(connection, CatalogueSpec())).require()
    return await take_sample(connection, statements(catalogue, POOLS, state), interval)


async def test_what_a_heal_run_writes_is_no_recording_until_somebody_looks(
    app_database_url: str,
) -> None:
    async with planted(app_database_url, users=5, artworks=4) as (app, runtime):
        ended = await heal(runtime)
        assert ended.run.inserted == 20
        now = datetime.now(UTC)
        interval = SampleInterval(now - HOUR, now + HOUR)
        async with runtime.engine.connect() as connection:
            assert (await sampled(connection, interval, None)).impressions == 20
            assert (await sampled(connection, interval, "conservator")).impressions == 0
        await app.run(UPSERT, user="u0001", artwork="old0001")
        async with runtime.engine.connect() as connection:
            assert (await sampled(connection, interval, "conservator")).impressions == 1


async def test_a_sample_reads_its_window_from_the_index_and_no_more(filled_url: str) -> None:
    start = datetime(2026, 2, 1, 10, tzinfo=UTC)
    interval = SampleInterval(start, start + EVERY)
    engine = create_async_engine(filled_url, poolclass=NullPool)
    async with engine.connect() as connection:
        catalogue = (await read_catalogue(connection, CatalogueSpec())).require()
        texts = statements(catalogue, POOLS, "books")
        sample = await take_sample(connection, texts, interval)
        plans = await plans_of(connection, lambda: take_sample(connection, texts, interval))
    await engine.dispose()
    assert (sample.impressions, sample.artworks) == (5, 5)
    nodes = [node for plan in plans for node in plan.walk()]
    scans = [node for node in nodes if "Scan" in node.kind]
    viewed = [node for node in scans if node.index == "user_art_impressions_viewed_at_idx"]
    assert [node.rows for node in viewed] == [5 * USERS]
    assert "user_art_impressions" not in {n.relation for n in scans if n.kind == "Seq Scan"}


async def test_a_replica_that_stands_still_is_not_asked_about_what_it_has_not_seen(
    own_server: PostgresServer,
) -> None:
    primary = create_async_engine(own_server.url("postgres"), poolclass=NullPool)

    async def write() -> None:
        async with primary.begin() as connection:
            await connection.exec_driver_sql("SELECT pg_current_xact_id()")

    with replica_of(own_server) as replica:
        reading = create_async_engine(replica.url("postgres"), poolclass=NullPool)

        async def is_paused() -> bool:
            state = await asked(reading, "SELECT pg_get_wal_replay_pause_state()")
            return state == "paused"

        async def has_moved() -> bool:
            await write()
            return await until(reading) > stood

        stood = await until(reading)
        assert stood == NEVER, "it has replayed nothing yet"
        await wait_until(has_moved)
        replica.pause_replay()
        await wait_until(is_paused)
        stood = await until(reading)
        await write()
        assert await until(primary) > stood
        assert await until(reading) == stood
        replica.resume_replay()
        await wait_until(has_moved)
        await reading.dispose()
    await primary.dispose()


async def until(engine: AsyncEngine) -> datetime:
    """Up to when the server shows everything."""
    async with engine.connect() as connection:
        found = await visible_until(connection, TEXTS)
    return NEVER if found is None else found + SETTLING


async def asked(engine: AsyncEngine, question: str) -> object:
    """The one value that answers it."""
    async with engine.connect() as connection:
        answer: object = (await connection.exec_driver_sql(question)).scalar_one()
    return answer
