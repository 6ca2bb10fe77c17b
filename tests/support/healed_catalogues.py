"""A heal run and its undo over random tables of any configuration: what was written, row by row,
alone and while the app marks, unmarks, deletes and inserts the same pairs."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from monitor.runtime import Runtime
from monitor.state.runs import RunState, Trigger
from tests.support.any_shape import shape_runtime
from tests.support.app import App, app_on
from tests.support.healing import UNLIMITED
from tests.support.random_catalogues import Right, Rows, Shape, questions, right
from tests.support.undoing import undo

Row = Mapping[str, Any]
Marks = Mapping[int, Row]
"""The impressions by `nr`."""

AUDIT = """
CREATE TABLE log (id bigint GENERATED ALWAYS AS IDENTITY, who text, op text, nr bigint,
    before jsonb, after jsonb);
CREATE FUNCTION write_log() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO log (who, op, nr, before, after) VALUES (current_setting('application_name'), TG_OP,
        CASE TG_OP WHEN 'DELETE' THEN OLD.nr ELSE NEW.nr END, to_jsonb(OLD), to_jsonb(NEW));
    RETURN NULL;
END $$;
CREATE TRIGGER log AFTER INSERT OR UPDATE OR DELETE ON marks
    FOR EACH ROW EXECUTE FUNCTION write_log();
"""
_EMPTY = """
DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT indexrelid::regclass FROM pg_index
        WHERE indrelid = 'marks'::regclass AND NOT indisprimary
    LOOP EXECUTE 'DROP INDEX ' || name; END LOOP;
    IF to_regclass('conservator.run') IS NOT NULL THEN DROP SCHEMA conservator CASCADE; END IF;
