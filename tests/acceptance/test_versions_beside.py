"""Two versions at work on one database.

The present one beside a later one, which has added to every table: the lead and the runs pass to
and fro, and every missing impression is written once. An earlier one, whose code lies in
tests/integration/data as it was (commit 36e401b, revision 0004 of the state schema), beside the
present one: it stops deciding once its schema has been taken up, writes nothing that it should
not, and what it has begun is brought to its end. It does not start there anew.
"""

from __future__ import annotations

import signal
import tarfile
from pathlib import Path

import pytest

from monitor.state.schema import REVISIONS
from tests.support.commands import STATE, Running, Workplace, gallery_at, on_one_server, running
from tests.support.waiting import PATIENCE

pytestmark = on_one_server

ARCHIVE = Path(__file__).parents[1] / "integration" / "data" / "service_0004.tar.xz"
OLDER, CURRENT = "0004", REVISIONS[-1][:4]
LEADER = "conservator_leader"
LEASE = "6s"
LEGACY = 'conservator_artworks{state="legacy_untracked"}'
SLOWLY = {"cooldown": "0s", "pace": {"max_batch": 20, "duty": "20%"}}
MORE_OLD_ARTWORKS = """
INSERT INTO art_sessions (session_id, image_url, created_at)
SELECT 's', '/', now() AT TIME ZONE 'UTC' - interval '30 days' FROM generate_series(1, 10)
"""
LEDGER = f"SELECT count(*) FROM {STATE}.backfilled_impression"
THERE = f"{LEDGER} JOIN user_art_impressions USING (user_id, artwork_id, viewed_at)"
TOO_YOUNG = f"""
{LEDGER} JOIN art_sessions AS a ON a.id = artwork_id
WHERE a.created_at > now() AT TIME ZONE 'UTC' - interval '7 days'
"""
DOUBLED = (
    f"SELECT count(*) - count(DISTINCT (user_id, artwork_id)) FROM {STATE}.backfilled_impression"
)
MISSING = """
SELECT count(*) FROM users AS u CROSS JOIN art_sessions AS a
LEFT JOIN user_art_impressions AS i ON i.user_id = u.id AND i.artwork_id = a.id
WHERE i.id IS NULL AND a.created_at < now() AT TIME ZONE 'UTC' - interval '8 days'
  AND EXISTS (SELECT FROM user_art_impressions AS any_one WHERE any_one.user_id = u.id)
"""
TABLES = f"""
SELECT oid::regclass::text FROM pg_class
WHERE relkind = 'r' AND relnamespace = '{STATE}'::regnamespace AND relname <> 'schema_version'
"""
VERSION = f"SELECT version_num FROM {STATE}.schema_version"
ACTIVE = f"""
SELECT count(*) FROM {STATE}.run
WHERE kind = 'heal' AND state = 'running' AND batches >= 2
  AND holder = (SELECT holder FROM {STATE}.leader)
"""
UNFINISHED = f"SELECT count(*) FROM {STATE}.run WHERE state IN ('running', 'held')"


