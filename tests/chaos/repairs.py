"""A table that repairs mend, for the same faults: rows deleted, updated and inserted, by a `find`
that is asked again for each batch and by one that the plan freezes. All of it is held against
copies that the database makes beforehand without the program: of the table as it is, as it is to
be, and as an undo is to leave it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import make_url

from tests.chaos.audit import Findings, unfinished
from tests.chaos.stage import cloned_aside
from tests.support.app import App, app_on
from tests.support.databases import APP
from tests.support.healing import make_runtime
from tests.support.ledger_audit import counter
from tests.support.postgres import PostgresServer
from tests.support.repairing import configured, mend

ROWS, WRONG, BATCH = 60, 25, 10
_TABLES = """
CREATE SCHEMA kept;
CREATE TABLE items (
    id int PRIMARY KEY, owner text NOT NULL, amount numeric(9, 2) NOT NULL, tags text[],
    made_at timestamptz NOT NULL, note text DEFAULT 'as given',
    twice numeric GENERATED ALWAYS AS (amount * 2) STORED
);
INSERT INTO items
SELECT n, 'o' || n % 7, CASE WHEN n % 12 < 5 THEN -n ELSE n END, ARRAY['a,b', NULL, n::text],
    '2024-03-31 01:30+00'::timestamptz + n * interval '1 hour 1 microsecond'
FROM generate_series(1, {rows}) AS n;
CREATE TABLE wanted AS
SELECT {rows} + n AS id, 'o' || n % 7 AS owner, n + 0.25 AS amount, now() AS made_at
FROM generate_series(1, {wrong}) AS n;
CREATE FUNCTION looked_up(text) RETURNS text LANGUAGE plpgsql IMMUTABLE COST 1000000
    AS 'BEGIN RETURN $1; END';
ANALYZE items, wanted;
CREATE TABLE kept.before AS TABLE items;
"""
# By a trigger, which alone can tell who wrote what, and how often.
_RECORD = """
CREATE TABLE kept.writes (n bigserial, who text, op text, id int, old items, new items);
CREATE FUNCTION kept.record() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
    INSERT INTO kept.writes (who, op, id, old, new)
    VALUES (current_setting('application_name'), TG_OP, coalesce(NEW.id, OLD.id), OLD, NEW);
    RETURN NULL;
END $$;
"""
_RECORDED = """
CREATE TRIGGER record AFTER INSERT OR UPDATE OR DELETE ON items
    FOR EACH ROW EXECUTE FUNCTION kept.record()
"""
_MENDED = {
    "delete": "SELECT * FROM kept.before WHERE amount >= 0",
    "update": "SELECT id, owner, m.amount::numeric(9, 2) AS amount, tags, made_at, note,"
    " m.amount * 2 AS twice FROM kept.before AS b, LATERAL"
    " (SELECT CASE WHEN b.amount < 0 THEN b.amount + 1000 ELSE b.amount END AS amount) AS m",
    "insert": "TABLE kept.before UNION ALL SELECT id, owner, amount, NULL, made_at, 'as given',"
    " amount * 2 FROM wanted",
}
# Every third of the rows that are there since, for the app has gone on.
_TOUCHED = """
UPDATE items SET note = 'touched' WHERE id % 3 = 0
    AND id IN (SELECT m.id FROM (TABLE kept.mended EXCEPT ALL TABLE kept.before) AS m);
