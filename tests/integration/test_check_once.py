"""Every built-in check on real tables: an intact gallery passes all, each fault is found by its own
check and by no other, but for the structure where the fault needs a missing constraint."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from sqlalchemy import make_url

from checks.judgement import Outcome
from monitor.checking.once import check_names, check_once
from monitor.database import create_engine
from tests.support.app import App, app_on
from tests.support.called import call
from tests.support.healing import make_settings, service_settings
from tests.support.roles import SERVICE

pytestmark = pytest.mark.prepared

UTC = """
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET timezone TO UTC', current_database()); END $$
"""
INTACT = """
INSERT INTO users (id) SELECT 'u' || n FROM generate_series(1, 3) AS n;
INSERT INTO art_sessions (id, session_id, image_url, prompt, created_at)
SELECT 'a' || n, 's', 'x', 'y', timezone('UTC', now()) - n * interval '1 hour'
FROM generate_series(1, 12) AS n;
INSERT INTO user_art_impressions (user_id, artwork_id, viewed_at)
SELECT 'u' || n, 'a' || n, timezone('UTC', now()) - interval '20 minutes'
FROM generate_series(1, 3) AS n;
ANALYZE users, art_sessions, user_art_impressions;
"""
SAMPLES = """
INSERT INTO conservator.recording_sample (started_at, ended_at, impressions, artworks)
SELECT e - interval '5 minutes', e, 100, 1
FROM generate_series(now() - interval '5 minutes 5 seconds' - interval '3 weeks',
                     now() - interval '5 minutes 5 seconds', interval '5 minutes') AS e
