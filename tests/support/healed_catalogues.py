"""A heal run and its undo over random tables of any configuration: what was written, row by row,
alone and while the app marks, unmarks, deletes and inserts the same pairs."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg

from monitor.healing.planner import Occasion
from monitor.runtime import Runtime
from monitor.state.runs import RunState, Trigger
from tests.support.any_shape import shape_runtime
from tests.support.app import App, app_on, conninfo
from tests.support.healing import UNLIMITED
from tests.support.random_catalogues import (
    TABLES,
    Right,
    Shape,
    questions,
    random_rows,
    random_shape,
    right,
)

Row = Mapping[str, Any]
Marks = Mapping[int, Row]
"""The impressions by `nr`."""

_AUDIT = """
CREATE TABLE log (id bigint GENERATED ALWAYS AS IDENTITY, who text, op text, nr bigint,
    before jsonb, after jsonb);
CREATE FUNCTION write_log() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET timezone = 'UTC' AS $$
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
_TRIES = 5
_LEDGER = "SELECT user_id::text, artwork_id::text FROM conservator.backfilled_impression"


def make_tables(url: str) -> None:
    """Once in a database."""
    with psycopg.connect(conninfo(url), autocommit=True) as connection:
        connection.execute((TABLES + _AUDIT).encode())


@dataclass(frozen=True)
class Stage:
    """A database with the rows, and the tools for them."""

    app: App
    runtime: Runtime
    shape: Shape

    async def right(self) -> Right:
        """What the plain anti-join says now."""
        return await ask_oracle(self.app, self.shape)

    async def marks(self) -> Marks:
        """Every impression as it is now."""
        return {row["nr"]: row for (row,) in await self.app.rows("SELECT to_jsonb(m) FROM marks m")}

    async def heal(
        self, *, among_writers: bool = False, occasion: Occasion | None = None
    ) -> int | None:
        """A whole run; None where there is nothing to write. Among writers it may end before all
        is written: there is always more. `occasion`: as the loop plans it."""
        planned = await self.runtime.planner.plan_audience(
            self.runtime.run_owner(Trigger.COMMAND if occasion is None else Trigger.SCHEDULE),
            reason="a test",
            max_rows=UNLIMITED,
            guard=lambda _census, _control: None,
            occasion=occasion,
        )
        if planned.run is None:
            return None
        ended = await self.runtime.executor(lambda _: None).work(planned.run)
        ends = (RunState.SUCCEEDED, *([RunState.PARTIAL] if among_writers else []))
        assert ended.run.state in ends, (ended.run.outcome, self.shape)
        return ended.run.id

    async def undo(self, run_id: int, *, among_writers: bool = False) -> None:
        """A whole undo, unless there is nothing to take back."""
        planned = await self.runtime.undo_planner.plan(
            self.runtime.run_owner(Trigger.COMMAND), run_id, reason="a test"
        )
        if planned is not None:
            ended = await self.runtime.executor(lambda _: None).work(planned.run)
            ends = (RunState.SUCCEEDED, *([RunState.PARTIAL] if among_writers else []))
            assert ended.run.state in ends, ended.run.outcome


def writable(shape: Shape, found: Right) -> list[tuple[str, str]]:
    """The pairs that a run has to write: not those whose row is there and is left alone."""
    return sorted(pair for pair in found.legacy if not (shape.leaves and pair in found.present))


async def set_up(
    app: App, chance: random.Random, *, leaves: bool = False, wide: bool = False
) -> Shape:
    """Random tables of a random configuration, and no schema of ours; as a rule, something is
    missing. `leaves`: rows that do not count are left alone. `wide`: every user is paired with
    every artwork."""
    for _ in range(_TRIES):
        now = datetime.now(UTC)
        shape = random_shape(chance, now)
        while (leaves and not shape.leaves) or (wide and not shape.is_wide):
            shape = random_shape(chance, now)
        rows = random_rows(chance, shape, now)
        await app.run(_EMPTY)
        await app.run(shape.ddl)
        if rows.script:
            await app.run(rows.script)
        if writable(shape, await ask_oracle(app, shape)):
            break
    return shape


async def ask_oracle(app: App, shape: Shape) -> Right:
    """What the plain anti-join says now."""
    pairs, members = questions(shape)
    return right(await app.rows(pairs), await app.rows(members), 0)


def settings_of(shape: Shape) -> dict[str, Any]:
    before = shape.pools.legacy_created_before
    return {
        "catalog": dict(shape.catalog),
        "pools": {
            "audience": shape.pools.audience.value,
            "legacy_created_before": None if before is None else before.isoformat(),
        },
        "healing": {"pace": {"max_batch": 3}},
    }