@pytest.fixture(scope="module")
def older_code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The older version, to be imported in place of the present one."""
    folder = tmp_path_factory.mktemp("older")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    return folder


def leads(service: Running) -> bool:
    return service.client().metrics().get(LEADER) == 1


def in_the_middle(work: Workplace, service: Running) -> None:
    """Until the leader has written a part of a run over more old artworks."""
    work.rows(MORE_OLD_ARTWORKS)
    service.until(lambda: work.value(ACTIVE) > 0, PATIENCE)


def takes_over_from(frozen: Running, other: Running, work: Workplace) -> None:
    """The lead, with the run that was under way, which it brings to its end."""
    frozen.process.send_signal(signal.SIGSTOP)
    other.until(lambda: leads(other), PATIENCE)
    other.until(lambda: work.value(MISSING) == work.value(UNFINISHED) == 0, 2 * PATIENCE)
    frozen.process.send_signal(signal.SIGCONT)
    frozen.until(lambda: not leads(frozen), PATIENCE)


def add_what_a_later_version_has(work: Workplace) -> None:
    """A column to each table, a table, and its revision."""
    for (table,) in work.rows(TABLES):
        work.rows(f"ALTER TABLE {table} ADD COLUMN later text DEFAULT 'x', ADD COLUMN more jsonb")
    work.rows(f"CREATE TABLE {STATE}.of_later (id bigint)")
    work.rows(f"UPDATE {STATE}.schema_version SET version_num = '9999'")


def assert_every_pair_was_written_once(work: Workplace, before: int) -> None:
    assert work.impressions() - before == work.value(LEDGER) == work.value(THERE)
    assert work.value(MISSING) == work.value(DOUBLED) == work.value(TOO_YOUNG) == 0
    states = {state for (state,) in work.rows(f"SELECT state FROM {STATE}.run")}
    assert states <= {"succeeded", "partial"}
    inserted = work.value(f"SELECT sum(inserted) FROM {STATE}.run")
    assert inserted == work.value(f"SELECT sum(inserted) FROM {STATE}.batch")
    assert inserted == work.value(LEDGER)
    total = work.value(f"SELECT value FROM {STATE}.counter WHERE name = 'heal_impressions'")
    assert total == inserted


@pytest.mark.long
async def test_this_version_takes_turns_with_a_later_one(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path, healing=SLOWLY, lease=LEASE)
    before = work.impressions()
    with work.started("serve") as first:
        first.until(lambda: leads(first), PATIENCE)
        with work.started("serve") as second:
            second.until(lambda: second.client().get("readyz").status == 200, PATIENCE)
            first.until(lambda: work.value(ACTIVE) > 0, PATIENCE)
            add_what_a_later_version_has(work)
            takes_over_from(first, second, work)
            in_the_middle(work, second)
            takes_over_from(second, first, work)
            assert first.stop().code == 0
            second.until(lambda: leads(second), PATIENCE)
            second.until(lambda: second.client().metrics().get(LEGACY) == 0, PATIENCE)
            assert second.events("job_failed") == first.events("job_failed") == []
            assert second.stop().code == 0
    assert_every_pair_was_written_once(work, before)


@pytest.mark.long
async def test_an_earlier_process_does_no_harm_beside_this_one(
    app_database_url: str, tmp_path: Path, older_code: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path, healing=SLOWLY, lease=LEASE)
    before = work.impressions()
    with running(work.directory, "serve", PYTHONPATH=str(older_code)) as older:
        older.until(lambda: leads(older), PATIENCE)
        older.until(lambda: work.value(ACTIVE) > 0, PATIENCE)
        assert work.value(VERSION) == OLDER
        with work.started("serve") as newer:
            newer.until(lambda: newer.client().get("readyz").status == 200, PATIENCE)
            assert work.value(VERSION) == CURRENT
            # It can't read what it does not know, and says so; it is alive all the same.
            older.until(lambda: bool(older.events("job_failed")), PATIENCE)
            assert older.client().get("healthz").status == 200
            older.process.kill()
            newer.until(lambda: leads(newer), PATIENCE)
            newer.until(lambda: work.value(MISSING) == work.value(UNFINISHED) == 0, PATIENCE)
            newer.until(lambda: newer.client().metrics().get(LEGACY) == 0, PATIENCE)
            assert newer.stop().code == 0
    assert_every_pair_was_written_once(work, before)


async def test_an_older_process_does_not_start_on_a_newer_schema(
    app_database_url: str, tmp_path: Path, older_code: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path)
    assert work.run("init").code == 0
    before = work.contents()
    for words in ("serve", "init", "heal --yes"):
        with running(work.directory, *words.split(), PYTHONPATH=str(older_code)) as older:
            done = older.ended(within=PATIENCE)
        assert done.code == 1
        assert f"at revision {CURRENT}, this conservator knows up to {OLDER}" in done.err
    assert work.contents() == before
