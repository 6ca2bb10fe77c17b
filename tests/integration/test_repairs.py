"""What a repair mends and an undo gives back, and what neither touches."""

from __future__ import annotations

from datetime import timedelta

import pytest

from monitor.database import transaction
from monitor.state.history import prune
from monitor.state.runs import RunKind, RunState
from tests.support.app import app_on
from tests.support.healing import make_runtime
from tests.support.repairing import configured, mend, previewed, take_back

ORPHANS = configured(
    "orphans",
    table="loose",
    find="SELECT l.id FROM loose l LEFT JOIN users u ON u.id = l.user_id WHERE u.id IS NULL",
    action="delete",
)
TOTALS = configured(
    "totals",
    table="totals",
    find="SELECT t.user_id, count(l.id)::int AS views FROM totals t"
    " LEFT JOIN loose l ON l.user_id = t.user_id GROUP BY t.user_id, t.views"
    " HAVING t.views <> count(l.id)",
    action="update",
)
MISSING = configured(
    "missing",
    table="totals",
    find="SELECT u.id AS user_id, 7 AS views FROM users u"
    " WHERE NOT EXISTS (SELECT 1 FROM totals t WHERE t.user_id = u.id)",
    action="insert",
)
TABLES = """
CREATE TABLE loose (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, user_id text, at timestamptz
    NOT NULL DEFAULT '2024-01-01 00:00:00.123456+02', tags text[] DEFAULT '{a,NULL}',
    twice bigint GENERATED ALWAYS AS (id * 2) STORED);
INSERT INTO users (id) SELECT 'u' || n FROM generate_series(1, 40) AS n;
INSERT INTO loose (user_id) SELECT 'u' || n FROM generate_series(1, 100) AS n;
CREATE TABLE totals (user_id text PRIMARY KEY, views int, note text);
INSERT INTO totals SELECT 'u' || n, n % 3, 'n' || n FROM generate_series(1, 30) AS n;
"""
REPAIRS = {"repairs": [ORPHANS, TOTALS, MISSING]}
SMALL = {"healing": {"pace": {"max_batch": 7}}}


@pytest.mark.parametrize(
    ("name", "table", "rows"),
    [("orphans", "loose", 60), ("totals", "totals", 20), ("missing", "totals", 10)],
)
async def test_a_repair_mends_what_find_names_and_its_undo_gives_all_back(
    app_database_url: str, name: str, table: str, rows: int
) -> None:
    async with app_on(app_database_url) as app:
        await app.run(TABLES)
        first = await app.fingerprint("loose", "totals", "users")
        async with make_runtime(app_database_url, **REPAIRS, **SMALL) as runtime:
            found = await previewed(runtime, name)
            assert (found.named, len(found.shown)) == (rows, min(rows, 20))
            done = (await mend(runtime, name)).run
            assert (done.kind, done.repair) == (RunKind.REPAIR, name)
            assert (done.state, done.inserted, done.remaining) == (RunState.SUCCEEDED, rows, 0)
            assert done.batches == -(-rows // 7)
            assert (await previewed(runtime, name)).named == 0
            mended = await app.fingerprint("loose", "totals", "users")
            assert [one for one in mended if mended[one] != first[one]] == [table]
            undone = await take_back(runtime, done.id)
            assert undone is not None
            assert (undone.run.state, undone.run.inserted) == (RunState.SUCCEEDED, rows)
            assert await app.fingerprint("loose", "totals", "users") == first
            assert await app.value("SELECT count(*) FROM conservator.repaired_row") == 0
            assert await app.rows("SELECT repair, suspended FROM conservator.repair_control") == [
                (name, True)
            ]
            assert await take_back(runtime, done.id) is None


@pytest.mark.parametrize("name", ["totals", "missing"])
async def test_what_was_touched_since_stays_and_what_is_gone_is_forgotten(
    app_database_url: str, name: str
) -> None:
    async with app_on(app_database_url) as app:
        await app.run(TABLES)
        first = await app.rows("SELECT user_id, t::text FROM totals AS t ORDER BY 1")
        async with make_runtime(app_database_url, **REPAIRS, **SMALL) as runtime:
            done = (await mend(runtime, name)).run
            mended = [
                key
                for (key,) in await app.rows(
                    "SELECT key ->> 'user_id' FROM conservator.repaired_row ORDER BY position"
                )
            ]
            touched, gone, *rest = mended
            await app.run(f"UPDATE totals SET note = 'mine' WHERE user_id = '{touched}'")
            await app.run(f"DELETE FROM totals WHERE user_id = '{gone}'")
            undone = await take_back(runtime, done.id)
            assert undone is not None
            assert (undone.run.state, undone.run.inserted) == (RunState.SUCCEEDED, len(rest))
            assert "1 have been touched since and stay, 1 are gone." in undone.run.outcome
            last = dict(await app.rows("SELECT user_id, t::text FROM totals AS t ORDER BY 1"))
            before = dict(first)
            assert last.pop(touched).endswith(",mine)")
            assert gone not in last
            assert last == {key: row for key, row in before.items() if key not in (touched, gone)}
            left = "SELECT key ->> 'user_id' FROM conservator.repaired_row"
            assert await app.rows(left) == [(touched,)]


async def test_what_was_changed_is_forgotten_with_its_run_and_not_before(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app:
        await app.run(TABLES)
        async with make_runtime(app_database_url, **REPAIRS) as runtime:
            runs = [(await mend(runtime, name)).run.id for name in ("missing", "totals")]
            await app.run(
                "UPDATE conservator.run SET finished_at = now() - interval '91 days'"
                f" WHERE id = {runs[0]}"
            )
            async with transaction(runtime.engine, timeout=timedelta(seconds=10)) as connection:
                await prune(connection, runtime.state, timedelta(days=90))
            listed = "SELECT run_id, count(*) FROM conservator.repaired_row GROUP BY run_id"
            assert await app.rows(listed) == [(runs[1], 30)]


async def test_the_table_may_have_another_name_by_the_time_of_the_undo(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app:
        await app.run(TABLES)
        first = await app.fingerprint("loose")
        async with make_runtime(app_database_url, **REPAIRS) as runtime:
            done = (await mend(runtime, "orphans")).run
            await app.run("ALTER TABLE loose RENAME TO loosened")
            # Of `find` and of columns that came since nothing is needed.
            await app.run("ALTER TABLE loosened ADD COLUMN more int; DROP TABLE totals CASCADE")
            undone = await take_back(runtime, done.id)
            assert undone is not None and undone.run.inserted == 60
            await app.run("ALTER TABLE loosened DROP COLUMN more")
            assert [*(await app.fingerprint("loosened")).values()] == [*first.values()]
