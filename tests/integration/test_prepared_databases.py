"""A test's database that comes prepared is what a preparation makes of a bare one; and whatever
alters what was prepared has it prepared again."""

from __future__ import annotations

import pytest

from tests.integration.test_state_schema import SHAPE
from tests.support import roles
from tests.support.app import app_on
from tests.support.databases import APP, cloned
from tests.support.healing import make_settings
from tests.support.postgres import PostgresServer
from tests.support.roles import SERVICE, prepare_for_service

GRANTED = """
SELECT relname, relacl::text FROM pg_class WHERE relnamespace::regnamespace::text
    IN ('public', 'conservator') ORDER BY 1
"""
ALTERED = (
    "CREATE TABLE more (id int)",
    "ALTER TABLE users ADD more int",
    "ALTER TABLE users ALTER COLUMN id SET DEFAULT 'x'",
    "REVOKE SELECT ON users FROM conservator_healer",
    "REVOKE USAGE ON SCHEMA conservator FROM conservator_healer",
    "ALTER TABLE users ENABLE ROW LEVEL SECURITY",
    "CREATE POLICY more ON users USING (true)",
    f"REVOKE conservator_healer FROM {SERVICE}",
    "UPDATE conservator.schema_version SET version_num = '0001'",
    "DROP SCHEMA conservator CASCADE",
)


@pytest.mark.prepared
async def test_a_prepared_database_is_what_a_preparation_makes(
    app_database_url: str, server: PostgresServer
) -> None:
    with cloned(server, APP) as url:
        await prepare_for_service(make_settings(url))
        async with app_on(url) as bare, app_on(app_database_url) as app:
            assert await app.rows(SHAPE) == await bare.rows(SHAPE) != []
            assert await app.rows(GRANTED) == await bare.rows(GRANTED) != []


@pytest.mark.prepared
async def test_whatever_alters_it_has_it_prepared_again(app_database_url: str) -> None:
    settings = make_settings(app_database_url)
    done = len(roles._prepared)
    await prepare_for_service(settings)
    assert len(roles._prepared) == done
    seen = {await roles._identity(settings)}
    async with app_on(app_database_url) as app:
        for statement in ALTERED:
            await app.run(statement)
            now = await roles._identity(settings)
            assert now not in seen, statement
            seen.add(now)
        await app.run(f"GRANT conservator_healer TO {SERVICE}")
        await prepare_for_service(settings)
        assert await app.value("SELECT count(*) FROM conservator.control") == 1
    assert len(roles._prepared) == done + 1
    other = make_settings(app_database_url, catalog={"impressions": {"where": "id IS NOT NULL"}})
    assert await roles._identity(other) not in roles._prepared