CREATE TABLE kept.given_back AS
SELECT * FROM items WHERE note = 'touched' UNION ALL
SELECT * FROM kept.before WHERE id NOT IN (SELECT id FROM items WHERE note = 'touched');
TRUNCATE kept.writes
"""
_FIND = {
    "delete": "SELECT i.id FROM {} AS i WHERE i.amount < 0",
    "update": "SELECT i.id, i.amount + 1000 AS amount FROM {} AS i WHERE i.amount < 0",
    "insert": "SELECT i.id, i.owner, i.amount, i.made_at FROM {} AS i"
    " WHERE NOT EXISTS (SELECT FROM items AS t WHERE t.id = i.id)",
}
# No key can be taken inside a window, and the planner believes that it costs much.
_WHOLE = """(
    SELECT w.* FROM (
        SELECT s.*, count(*) OVER (PARTITION BY looked_up(s.owner)) AS alike FROM {} AS s
    ) AS w WHERE w.alike > 0
)"""


@dataclass(frozen=True, slots=True)
class RepairCase:
    """One repair of the table."""

    action: str
    asks_again: bool
    """Each batch asks `find`; else the plan has frozen what it named."""

    @property
    def name(self) -> str:
        """Of the repair, too."""
        return f"{self.action}_{'asked' if self.asks_again else 'frozen'}"

    @property
    def configuration(self) -> dict[str, Any]:
        """What the command is told of it."""
        table = "wanted" if self.action == "insert" else "items"
        find = _FIND[self.action].format(table if self.asks_again else _WHOLE.format(table))
        count = f"SELECT count(*) FROM ({find}) AS f"
        repair = configured(self.name, table="items", find=find, action=self.action)
        return {
            "repairs": [{**repair, "check": "items_wrong"}],
            "checks": {"sql": [{"name": "items_wrong", "query": count, "fail": "> 0"}]},
            "healing": {"pace": {"max_batch": BATCH, "batch_target": "1500ms"}},
        }


REPAIRS = tuple(
    RepairCase(action, asks_again) for action in _MENDED for asks_again in (True, False)
)


@asynccontextmanager
async def prepared(
    server: PostgresServer, case: RepairCase, *, mended: bool = False, times: int = 1
) -> AsyncIterator[str]:
    """The name of a database to clone: the table, its copies, our schema; where it is to be taken
    back, run 1 has mended it, and the app has touched some of its rows. `times`: as many rows."""
    tables = _TABLES.format(rows=ROWS * times, wrong=WRONG * times)
    async with cloned_aside(server, APP) as url:
        async with app_on(url) as app:
            await app.plant(users=1, artworks=1)
            await app.run(tables + f"CREATE TABLE kept.mended AS {_MENDED[case.action]}")
            await app.run(_RECORD)
            if case.asks_again or times > 1:
                # Without triggers a batch has fewer statements: the other form is played so.
                await app.run(_RECORDED)
            async with make_runtime(url, **case.configuration) as runtime:
                if mended:
                    assert (await mend(runtime, case.name)).run.inserted == WRONG
            if mended:
                await app.run(_TOUCHED)
        yield str(make_url(url).database)


_DIFFERENT = """
SELECT (SELECT count(*) FROM (TABLE kept.{0} EXCEPT ALL TABLE items) AS lost),
    (SELECT count(*) FROM (TABLE items EXCEPT ALL TABLE kept.{0}) AS strange),
    (SELECT count(*) FROM items)
"""
_WRITTEN_AGAIN = """
SELECT (SELECT count(*) - count(DISTINCT id) FROM kept.writes WHERE who = 'conservator')
    + (SELECT count(*) - count(DISTINCT key) FROM conservator.repaired_row)
