"""A small gallery whose impressions have any shape, an app that writes there at full speed, and an
audit of every change of a row, by whom."""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import dataclass
from typing import Any

from psycopg import errors

from tests.support.app import App, app_on

SCHEMA = """
CREATE TABLE people (id int PRIMARY KEY);
CREATE TABLE works (id int PRIMARY KEY, made timestamptz NOT NULL);
CREATE TABLE looks (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind text NOT NULL DEFAULT 'work',
    person int NOT NULL, work int NOT NULL, seen timestamptz, note text
);
CREATE INDEX ON looks (person, work);
CREATE VIEW work_looks AS SELECT * FROM looks WHERE kind = 'work';
CREATE TABLE audit (n bigserial, who text, op text, row_id bigint, before jsonb, after jsonb);
CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET timezone = 'UTC' AS $$
BEGIN
    INSERT INTO audit (who, op, row_id, before, after) VALUES (
        current_setting('application_name'), TG_OP, coalesce(NEW.id, OLD.id),
        CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END,
        CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END
    );
    RETURN NULL;
END $$;
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON looks
    FOR EACH ROW EXECUTE FUNCTION audit();
"""
_ANEW = """
TRUNCATE audit, looks, works, people, conservator.backfilled_impression, conservator.quarantine;
INSERT INTO people SELECT generate_series(1, {people});
INSERT INTO works SELECT n, now() - interval '30 days' FROM generate_series(1, {works}) AS n;
INSERT INTO looks (person, work, seen) SELECT n, 1, now() FROM generate_series(1, {people}) AS n;
INSERT INTO looks (kind, person, work, seen, note)
SELECT r.kind, r.person, r.work, CASE WHEN r.seen THEN now() END, r.note
FROM json_to_recordset('{rows}') AS r (kind text, person int, work int, seen boolean, note text)
ON CONFLICT DO NOTHING;
TRUNCATE audit;
"""
_EVERYDAY = (errors.UniqueViolation, errors.DeadlockDetected)
_OF_PAIR = "person = %(person)s AND work = %(work)s"
_ACTS = {
    "mark": f"UPDATE looks SET seen = clock_timestamp() WHERE {_OF_PAIR}",
    "unmark": f"UPDATE looks SET seen = NULL WHERE {_OF_PAIR}",
    "note": f"UPDATE looks SET note = %(note)s WHERE {_OF_PAIR}",
    "delete": f"DELETE FROM looks WHERE {_OF_PAIR} AND work <> 1",
    "view": "INSERT INTO looks (person, work, seen) VALUES (%(person)s, %(work)s, now())"
    " ON CONFLICT DO NOTHING",
    "unseen": "INSERT INTO looks (person, work) VALUES (%(person)s, %(work)s)"
    " ON CONFLICT DO NOTHING",
}


@dataclass(frozen=True)
class Shape:
    """How the impressions are described, and what makes a pair unique, if anything does."""

    name: str
    impressions: dict[str, Any]
    index: str = ""

    @property
    def catalog(self) -> dict[str, Any]:
        """The configuration."""
        return {
            "artworks": {"table": "works", "id": "id", "created_at": "made"},
            "users": {"table": "people", "id": "id"},
            "impressions": {"user": "person", "artwork": "work", **self.impressions},
        }


_STATUS = {"viewed_at": "seen", "counts": "seen IS NOT NULL", "set": {"seen": "viewed_at"}}
SHAPES = (
    Shape(
        "status",
        {"table": "looks", **_STATUS},
        "CREATE UNIQUE INDEX one ON looks (person, work)",
    ),
    Shape(
        "several",
        {"table": "looks", "where": "kind = 'work'", "several": True, **_STATUS},
    ),
    Shape("timeless", {"table": "looks", "viewed_at": None, "several": True}),
    Shape("view", {"table": "work_looks", "several": True, "key": ["id"], **_STATUS}),
)


async def fill(app: App, people: int, works: int, rows: list[dict[str, object]]) -> None:
    """Everything anew: each person has seen the first work, and `rows` are there besides."""
    await app.run(_ANEW.format(people=people, works=works, rows=json.dumps(rows)))


async def write(url: str, people: int, works: int, seed: int, *, acts: int) -> None:
    """Mark, unmark, note, delete and insert, so often: with more, nothing would be untouched."""
    luck = random.Random(seed)
    async with app_on(url) as app:
        for _ in range(acts):
            act = luck.choice(list(_ACTS))
            values = {"person": luck.randint(1, people), "work": luck.randint(1, works)}
            try:
                await app.run(_ACTS[act], **values, note=f"{act} {luck.random()}")
            except _EVERYDAY:
                continue
            await asyncio.sleep(0)


@dataclass(frozen=True)
class Change:
    """A row of the audit."""

    n: int
    who: str
    op: str
    row_id: int
    before: dict[str, Any] | None
    after: dict[str, Any] | None

    @property
    def ours(self) -> bool:
        """Made by the service."""
        return self.who == "conservator"


async def changes(app: App) -> list[Change]:
    """Every change that changed anything, in order; the order of each row's is certain."""
    rows = await app.rows("SELECT n, who, op, row_id, before, after FROM audit ORDER BY n")
    return [one for one in (Change(*row) for row in rows) if one.before != one.after]


def assert_brought_to_count(change: Change, shape: Shape) -> None:
    """A new row that counts, or one that did not and does since, with all else as it was."""
    assert change.after is not None
    assert shape.name == "status" or change.after["kind"] == "work"  # which has no `where`
    if "set" not in shape.impressions:
        assert change.op == "INSERT"
        return
    assert change.after["seen"] is not None
    if change.before is not None:
        assert change.before["seen"] is None
        assert {**change.before, "seen": 0} == {**change.after, "seen": 0}


def assert_taken_back(history: list[Change], at: int) -> None:
    """What the service did to this row last is reversed, and it was as that had left it: untouched,
    or changed back again."""
    undo, ours = history[at], [one for one in history[:at] if one.ours]
    assert ours, history
    assert (undo.before, undo.after) == (ours[-1].after, ours[-1].before), history