END $$;
TRUNCATE people, pieces, marks, shown, log;
"""
_LEDGER = "SELECT user_id::text, artwork_id::text FROM conservator.backfilled_impression"


@dataclass(frozen=True)
class Stage:
    """A database with the rows, and the tools for them."""

    app: App
    runtime: Runtime
    shape: Shape

    async def right(self) -> Right:
        """What the plain anti-join says now."""
        pairs, members = questions(self.shape)
        return right(await self.app.rows(pairs), await self.app.rows(members), 0)

    async def marks(self) -> Marks:
        """Every impression as it is now."""
        return {row["nr"]: row for (row,) in await self.app.rows("SELECT to_jsonb(m) FROM marks m")}

    async def heal(self) -> int | None:
        """A whole run; None where there is nothing to write."""
        planned = await self.runtime.planner.plan_audience(
            self.runtime.run_owner(Trigger.COMMAND),
            reason="a test",
            max_rows=UNLIMITED,
            guard=lambda _census, _control: None,
        )
        if planned.run is None:
            return None
        ended = await self.runtime.executor(lambda _: None).work(planned.run)
        assert ended.run.state is RunState.SUCCEEDED, ended.run.outcome
        return ended.run.id


def writable(shape: Shape, found: Right) -> list[tuple[str, str]]:
    """The pairs that a run has to write: not those whose row is there and is left alone."""
    leaves = shape.counts != "true" and not shape.is_set
    return sorted(pair for pair in found.legacy if not (leaves and pair in found.present))


async def stage(app: App, shape: Shape, rows: Rows) -> None:
    """The tables as the example wants them, and no schema of ours."""
    await app.run(_EMPTY)
    await app.run(shape.ddl)
    if rows.script:
        await app.run(rows.script)


def _settings(shape: Shape) -> dict[str, Any]:
    before = shape.pools.legacy_created_before
    return {
        "catalog": dict(shape.catalog),
        "pools": {
            "audience": shape.pools.audience.value,
            "legacy_created_before": None if before is None else before.isoformat(),
        },
        "healing": {"pace": {"max_batch": 3}},
    }


async def heal_and_undo(url: str, shape: Shape, rows: Rows, touched: random.Random) -> int:
    """Heal, let the app touch some of what was written, undo; the number of rows written. Raises
    AssertionError where a row is not as it should be."""
    async with app_on(url) as app:
        await stage(app, shape, rows)
        async with shape_runtime(url, **_settings(shape)) as runtime:
            at = Stage(app, runtime, shape)
            found, before = await at.right(), await at.marks()
            expected = writable(shape, found)
            run = await at.heal()
            assert (run is None) == (not expected)
            if run is None:
                return 0
            after = await at.marks()
            _assert_written(shape, before, after, expected)
            states = (await at.right()).census.states
            assert states == {**found.census.states, **dict.fromkeys(expected, "tracked")}
            assert sorted(await app.rows(_LEDGER)) == expected
            kept = await _touch(app, [nr for nr in after if after[nr] != before.get(nr)], touched)
            wanted = {**before, **{nr: row for nr, row in (await at.marks()).items() if nr in kept}}
            await undo(runtime, run)
            assert await at.marks() == wanted
            return len(expected)


def _assert_written(
    shape: Shape, before: Marks, after: Marks, expected: Sequence[tuple[str, str]]
) -> None:
    """One row for each pair: the newest of those that are there, where `set` brings it to count, or
    else a new one."""
    given = shape.catalog["impressions"]
    assert before.keys() <= after.keys()
    written = [nr for nr in after if after[nr] != before.get(nr)]
    assert sorted(_pair(after[nr]) for nr in written) == expected
    for nr in written:
        there = [row for row in before.values() if _pair(row) == _pair(after[nr])]
        if given["where"] is not None:
            there = [row for row in there if row["kind"] == "print"]
        if "wing" in {**given["defaults"], **given["set"]} and nr not in before:
            assert str(after[nr]["wing"]) == _pair(after[nr])[1]
        if nr in before:
            assert nr == max(there, key=lambda row: _newest(given["viewed_at"], row))["nr"]
            changed = {key for key in before[nr] if before[nr][key] != after[nr][key]}
            assert changed <= {*given["set"]}
        else:
            assert after[nr]["kind"] == "print"
            assert not (shape.is_set and there)


def _pair(row: Row) -> tuple[str, str]:
    return str(row["person"]), str(row["piece"])


def _newest(viewed: object, row: Row) -> tuple[bool, Any, int]:
    moment = {"looked": row["looked"], None: None}.get(
        viewed if isinstance(viewed, str | None) else "", row["looked_us"]
    )
    key = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return moment is not None, key if moment is not None else 0, row["nr"]


async def _touch(app: App, written: Sequence[int], chance: random.Random) -> set[int]:
    """The app views some of them again."""
    kept = {nr for nr in written if chance.random() < 0.3}
    for nr in kept:
        await app.run(
            "UPDATE marks SET stars = 9, looked = looked + interval '1 second' WHERE nr = %(nr)s",
            nr=nr,
        )
    return kept


# Among writers

_MARK = {
    "true": "stars = 5",
    "seen": "seen = true",
    "looked IS NOT NULL": "looked = clock_timestamp()",
    "looked_us > 0": "looked_us = (extract(epoch FROM clock_timestamp()) * 1000000)::bigint",
}
_UNMARK = {
    "true": "stars = NULL",
    "seen": "seen = false",
    "looked IS NOT NULL": "looked = NULL",
    "looked_us > 0": "looked_us = 0",
}
_VIEW = """
INSERT INTO marks (person, piece, kind, seen, looked, looked_us)
SELECT %(user)s, %(piece)s, kind, true, clock_timestamp(), 1
FROM (VALUES ('print'), ('film')) AS k (kind) WHERE random() < 0.6 ON CONFLICT DO NOTHING
"""
_NEW_PIECE = """
INSERT INTO pieces (id, made, made_us, made_wall, team, "Club", owner, note, wing)
SELECT n, m, (extract(epoch FROM m) * 1000000)::bigint, m AT TIME ZONE 'UTC', 1, 'x', 1, 'on', n
FROM (SELECT %(piece)s + 10 AS n, now() - interval '20 days' AS m) AS new ON CONFLICT DO NOTHING
"""
_SHOW = "INSERT INTO shown (person, piece, ok) VALUES (%(user)s, %(piece)s, true)"
_ONE = "WHERE person = %(user)s AND piece = %(piece)s"


async def write_as_app(url: str, shape: Shape, chance: random.Random, stop: asyncio.Event) -> int:
    """Statements of an app over the same pairs, as fast as they go, until told to stop."""
    mark, unmark = _MARK[shape.counts], _UNMARK[shape.counts]
    statements = [
        *[_VIEW] * 2,
        *[f"UPDATE marks SET {mark} {_ONE}"] * 2,
        *[f"UPDATE marks SET {unmark} {_ONE}"] * 4,
        *[f"DELETE FROM marks {_ONE}"] * 3,
        _NEW_PIECE,
        _SHOW,
        f"DELETE FROM shown {_ONE}",
        "DELETE FROM pieces WHERE id = %(piece)s AND id > 5",
    ]
    done = 0
    async with app_on(url) as app:
        while not stop.is_set():
            given = {"user": chance.randint(1, 5), "piece": chance.randint(1, 16)}
            try:
                await app.run(chance.choice(statements), **given)
            except (psycopg.errors.DeadlockDetected, psycopg.errors.UniqueViolation):
                continue
            done += 1
            await asyncio.sleep(0)
    return done


async def heal_among_writers(url: str, shape: Shape, rows: Rows, seed: int) -> int:
    """Heal and undo while the app writes, then in silence; the number of rows of ours that were
    looked at. Raises AssertionError where one is not as it should be."""
    async with app_on(url) as app:
        await stage(app, shape, rows)
        async with shape_runtime(url, **_settings(shape)) as runtime:
            at, stop, runs = Stage(app, runtime, shape), asyncio.Event(), []
            writers = [
                asyncio.create_task(write_as_app(url, shape, random.Random(seed + n), stop))
                for n in range(2)
            ]
            try:
                for _ in range(3):
                    runs.append(await at.heal())
                done = [run for run in runs if run is not None]
                if done:
                    await undo(runtime, done.pop(0))
            finally:
                stop.set()
                await asyncio.gather(*writers)
            return await _audit(at, done)


async def _audit(at: Stage, runs: list[int]) -> int:
    """In silence: everything that is legacy is written, and every write of ours was right."""
    run = await at.heal()
    assert writable(at.shape, await at.right()) == []
    for one in [*runs, *([] if run is None else [run])]:
        await undo(at.runtime, one)
    assert await at.app.rows(_LEDGER + " WHERE false") == []
    last: dict[int, tuple[str, Row | None]] = {}
    ours = 0
    given = at.shape.catalog["impressions"]
    for who, op, nr, before, after in await at.app.rows(
        "SELECT who, op, nr, before, after FROM log ORDER BY id"
    ):
        if who == "conservator":
            ours += 1
            if op == "DELETE" or (op == "UPDATE" and last.get(nr, ("", None))[0] == "conservator"):
                # An undo: of a row of ours, as it was written.
                assert last[nr] == ("conservator", before)
                last[nr] = ("undone", after)
                continue
            if op == "UPDATE":
                assert given["where"] is None or before["kind"] == "print"
                assert {k for k in before if before[k] != after[k]} <= {*given["set"]}
            last[nr] = (who, after)
        else:
            last[nr] = (who, after)
    assert [nr for nr, (who, row) in last.items() if who == "conservator" and row] == []
    return ours