"""
LISTED = """
SELECT (jsonb_populate_record(NULL::kept.before, l.{0})).* FROM conservator.repaired_row AS l
WHERE l.{0} IS NOT NULL
"""
"""The ledger's rows, as rows of the table."""
_LEDGER = f"""
WITH changed AS (TABLE kept.before EXCEPT ALL TABLE kept.mended),
left_as AS (TABLE kept.mended EXCEPT ALL TABLE kept.before),
was AS ({LISTED.format("before")}),
became AS ({LISTED.format("after")})
SELECT (SELECT count(*) FROM (TABLE changed EXCEPT ALL TABLE was) AS d)
    + (SELECT count(*) FROM (TABLE was EXCEPT ALL TABLE changed) AS d)
    + (SELECT count(*) FROM (TABLE left_as EXCEPT ALL TABLE became) AS d)
    + (SELECT count(*) FROM (TABLE became EXCEPT ALL TABLE left_as) AS d)
"""
_BOOKS = """
SELECT sum(r.inserted)::bigint, sum(r.batches)::bigint,
    (SELECT coalesce(sum(b.inserted), 0)::bigint FROM conservator.batch AS b
        WHERE b.run_id = ANY (array_agg(r.id))),
    (SELECT count(*) FROM conservator.batch AS b WHERE b.run_id = ANY (array_agg(r.id)))
FROM conservator.run AS r WHERE (r.undoes IS NOT NULL) = %(undo)s
"""
_STATES = """
SELECT CASE WHEN undoes IS NULL THEN 'repair' ELSE 'undo' END, state
FROM conservator.run ORDER BY id
"""
_STILL_LISTED = """
SELECT (SELECT array_agg((key ->> 'id')::int ORDER BY position) FROM conservator.repaired_row)
    IS DISTINCT FROM (SELECT array_agg(id ORDER BY id) FROM items WHERE note = 'touched')
"""
_SUSPENDED = "SELECT count(*) FROM conservator.repair_control WHERE suspended"


async def mended(case: RepairCase, app: App) -> Findings:
    """After a run: the table is as it is to be, and the ledger says what became of each row."""
    wrong, listed = await unfinished(app), await app.value(_COUNT)
    if await app.value(_ASKS_AGAIN) is not case.asks_again:
        wrong.append("the run does not have the form that is under test")
    if await app.rows(_STATES) != [("repair", "succeeded")]:
        wrong.append(f"runs: {await app.rows(_STATES)}")
    if strays := await app.value(_LEDGER):
        wrong.append(f"{strays} rows are not in the ledger as they were and are")
    written, batches = await books(app, "repair_rows", wrong, undo=False)
    if not written == listed == WRONG:
        wrong.append(f"{written} rows written, {listed} in the ledger, expected {WRONG}")
    return await _findings(app, "mended", listed, batches, wrong)


async def undone(_: RepairCase, app: App) -> Findings:
    """After the undo of run 1: every row is as before, but for those that the app has touched."""
    wrong = await unfinished(app)
    if await app.rows(_STATES) != [("repair", "succeeded"), ("undo", "succeeded")]:
        wrong.append(f"runs: {await app.rows(_STATES)}")
    if await app.value(_STILL_LISTED):
        wrong.append("the ledger does not list what was touched, and nothing else")
    if await app.value(_SUSPENDED) != 1:
        wrong.append("the repair is not suspended")
    taken, batches = await books(app, "repair_undone_rows", wrong, undo=True)
    if taken + (left := await app.value(_COUNT)) != WRONG:
        wrong.append(f"{taken} rows given back, {left} still listed, expected {WRONG} together")
    return await _findings(app, "given_back", taken, batches, wrong)


_COUNT = "SELECT count(*) FROM conservator.repaired_row"
_ASKS_AGAIN = "SELECT bool_and((repair_plan ->> 'asks_again')::boolean) FROM conservator.run"


async def books(app: App, total: str, wrong: list[str], *, undo: bool) -> tuple[int, int]:
    """Rows and batches of the repair's runs, or of their undos, on which all three agree."""
    [(rows, batches, in_batches, kept_batches)] = await app.rows(_BOOKS, undo=undo)
    told = await counter(app, total)
    if not (rows == in_batches == told and batches == kept_batches):
        wrong.append(
            f"the run says {rows} rows in {batches} batches, its {kept_batches} batches"
            f" {in_batches}, the total {told}"
        )
    return int(rows), int(batches)


async def _findings(app: App, copy: str, listed: int, batches: int, wrong: list[str]) -> Findings:
    [(lost, strange, there)] = await app.rows(_DIFFERENT.format(copy))
    if strange:
        wrong.append(f"{strange} rows are there that should not be, or be so")
    doubled = await app.value(_WRITTEN_AGAIN)
    return Findings(there + listed, batches, lost, doubled, tuple(wrong))
