"""A database that any earlier version has worked on is taken up as it is.

`data/state_NNNN.sql` is what a version left (tests/support/recorded_state.py). Of a revision that
none was recorded of, the schema is made as it was then, and gets the rows of the next one that was,
as far as it has the columns.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from importlib import resources
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import NullPool, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from checks.doctor.findings import Blocks
from checks.relations import Catalogue
from monitor.database import snapshot
from monitor.runtime import inspect_catalogue, require_catalogue
from monitor.service.service import Service
from monitor.state import migrations
from monitor.state.runs import RunState, list_runs
from monitor.state.schema import PACKAGE, REVISIONS, state_fragments
from tests.support.commands import Workplace, on_one_server
from tests.support.healing import (
    claimed,
    heal_until,
    make_settings,
    paced,
    plan,
    planted,
    service_settings,
    working,
)
from tests.support.services import running
from tests.support.waiting import PATIENCE, wait_until

DATA = Path(__file__).parent / "data"
RECORDED = {path.stem.rpartition("_")[2]: path for path in sorted(DATA.glob("state_*.sql"))}
EARLIER = [name[:4] for name in REVISIONS[:-1]]
LANDED = {
    "0001_first": "be88daf57d0b46b5",
    "0002_left_alone": "c6fd4d01eafc1439",
    "0003_checks": "159061dfc628bbd3",
    "0004_alerts": "527afb8ba4968953",
    "0005_fewer_tables": "02fdfd05ac7889e4",
    "0006_whole_rows": "ad722f919f498988",
    "0007_catalogue": "cf87c475b0b94c6e",
    "0008_ledger_moments": "633bcdacc4654135",
    "0009_earlier_runs": "c4255e2a1671d77d",
    "0010_batch_size": "9dc2874282308e6d",
    "0011_plan_artworks": "e522ab5aa7c9707c",
    "0012_cron": "963e45462cf71134",
    "0013_repairs": "19fcf2313377d60d",
}
"""Revision -> how its statements begin to be digested; a newer one is added once it has landed."""
FORGOTTEN_TABLES = frozenset({"conservator.schema_version", "conservator.alert"})
FORGOTTEN_COLUMNS = {"conservator.check_status": {"since"}}
"""What a later revision keeps no more."""
TABLES = """
SELECT c.oid::regclass::text FROM pg_class AS c
WHERE c.relkind = 'r' AND c.relnamespace::regnamespace::text IN ('conservator', 'public')
ORDER BY c.relname <> 'run', c.relname
"""
COLUMNS = """
SELECT quote_ident(attname) FROM pg_attribute
WHERE attrelid = to_regclass({later!r}) AND attnum > 0 AND NOT attisdropped
INTERSECT
SELECT quote_ident(attname) FROM pg_attribute
WHERE attrelid = to_regclass({now!r}) AND attnum > 0 AND NOT attisdropped
"""
SEQUENCES = """
SELECT setval(pg_get_serial_sequence('conservator.' || name, 'id'), 1000)
FROM unnest(ARRAY['run', 'census', 'decision', 'check_transition']) AS name
WHERE to_regclass('conservator.' || name) IS NOT NULL
"""
# A dump gives tables other numbers than they had where it was taken; an upgrade in place does not.
SAME_TABLES = """
UPDATE conservator.run SET impressions_oid = 'public.user_art_impressions'::regclass
WHERE impressions_oid IS NOT NULL
"""
SAME_USERS = SAME_TABLES.replace("user_art_impressions", "users").replace("impressions_", "users_")
NEVER_EMPTY = ("run", "batch", "work", "backfilled_impression", "census", "decision", "control")
IMPRESSIONS = "SELECT user_id, artwork_id, viewed_at::text FROM public.user_art_impressions"
WAITS = """
SELECT count(*) FROM pg_stat_activity
WHERE wait_event_type = 'Lock' AND datname = current_database()
"""
LEDGER = "SELECT user_id, artwork_id, viewed_at::text FROM conservator.backfilled_impression"
HELD = "SELECT id FROM conservator.run WHERE state = 'held'"
"""The run that was put down in the middle."""
OLD = """
SELECT max(run.id) FROM conservator.run JOIN conservator.backfilled_impression ON run_id = run.id
WHERE kind = 'heal' AND state IN ('succeeded', 'partial')
"""
"""One that ended, and of which something is there."""
Row = dict[str, Any]


@pytest.fixture(params=EARLIER)
def revision(request: pytest.FixtureRequest) -> str:
    """One of those that were current once."""
    assert isinstance(request.param, str)
    return request.param


@pytest.fixture
async def work(database_url: str, tmp_path: Path, revision: str) -> AsyncIterator[Workplace]:
    """The database as it was left, with a configuration like the one that it was left with."""
    work = Workplace(tmp_path, database_url).configure()
    recorded = min(name for name in RECORDED if name >= revision)
    with psycopg.connect(work.conninfo, autocommit=True) as connection:
        connection.execute(RECORDED[recorded].read_bytes())
    await left_at(work, revision, project=recorded != revision)
    yield work


async def left_at(work: Workplace, revision: str, *, project: bool) -> None:
    """The tables as that revision had them."""
    settings = make_settings(work.url)
    engine = create_async_engine(work.url, poolclass=NullPool)
    examination = await inspect_catalogue(engine, settings)
    catalogue = require_catalogue(examination, Blocks.COUNTING)
    async with engine.begin() as connection:
        await connection.execute(text("SET search_path = public"))
        if project:
            await project_state(connection, catalogue, revision)
        if revision >= "0007":
            await connection.execute(text(SAME_TABLES))
        if revision >= "0009":
            await connection.execute(text(SAME_USERS))
    await engine.dispose()


async def project_state(connection: AsyncConnection, catalogue: Catalogue, revision: str) -> None:
    """What a later revision left, as this one would have it."""
    await connection.execute(text("ALTER SCHEMA conservator RENAME TO later"))
    await connection.execute(text("CREATE SCHEMA conservator"))
    until = REVISIONS[: EARLIER.index(revision) + 1]
    fragments = state_fragments(catalogue, "conservator")
    await connection.run_sync(migrations.upgrade, "conservator", fragments, until)
    for (table,) in (await connection.execute(text(TABLES))).all():
        name = table.removeprefix("conservator.")
        if name in {table, "schema_version"}:
            continue
        asked = COLUMNS.format(later=f"later.{name}", now=table)
        columns = ", ".join(row[0] for row in await connection.execute(text(asked)))
        if not columns:
            continue
        await connection.execute(text(f"DELETE FROM {table}"))
        await connection.execute(
            text(
                f"INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE"
                f" SELECT {columns} FROM later.{name} {_known(name, revision)}"
            )
        )
    await connection.execute(text(SEQUENCES))
    await connection.execute(text("DROP SCHEMA later CASCADE"))


def _known(name: str, revision: str) -> str:
    """Without undo, which the first revision did not know."""
    if name == "run" and revision == "0001":
        return "WHERE kind <> 'undo'"
    of_a_run = name in {"batch", "work", "run_wait"}
    return "WHERE run_id IN (SELECT id FROM conservator.run)" if of_a_run else ""


def kept(work: Workplace) -> dict[str, list[Row]]:
    """Every row of every table, in an order of its own, without what may be forgotten."""
    tables = [table for (table,) in work.rows(TABLES) if table not in FORGOTTEN_TABLES]
    found = {}
    for table in tables:
        rows = [row for (row,) in work.rows(f"SELECT to_jsonb(t) FROM {table} AS t")]
        for column in FORGOTTEN_COLUMNS.get(table, set()):
            for row in rows:
                row.pop(column, None)
        found[table] = sorted(rows, key=json.dumps)
    return found


def within(row: Row, names: set[str]) -> Row:
    """Without the columns that were added since."""
    return {name: value for name, value in row.items() if name in names}


def test_a_revision_that_has_landed_stays_as_it_is() -> None:
    folder = resources.files(PACKAGE) / "sql"
    found = {
        name: hashlib.sha256((folder / f"{name}.sql").read_bytes()).hexdigest()[:16]
        for name in REVISIONS
    }
    assert {name: found[name] for name in LANDED} == LANDED, "add a revision instead"
    assert set(LANDED) >= set(REVISIONS[:-1])


def test_of_each_earlier_revision_there_is_a_database_to_take_up() -> None:
    assert max(RECORDED) >= EARLIER[-1], "python -m tests.support.recorded_state"


def test_every_row_is_the_same_after_an_upgrade_and_runs_are_listed_as_they_were(
    work: Workplace, revision: str
) -> None:
    before = kept(work)
    runs = work.rows("SELECT id, kind, state, inserted FROM conservator.run ORDER BY id DESC")
    done = work.run("init")
    assert done.code == 0, done
    after = kept(work)
    assert set(after) >= set(before)
    assert [name for name in NEVER_EMPTY if not before[f"conservator.{name}"]] == []
    for table, rows in before.items():
        names = {name for row in rows for name in row}
        assert sorted((within(row, names) for row in after[table]), key=json.dumps) == rows, table
    listed = work.run("runs", "--json").json["runs"]
    assert [(r["id"], r["kind"], r["state"], r["inserted"]) for r in listed] == runs
    assert {"heal", "user"} <= {kind for _, kind, _, _ in runs}
    one = work.run("runs", "3", "--json").json
    assert sum(batch["inserted"] for batch in one["batches"]) == one["run"]["inserted"] == 11
    if revision > "0001":
        assert before["conservator.quarantine"]
        assert "undo" in {kind for _, kind, _, _ in runs}
    assert "was already at revision" in work.run("init").words


@on_one_server
@pytest.mark.long
async def test_the_loop_goes_on_and_an_old_run_is_taken_back_exactly(work: Workplace) -> None:
    assert work.run("init").code == 0
    old = work.value(OLD)
    refused = work.run("undo", str(old), "--yes")
    assert (refused.code, "The gallery moves." in refused.err) == (1, True)
    assert work.run("resume").code == 0
    await finish_the_run_that_was_held(work)
    impressions, ledger = set(work.rows(IMPRESSIONS)), set(work.rows(LEDGER))
    written = set(work.rows(f"{LEDGER} WHERE run_id = {old}"))
    assert written
    undone = work.run("undo", str(old), "--yes")
    assert undone.code == 0, undone
    assert set(work.rows(IMPRESSIONS)) == impressions - written
    assert set(work.rows(LEDGER)) == ledger - written


@pytest.mark.parametrize("revision", ["0004"], indirect=True)
def test_an_upgrade_that_a_process_at_work_stands_in_the_way_of_is_tried_again(
    work: Workplace,
) -> None:
    with psycopg.connect(work.conninfo) as busy:
        busy.execute("SET deadlock_timeout = '5min'")  # the upgrade finds out, and is taken back
        busy.execute("LOCK TABLE conservator.control IN ROW EXCLUSIVE MODE")
        with work.started("init") as init:
            init.until(lambda: work.value(WAITS) > 0)
            busy.execute("LOCK TABLE conservator.alert IN ACCESS SHARE MODE")
            busy.commit()
            done = init.ended(within=PATIENCE)
    assert done.code == 0, done
    assert f"is now at revision {REVISIONS[-1][:4]}" in done.words


@pytest.mark.parametrize("revision", EARLIER[-1:], indirect=True)
def test_a_schema_of_a_newer_version_is_left_alone(work: Workplace) -> None:
    assert work.run("init").code == 0
    work.rows("UPDATE conservator.schema_version SET version_num = '9999'")
    before = work.contents()
    for done in work.run_each(
        "serve", "init", "init --print-sql", "heal --yes", "undo 3 --yes", "pause", "resume", "runs"
    ):
        assert done.code == 1, done
        assert "is at revision 9999" in done.err
        assert "start the newer version" in done.err
    assert work.contents() == before


async def test_what_a_newer_version_adds_beside_this_one_is_passed_over(
    app_database_url: str,
) -> None:
    async with planted(app_database_url, users=3, artworks=4, **paced(4)) as (app, runtime):
        held = await heal_until(runtime, await plan(runtime), batches=1)
        await app.run("ALTER TABLE conservator.run ADD newer int NOT NULL DEFAULT 7")
        ended = await working(runtime, await claimed(runtime, held.run.id))
        assert (ended.run.state, ended.run.inserted) == (RunState.SUCCEEDED, 12)
        async with snapshot(runtime.engine, timeout=runtime.settings.lease) as connection:
            assert await list_runs(connection, runtime.state, limit=5) == (ended.run,)


async def finish_the_run_that_was_held(work: Workplace) -> None:
    """With the service, which counts, decides, heals and counts again."""
    held = work.value(HELD)

    def is_done() -> bool:
        status = service.board.current
        census = status.census
        return (
            status.leader
            and status.decision is not None
            and status.active_run is None
            and census is not None
            and census.legacy_untracked == 1  # that the database refuses
        )

    before = work.value(f"SELECT inserted FROM conservator.run WHERE id = {held}")
    checks = {"census": {"every": "500ms", "budget": None}}
    settings = await service_settings(work.url, checks=checks, healing={"mode": "heal"})
    async with running(Service(settings)) as service:
        await wait_until(is_done)
    ((state, inserted),) = work.rows(
        f"SELECT state, inserted FROM conservator.run WHERE id = {held}"
    )
    assert state in {RunState.SUCCEEDED, RunState.PARTIAL}
    assert inserted > before
