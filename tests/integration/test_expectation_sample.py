"""The demo's suites: an intact gallery passes, each fault is found."""

from __future__ import annotations

import psycopg
import pytest
from sqlalchemy import NullPool
from sqlalchemy.ext.asyncio import create_async_engine

from checks.judgement import Outcome
from monitor.checking.expectations.worker import WorkerPool
from monitor.demo.gallery import build_gallery
from monitor.demo.settings import demo_settings
from tests.integration.test_expectation_types import Results, results_of
from tests.support.app import conninfo
from tests.support.commands import on_one_server

pytestmark = on_one_server
BARE = """
ALTER TABLE user_art_impressions DROP CONSTRAINT user_art_impressions_artwork_id_fkey;
DROP INDEX user_art_impressions_unique_user_artwork;
"""
ONE_ARTWORK = "WHERE id = (SELECT min(id) FROM art_sessions)"
FAULTS = {
    "artworks.column_value_lengths_to_be_between.image_url": (
        f"UPDATE art_sessions SET image_url = '' {ONE_ARTWORK}",
        Outcome.FAIL,
    ),
    "artworks.column_values_to_not_be_null.prompt": (
        "UPDATE art_sessions SET prompt = NULL",
        Outcome.WARN,
    ),
    "artworks.column_values_to_be_in_set.pool_status": (
        f"UPDATE art_sessions SET pool_status = 'lost' {ONE_ARTWORK}",
        Outcome.FAIL,
    ),
    "artworks.column_values_to_be_between.version": (
        f"UPDATE art_sessions SET version = 0 {ONE_ARTWORK}",
        Outcome.FAIL,
    ),
    "impressions.compound_columns_to_be_unique.user_id_artwork_id": (
        "INSERT INTO user_art_impressions (user_id, artwork_id)"
        " SELECT user_id, artwork_id FROM user_art_impressions LIMIT 1",
        Outcome.FAIL,
    ),
    "impressions.column_values_to_be_between.version": (
        "UPDATE user_art_impressions SET version = 0"
        " WHERE id = (SELECT min(id) FROM user_art_impressions)",
        Outcome.FAIL,
    ),
    "impressions.unexpected_rows_expectation": (
        "INSERT INTO user_art_impressions (user_id, artwork_id) SELECT min(id), 'gone' FROM users",
        Outcome.FAIL,
    ),
}


async def gallery(url: str) -> None:
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.begin() as connection:
        await build_gallery(connection, users=30, artworks=60)
    await engine.dispose()
    with psycopg.connect(conninfo(url), autocommit=True) as app:
        app.execute(BARE.encode())


async def found_at(url: str, worker: WorkerPool) -> Results:
    settings = demo_settings(url, port=0, token="of-the-suites-of-this-test")
    return await results_of(settings, worker)


async def test_an_intact_gallery_meets_all_of_them(
    app_database_url: str, suites_worker: WorkerPool
) -> None:
    await gallery(app_database_url)
    found = await found_at(app_database_url, suites_worker)
    assert set(found) == {"artworks", "impressions", *FAULTS}
    assert {name: one.message for name, one in found.items() if one.outcome != "pass"} == {}


@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_is_found_by_its_expectation_and_no_other(
    app_database_url: str, suites_worker: WorkerPool, name: str
) -> None:
    await gallery(app_database_url)
    plant, outcome = FAULTS[name]
    with psycopg.connect(conninfo(app_database_url), autocommit=True) as app:
        app.execute(plant.encode())
    found = await found_at(app_database_url, suites_worker)
    suite = name.partition(".")[0]
    wrong = {one: result.outcome for one, result in found.items() if result.outcome != "pass"}
    assert wrong == {suite: outcome, name: outcome}
    assert found[name].value
