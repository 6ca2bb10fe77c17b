"""The state schema: whatever revision it begins with, it ends as a new one would be."""

from __future__ import annotations

import pytest

from checks.errors import CatalogueError
from monitor.config import Settings
from monitor.database import create_engine, transaction
from monitor.runtime import inspect_catalogue, require_catalogue
from monitor.state import migrations, schema
from tests.support.app import App, app_on
from tests.support.healing import make_settings

OLDER = ("0001", "0002", "0003", "0004")
SHAPE = """
SELECT 'column', table_name, column_name,
       concat_ws(' ', data_type, is_nullable, column_default, is_identity)
FROM information_schema.columns WHERE table_schema = 'conservator'
UNION ALL
SELECT 'index', tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'conservator'
UNION ALL
SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace = 'conservator'::regnamespace AND contype <> 'n'
ORDER BY 1, 2, 3, 4
"""
RUN = """
INSERT INTO conservator.run (
    kind, trigger, state, reason, holder, token, lease_until, legacy_until, started_at,
    finished_at
) VALUES ('heal', 'command', 'succeeded', 'Before.', 'x', 1, now(), now(), now(), now())
"""


async def created_at(settings: Settings, revision: str) -> None:
    """The schema as a conservator of that revision made it."""
    engine = create_engine(settings.database.sqlalchemy_url, pool_size=1)
    try:
        catalogue = require_catalogue(await inspect_catalogue(engine, settings))
        fragments = schema.state_fragments(catalogue, "conservator")
        async with engine.begin() as connection:
            await connection.exec_driver_sql("CREATE SCHEMA conservator")
            until = tuple(name for name in schema.REVISIONS if name[:4] <= revision)
            await connection.run_sync(migrations.upgrade, "conservator", fragments, until)
    finally:
        await engine.dispose()


async def upgraded(settings: Settings) -> bool:
    engine = create_engine(settings.database.sqlalchemy_url, pool_size=1)
    try:
        catalogue = require_catalogue(await inspect_catalogue(engine, settings))
        async with transaction(engine, timeout=settings.database.statement_timeout) as connection:
            return await schema.upgrade(connection, catalogue, "conservator")
    finally:
        await engine.dispose()


async def script_since(settings: Settings, revision: str | None) -> str:
    engine = create_engine(settings.database.sqlalchemy_url, pool_size=1)
    try:
        catalogue = require_catalogue(await inspect_catalogue(engine, settings))
        return schema.script(catalogue, "conservator", revision)
    finally:
        await engine.dispose()


async def shape_of_a_new_one(app: App, settings: Settings) -> list[tuple[str, ...]]:
    assert await upgraded(settings)
    shape = await app.rows(SHAPE)
    await app.run("DROP SCHEMA conservator CASCADE")
    return shape


@pytest.mark.parametrize("revision", OLDER)
async def test_an_older_schema_becomes_what_a_new_one_is_and_keeps_its_rows(
    app_database_url: str, revision: str
) -> None:
    settings = make_settings(app_database_url)
    async with app_on(app_database_url) as app:
        expected = await shape_of_a_new_one(app, settings)
        await created_at(settings, revision)
        await app.run(RUN)
        assert await upgraded(settings)
        assert await app.rows(SHAPE) == expected
        assert await app.value("SELECT reason FROM conservator.run") == "Before."
        assert not await upgraded(settings)


@pytest.mark.parametrize("revision", [None, *OLDER])
async def test_the_printed_script_does_the_same(
    app_database_url: str, revision: str | None
) -> None:
    settings = make_settings(app_database_url)
    async with app_on(app_database_url) as app:
        expected = await shape_of_a_new_one(app, settings)
        if revision is not None:
            await created_at(settings, revision)
        await app.run(await script_since(settings, revision))
        assert await app.rows(SHAPE) == expected
        assert not await upgraded(settings)


async def test_a_newer_schema_is_refused(app_database_url: str) -> None:
    settings = make_settings(app_database_url)
    async with app_on(app_database_url) as app:
        assert await upgraded(settings)
        await app.run("UPDATE conservator.schema_version SET version_num = '9999'")
        with pytest.raises(CatalogueError, match=r"9999.*start the newer version"):
            await upgraded(settings)