async def heal_and_undo(url: str, seed: int) -> int:
    """Heal, let the app touch some of what was written, undo; the number of rows written. Raises
    AssertionError where a row is not as it should be."""
    chance = random.Random(seed)
    async with app_on(url) as app:
        shape = await set_up(app, chance)
        async with shape_runtime(url, **settings_of(shape)) as runtime:
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
            kept = await _touch(app, [nr for nr in after if after[nr] != before.get(nr)], chance)
            wanted = {**before, **{nr: row for nr, row in (await at.marks()).items() if nr in kept}}
            await at.undo(run)
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
FROM unnest(%(kinds)s::text[]) AS kind WHERE random() < 0.4 ON CONFLICT DO NOTHING
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
    done = 0
    async with app_on(url) as app:
        while not stop.is_set():
            done += await write_once(app, shape, chance)
            await asyncio.sleep(0)
    return done


async def write_once(
    app: App,
    shape: Shape,
    chance: random.Random,
    pair: tuple[int, int] | None = None,
    *,
    loses: bool = False,
) -> bool:
    """One of them, about any pair unless it is given; False where it came to nothing. `loses`: an
    impression goes, or counts no more."""
    losses = [f"UPDATE marks SET {_UNMARK[shape.counts]} {_ONE}"] * 4
    losses += [f"DELETE FROM marks {_ONE}"] * 3
    statements = [
        *losses,
        *[_VIEW] * 2,
        *[f"UPDATE marks SET {_MARK[shape.counts]} {_ONE}"] * 2,
        _NEW_PIECE,
        _SHOW,
        f"DELETE FROM shown {_ONE}",
        "DELETE FROM pieces WHERE id = %(piece)s AND id > 5",
    ]
    user, piece = pair or (chance.randint(1, 5), chance.randint(1, 16))
    try:
        chosen = chance.choice(losses if loses else statements)
        await app.run(chosen, kinds=[*shape.kinds], user=user, piece=piece)
    except (psycopg.errors.DeadlockDetected, psycopg.errors.UniqueViolation):
        return False
    return True


async def heal_among_writers(
    url: str, seed: int, listing: Callable[[Runtime], Awaitable[Occasion]] | None = None
) -> int:
    """Heal and undo while the app writes, then in silence; the number of rows of ours that were
    looked at. Raises AssertionError where one is not as it should be. `listing`: what each heal
    that is among writers is planned from."""
    async with app_on(url) as app:
        shape = await set_up(app, random.Random(seed))
        async with shape_runtime(url, **settings_of(shape)) as runtime:
            at, stop = Stage(app, runtime, shape), asyncio.Event()
            writers = [
                asyncio.create_task(write_as_app(url, shape, random.Random(seed + n), stop))
                for n in range(2)
            ]
            try:
                done = []
                for _ in range(3):
                    occasion = None if listing is None else await listing(runtime)
                    run = await at.heal(among_writers=True, occasion=occasion)
                    done += [] if run is None else [run]
                if done:
                    await at.undo(done[0], among_writers=True)
            finally:
                stop.set()
                await asyncio.gather(*writers)
            return await _audit(at, done)


async def _audit(at: Stage, runs: list[int]) -> int:
    """In silence: everything that is legacy is written, and every write of ours was right."""
    run = await at.heal()
    assert writable(at.shape, await at.right()) == [], (at.shape, run)
    for one in [*runs, *([] if run is None else [run])]:
        await at.undo(one)
    log = await at.app.rows(
        "SELECT op, nr, before, after FROM log WHERE who = %(who)s ORDER BY id", who="conservator"
    )
    written: dict[int, Row] = {}
    for op, nr, before, after in log:
        if op == "DELETE" or (nr in written and _as_written(at.shape, before, written[nr])):
            # An undo, of a row of ours that is still as it was written.
            mine = written.pop(nr)
            assert _as_written(at.shape, before, mine), (op, before, mine, at.shape)
            assert op == "DELETE" or not _COUNTED[at.shape.counts](after)
            continue
        assert _COUNTED[at.shape.counts](after), after
        if op == "UPDATE":
            _assert_brought(at.shape, before, after)
        written[nr] = after
    last = dict(await at.app.rows("SELECT nr, who FROM log ORDER BY id"))
    assert [nr for nr in written if last[nr] == "conservator"] == []
    return len(log)


def _assert_brought(shape: Shape, before: Row, after: Row) -> None:
    given = shape.catalog["impressions"]
    assert given["where"] is None or before["kind"] == "print", before
    assert not _COUNTED[shape.counts](before), before
    assert {key for key in before if before[key] != after[key]} <= {*given["set"]}


_COUNTED: Mapping[str, Callable[[Row], bool]] = {
    "true": lambda _: True,
    "seen": lambda row: bool(row["seen"]),
    "looked IS NOT NULL": lambda row: row["looked"] is not None,
    "looked_us > 0": lambda row: (row["looked_us"] or 0) > 0,
}


def _as_written(shape: Shape, row: Row, written: Row) -> bool:
    """The app has not touched it. By the moment alone where rows are only added to a table that
    has one."""
    given = shape.catalog["impressions"]
    if given["viewed_at"] == "looked" and not (given["set"] or given["several"]):
        return bool(row["looked"] == written["looked"])
    return row == written
