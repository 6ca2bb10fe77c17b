"""A database that an earlier version has worked on is taken up as it is: `data/state_0004.sql`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest

from monitor.database import snapshot
from monitor.service.service import Service
from monitor.state.runs import RunState, list_runs
from tests.support.commands import Workplace
from tests.support.healing import (
    claimed,
    heal_until,
    paced,
    plan,
    planted,
    service_settings,
    working,
)
from tests.support.services import running
from tests.support.waiting import wait_until

DUMP = Path(__file__).parent / "data" / "state_0004.sql"
OLD, HELD = 3, 5
"""A run that ended, and one that was put down in the middle."""
FORGOTTEN_TABLES = frozenset({"conservator.schema_version", "conservator.alert"})
FORGOTTEN_COLUMNS = {"conservator.check_status": {"since"}}
"""What a later revision keeps no more."""
NEW_TABLES = {
    f"conservator.{name}"
    for name in ("repair_control", "repair_status", "repair_work", "repaired_row")
}
TABLES = """
SELECT c.oid::regclass::text FROM pg_class AS c
WHERE c.relkind = 'r' AND c.relnamespace::regnamespace::text IN ('conservator', 'public')
"""
IMPRESSIONS = "SELECT user_id, artwork_id, viewed_at::text FROM public.user_art_impressions"
LEDGER = "SELECT user_id, artwork_id, viewed_at::text FROM conservator.backfilled_impression"
Row = dict[str, Any]


@pytest.fixture
def work(database_url: str, tmp_path: Path) -> Workplace:
    """The database as it was left, with a configuration like the one that it was left with."""
    work = Workplace(tmp_path, database_url).configure()
    with psycopg.connect(work.conninfo, autocommit=True) as connection:
        connection.execute(DUMP.read_bytes())
    return work


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


def test_every_row_is_the_same_after_an_upgrade(work: Workplace) -> None:
    before = kept(work)
    done = work.run("init")
    assert done.code == 0, done
    after = kept(work)
    assert set(after) == {*before, *NEW_TABLES}
    assert not any(after[table] for table in NEW_TABLES)
    assert [table for table, rows in before.items() if not rows] == ["conservator.run_wait"]
    for table, rows in before.items():
        names = {name for row in rows for name in row}
        assert sorted((within(row, names) for row in after[table]), key=json.dumps) == rows, table
    assert "was already at revision" in work.run("init").words


def test_runs_are_listed_as_they_were(work: Workplace) -> None:
    assert work.run("init").code == 0
    listed = work.run("runs", "--json").json["runs"]
    assert [(r["id"], r["kind"], r["state"], r["inserted"], r["undoes"]) for r in listed] == [
        (5, "heal", "held", 1, None),
        (4, "user", "succeeded", 11, None),
        (3, "heal", "partial", 11, None),
        (2, "undo", "succeeded", 4, 1),
        (1, "heal", "succeeded", 4, None),
    ]
    one = work.run("runs", str(OLD), "--json").json
    assert sum(batch["inserted"] for batch in one["batches"]) == 11
    [aside] = one["quarantine"]
    assert (aside["user_id"], aside["artwork_id"]) == ("u0002", "old0003")


async def test_the_loop_goes_on_and_an_old_run_is_taken_back_exactly(work: Workplace) -> None:
    assert work.run("init").code == 0
    refused = work.run("undo", str(OLD), "--yes")
    assert (refused.code, "The gallery moves." in refused.err) == (1, True)
    assert work.run("resume").code == 0
    await finish_the_run_that_was_held(work)
    impressions, ledger = set(work.rows(IMPRESSIONS)), set(work.rows(LEDGER))
    written = set(work.rows(f"{LEDGER} WHERE run_id = {OLD}"))
    assert len(written) == 11
    undone = work.run("undo", str(OLD), "--yes")
    assert undone.code == 0, undone
    assert set(work.rows(IMPRESSIONS)) == impressions - written
    assert set(work.rows(LEDGER)) == ledger - written


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

    checks = {"census": {"every": "500ms", "budget": None}}
    settings = await service_settings(work.url, checks=checks, healing={"mode": "heal"})
    async with running(Service(settings)) as service:
        await wait_until(is_done)
    ((state, inserted),) = work.rows(
        f"SELECT state, inserted FROM conservator.run WHERE id = {HELD}"
    )
    assert (state, inserted) == (RunState.PARTIAL, 5)