"""
"""Three weeks in which a hundred impressions were recorded every five minutes."""
RECORDED = """
INSERT INTO art_sessions (id, session_id, image_url, prompt, created_at)
SELECT 'r' || n, 's', 'x', 'y', timezone('UTC', now()) - interval '4 minutes'
FROM generate_series(1, 100) AS n;
INSERT INTO user_art_impressions (user_id, artwork_id, viewed_at)
SELECT 'u1', 'r' || n, timezone('UTC', now()) - interval '2 minutes'
FROM generate_series(1, 100) AS n;
"""
STOPPED = """
UPDATE conservator.recording_sample SET impressions = 0
WHERE ended_at > now() - interval '9 minutes'
"""
HEALTHY = {
    "census": Outcome.PASS,
    "structure": Outcome.PASS,
    "duplicate_impressions": Outcome.SKIPPED,
    "orphan_impressions": Outcome.SKIPPED,
    "timestamps": Outcome.PASS,
    "recording_rate": Outcome.PASS,
    "pool_exhaustion": Outcome.PASS,
    "artwork_supply": Outcome.PASS,
}


@dataclass(frozen=True)
class Fault:
    """A fault, and what differs from an intact gallery where it is planted."""

    plant: str
    found: Mapping[str, Outcome]
    recorded: bool = field(default=True)
    """The app has recorded as usual in the newest interval."""


NO_FOREIGN_KEYS = """
ALTER TABLE user_art_impressions DROP CONSTRAINT user_art_impressions_user_id_fkey;
ALTER TABLE user_art_impressions DROP CONSTRAINT user_art_impressions_artwork_id_fkey;
"""
FAULTS = {
    "legacy": Fault(
        "UPDATE art_sessions SET created_at = created_at - interval '8 days' WHERE id = 'a12'",
        {"census": Outcome.FAIL},
    ),
    "an index is gone": Fault(
        "DROP INDEX user_art_impressions_unique_user_artwork",
        {"structure": Outcome.FAIL, "duplicate_impressions": Outcome.PASS},
    ),
    "an impression twice": Fault(
        "DROP INDEX user_art_impressions_unique_user_artwork;"
        " INSERT INTO user_art_impressions (user_id, artwork_id) VALUES ('u1', 'a1')",
        {"structure": Outcome.FAIL, "duplicate_impressions": Outcome.FAIL},
    ),
    "an impression of nothing": Fault(
        NO_FOREIGN_KEYS
        + "INSERT INTO user_art_impressions (user_id, artwork_id) VALUES ('u1', 'gone')",
        {"orphan_impressions": Outcome.FAIL},
    ),
    "an artwork of tomorrow": Fault(
        "INSERT INTO art_sessions (id, session_id, image_url, prompt, created_at)"
        " VALUES ('later', 's', 'x', 'y', timezone('UTC', now()) + interval '1 day')",
        {"timestamps": Outcome.WARN},
    ),
    "recording has stopped": Fault(STOPPED, {"recording_rate": Outcome.FAIL}, recorded=False),
    "a user has seen everything": Fault(
        "INSERT INTO user_art_impressions (user_id, artwork_id)"
        " SELECT 'u1', id FROM art_sessions ON CONFLICT DO NOTHING",
        {"pool_exhaustion": Outcome.WARN},
    ),
    "no new artworks": Fault(
        "UPDATE art_sessions SET created_at = created_at - interval '2 days'",
        {"artwork_supply": Outcome.WARN},
    ),
}


async def outcomes(url: str, app: App, plant: str, *, recorded: bool = True) -> dict[str, Outcome]:
    """What `check` finds, as the least-privileged role, in a gallery with `plant`."""
    await app.run(UTC)
    settings = await service_settings(url)
    await app.run(INTACT)
    await app.run(SAMPLES)
    if recorded:
        await app.run(RECORDED)
    else:
        await app.run(
            "UPDATE art_sessions SET created_at = timezone('UTC', now()) - interval"
            " '3 minutes' WHERE id = 'a4'"
        )
    if plant:
        await app.run(plant)
    engine = create_engine(settings.database.sqlalchemy_url, pool_size=3)
    try:
        board = await check_once(engine, settings, check_names(settings))
    finally:
        await engine.dispose()
    found = board.current.checks
    assert all(check.outcome for check in found.values())
    return {name: check.outcome for name, check in found.items() if check.outcome is not None}


async def test_an_intact_gallery_passes_all(app_database_url: str) -> None:
    async with app_on(app_database_url) as app:
        assert await outcomes(app_database_url, app, "") == HEALTHY


@pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))
async def test_a_fault_is_found_by_its_check_and_by_no_other(
    app_database_url: str, fault: Fault
) -> None:
    async with app_on(app_database_url) as app:
        found = await outcomes(app_database_url, app, fault.plant, recorded=fault.recorded)
        assert found == {**HEALTHY, **fault.found}


async def test_a_role_may_have_forms_of_its_own_for_dates_and_intervals(
    app_database_url: str,
) -> None:
    forms = "".join(
        f"ALTER ROLE {SERVICE} IN DATABASE {make_url(app_database_url).database} SET {one};"
        for one in ("DateStyle = 'SQL, DMY'", "IntervalStyle = 'sql_standard'")
    )
    async with app_on(app_database_url) as app:
        assert await outcomes(app_database_url, app, forms) == HEALTHY


READER = "gallery_reader"
_MAKE_READER = f"""
DO $$ BEGIN CREATE ROLE {READER} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
GRANT conservator_reader TO {READER};
"""


async def test_a_role_that_may_only_read_runs_every_check_and_is_told_what_it_may_not(
    app_database_url: str,
) -> None:
    await service_settings(app_database_url)
    async with app_on(app_database_url) as app:
        for statements in (_MAKE_READER, UTC, INTACT, SAMPLES, RECORDED):
            await app.run(statements)
    settings = make_settings(make_url(app_database_url).set(username=READER).render_as_string())
    engine = create_engine(settings.database.sqlalchemy_url, pool_size=2)
    try:
        board = await check_once(engine, settings, check_names(settings))
    finally:
        await engine.dispose()
    found = {name: check.outcome for name, check in board.current.checks.items()}
    assert found == {**HEALTHY, "structure": Outcome.FAIL}
    assert "INSERT" in board.current.checks["structure"].message


async def test_where_a_table_stays_locked_no_check_could_be_evaluated(
    app_database_url: str, tmp_path: Path
) -> None:
    config = tmp_path / "config.yaml"
    database = {"url": app_database_url, "statement_timeout": "500ms", "lock_timeout": "50ms"}
    config.write_text(yaml.safe_dump({"database": database}))
    async with app_on(app_database_url) as app, app.connection.transaction():
        await app.run("LOCK TABLE art_sessions IN ACCESS EXCLUSIVE MODE")
        done = await asyncio.to_thread(call, config, "check", "--json")
    found = {one["name"]: one for one in done.json["checks"]}
    assert done.code == 3
    assert {one["outcome"] for one in found.values()} == {"error"}
    assert "A lock was not to be had" in found["census"]["message"]
    assert found["structure"]["message"] == "Nothing can be counted: see census."
