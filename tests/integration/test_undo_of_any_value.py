"""Undo where rows hold what JSON can't: values come back as they were, rows are compared without
an error, and of two runs over a pair the later one knows what the app had."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from monitor.state.runs import RunState, Trigger
from tests.support.any_shape import shape_runtime
from tests.support.healing import heal
from tests.support.stranger_galleries import StrangerGallery
from tests.support.undoing import previewed, undo

SCHEMA = """
CREATE TABLE people (id int PRIMARY KEY);
CREATE TABLE works (id int PRIMARY KEY, made timestamptz NOT NULL);
CREATE TABLE looks (
    person int NOT NULL, work int NOT NULL, at timestamptz, status text NOT NULL DEFAULT 'unread',
    UNIQUE (person, work)
);
INSERT INTO people SELECT generate_series(1, 3);
INSERT INTO works SELECT n, now() - interval '30 days' FROM generate_series(1, 4) AS n;
INSERT INTO looks SELECT n, 1, now(), 'seen' FROM generate_series(1, 3) AS n;
INSERT INTO looks VALUES (1, 2, NULL);
"""
STATUS: dict[str, Any] = {"counts": "status = 'seen'", "set": {"status": "'seen'"}}
HELD = (
    ("json", '{"b":1,  "a":2, "a":3}', "{}"),
    ("jsonb", "null", "{}"),
    ("jsonb NOT NULL", "null", "{}"),
    ("int[]", "[0:1]={5,6}", "{1}"),
    ("bytea", r"\x00ff5c", r"\x01"),
    ("hstore", "a=>NULL", "b=>1"),
    ("timestamptz", "infinity", "2020-01-01Z"),
    ("numeric", "1.500", "2"),
    ("tstzrange", "[2020-01-01,)", "empty"),
)
"""Types, what a row of the app holds, and by what a run replaces it."""
_SYNTHETIC = """
SELECT count(*)
FROM looks AS i
JOIN conservator.backfilled_impression AS b ON (b.user_id, b.artwork_id) = (i.person, i.work)
WHERE to_jsonb(i) - ARRAY['held_0', 'held_1', 'held_2']
    = to_jsonb(jsonb_populate_record(i, b.written)) - ARRAY['held_0', 'held_1', 'held_2']
  AND i.held_0::text IS NOT DISTINCT FROM b.written ->> 'held_0'
  AND i.held_1::text IS NOT DISTINCT FROM b.written ->> 'held_1'
  AND i.held_2::text IS NOT DISTINCT FROM b.written ->> 'held_2'
"""
"""What docs/healing.md says to an analyst."""
_AS_TEXT = "SELECT person, work, at, status, (looks.*)::text FROM looks ORDER BY 1, 2"
_LISTED = "SELECT run_id, user_id, artwork_id, replaced FROM conservator.backfilled_impression"


def catalog(**impressions: object) -> dict[str, Any]:
    table = {"table": "looks", "user": "person", "artwork": "work", "viewed_at": "at"}
    return {
        "artworks": {"table": "works", "id": "id", "created_at": "made"},
        "users": {"table": "people", "id": "id"},
        "impressions": {**table, **impressions},
    }


@pytest.fixture
def gallery(database_url: str) -> StrangerGallery:
    made = StrangerGallery("looks", database_url)
    made.run(SCHEMA)
    return made


async def test_what_was_replaced_comes_back_as_it_was(gallery: StrangerGallery) -> None:
    columns = {f"held_{n}": one for n, one in enumerate(HELD)}
    added = ", ".join(
        f"ADD {name} {kind} DEFAULT '{made}'" for name, (kind, _, made) in columns.items()
    )
    app = ", ".join(f"{name} = '{theirs}'" for name, (_, theirs, _) in columns.items())
    gallery.run(
        f"CREATE EXTENSION hstore; ALTER TABLE looks {added}; UPDATE looks SET {app} WHERE work = 2"
    )
    before = gallery.rows(_AS_TEXT)
    made = {name: f"'{value}'" for name, (_, _, value) in columns.items()}
    changes = {**STATUS, "set": {**STATUS["set"], **made}}
    async with shape_runtime(gallery.url, catalog=catalog(**changes)) as runtime:
        healed = await heal(runtime)
        assert (healed.run.state, healed.run.inserted) == (RunState.SUCCEEDED, 9)
        assert gallery.rows(_AS_TEXT) != before
        assert gallery.rows(_SYNTHETIC) == [(9,)]
        undone = await undo(runtime, healed.run.id)
    assert (undone.run.state, undone.run.inserted) == (RunState.SUCCEEDED, 9)
    assert gallery.rows(_AS_TEXT) == before


async def test_columns_that_set_does_not_name_may_hold_anything(gallery: StrangerGallery) -> None:
    """More of them than one call of a function takes, with values that jsonb refuses."""
    many = ", ".join(f'ADD "c%{n}" int DEFAULT {n}' for n in range(90))
    gallery.run(
        "CREATE EXTENSION hstore; ALTER TABLE looks ADD h hstore DEFAULT 'a=>1', ADD x point,"
        " ADD r numrange[] DEFAULT '{\"[1,2)\"}',"
        rf""" ADD j json DEFAULT '{{"a": "\u0000", "a": 1}}', {many};"""
        " UPDATE looks SET x = '(1,2)'"
    )
    before = gallery.rows(_AS_TEXT)
    async with shape_runtime(gallery.url, catalog=catalog(**STATUS)) as runtime:
        healed = await heal(runtime)
        assert healed.run.state is RunState.SUCCEEDED, healed.run.outcome
        gallery.run("UPDATE looks SET h = h || 'b=>2' WHERE (person, work) = (3, 3)")
        undone = await undo(runtime, healed.run.id)
    assert (undone.run.state, undone.run.inserted) == (RunState.SUCCEEDED, 8)
    rows = gallery.rows(_AS_TEXT)
    assert [row for row in rows if row[:2] != (3, 3)] == before
    assert len(rows) == len(before) + 1


async def test_moments_in_ranges_and_arrays_are_known_again_in_another_zone(
    gallery: StrangerGallery,
) -> None:
    """Their texts say them in the zone of the session that wrote them."""
    zone = "DO $$BEGIN EXECUTE format('ALTER DATABASE %I {}', current_database()); END$$"
    gallery.run(
        "ALTER TABLE looks ADD during tstzrange DEFAULT '[2024-01-01 00:00+00,)',"
        " ADD many timestamptz[] DEFAULT '{2024-01-01 00:00+00,NULL}'"
    )
    before = gallery.rows(_AS_TEXT)
    async with shape_runtime(gallery.url, catalog=catalog(**STATUS)) as runtime:
        healed = await heal(runtime)
        assert healed.run.inserted == 9
    gallery.run(zone.format("SET timezone = ''Asia/Tokyo''"))
    async with shape_runtime(gallery.url, catalog=catalog(**STATUS)) as runtime:
        undone = await undo(runtime, healed.run.id)
    assert (undone.run.state, undone.run.inserted) == (RunState.SUCCEEDED, 9)
    gallery.run(zone.format("RESET timezone"))
    assert gallery.rows(_AS_TEXT) == before


async def test_a_moment_by_an_expression_is_that_of_the_row_whatever_else_the_row_holds(
    gallery: StrangerGallery,
) -> None:
    gallery.run(
        "CREATE EXTENSION hstore; ALTER TABLE looks ADD h hstore DEFAULT 'a=>1', ADD epoch int;"
        " ALTER TABLE looks DROP at; UPDATE looks SET epoch = 1700000000"
    )
    changes: dict[str, object] = {
        "viewed_at": {"sql": "to_timestamp(epoch)"},
        "defaults": {"epoch": "extract(epoch FROM viewed_at)::int"},
    }
    before = gallery.rows("SELECT looks::text FROM looks ORDER BY 1")
    async with shape_runtime(gallery.url, catalog=catalog(**changes)) as runtime:
        healed = await heal(runtime)
        assert (healed.run.state, healed.run.inserted) == (RunState.SUCCEEDED, 8)
        assert gallery.rows(
            "SELECT count(*) FROM conservator.backfilled_impression AS b JOIN looks"
            " ON (person, work, to_timestamp(epoch)) = (b.user_id, b.artwork_id, b.viewed_at)"
        ) == [(8,)]
        assert (await undo(runtime, healed.run.id)).run.inserted == 8
    assert gallery.rows("SELECT looks::text FROM looks ORDER BY 1") == before


async def test_a_column_of_another_type_is_a_touched_row_and_no_error(
    gallery: StrangerGallery,
) -> None:
    gallery.run("ALTER TABLE looks ADD flag bool DEFAULT true, ADD size int DEFAULT 3")
    async with shape_runtime(gallery.url, catalog=catalog(**STATUS)) as runtime:
        healed = await heal(runtime)
    gallery.run("ALTER TABLE looks ALTER flag DROP DEFAULT, ALTER flag TYPE int USING flag::int")
    async with shape_runtime(gallery.url, catalog=catalog(**STATUS)) as runtime:
        owner = runtime.run_owner(Trigger.COMMAND)
        assert await runtime.undo_planner.plan(owner, healed.run.id, reason="") is None
        assert (await previewed(runtime, healed.run.id)).touched == 9
    gallery.run("ALTER TABLE looks ALTER flag TYPE bool USING flag = 1, ALTER size TYPE bigint")
    async with shape_runtime(gallery.url, catalog=catalog(**STATUS)) as runtime:
        assert (await undo(runtime, healed.run.id)).run.inserted == 9


async def test_of_two_runs_over_a_pair_the_later_one_gives_back_what_the_app_had(
    gallery: StrangerGallery,
) -> None:
    async with shape_runtime(gallery.url, catalog=catalog(**STATUS)) as runtime:
        first = await heal(runtime)
        gallery.run("UPDATE looks SET status = 'archived' WHERE person = 1 AND work IN (2, 3)")
        second = await heal(runtime)
        theirs = [(second.run.id, 1, work, {"status": "archived"}) for work in (2, 3)]
        assert gallery.rows(f"{_LISTED} WHERE user_id = 1 AND artwork_id < 4 ORDER BY 3") == theirs
        assert (await undo(runtime, first.run.id)).run.inserted == 7
        assert gallery.rows(f"{_LISTED} ORDER BY 3") == theirs
        assert (await undo(runtime, second.run.id)).run.inserted == 2
    assert gallery.rows("SELECT work, status FROM looks WHERE work > 1 ORDER BY 1") == [
        (2, "archived"),
        (3, "archived"),
    ]
    assert gallery.rows(_LISTED) == []


async def test_rows_of_a_view_that_are_exactly_alike_stay_and_the_outcome_says_why(
    gallery: StrangerGallery,
) -> None:
    gallery.run(
        "CREATE VIEW v AS SELECT person, work FROM looks;"
        " ALTER TABLE looks DROP CONSTRAINT looks_person_work_key; DELETE FROM looks WHERE work = 2"
    )
    changes: dict[str, object] = {"table": "v", "viewed_at": None, "several": True}
    async with shape_runtime(gallery.url, catalog=catalog(**changes)) as runtime:
        healed = await heal(runtime)
        gallery.run("INSERT INTO looks VALUES (1, 2)")
        undone = await undo(runtime, healed.run.id)
    assert (undone.run.state, undone.run.inserted) == (RunState.PARTIAL, 8)
    assert (
        "1 are still there, because the database did not delete them (through v, a view, rows"
        " that are exactly alike can't be told apart" in undone.run.outcome
    )


STYLES = ("", "SET DateStyle = 'SQL, DMY'", "SET IntervalStyle = 'sql_standard'")
"""In which forms a role may read and write dates and intervals; first, that of the server."""


@pytest.mark.parametrize(("healing", "undoing"), tuple(permutations(STYLES, 2)))
async def test_in_whatever_forms_a_role_has_values_they_are_kept_and_given_back(
    gallery: StrangerGallery, healing: str, undoing: str
) -> None:
    gallery.run(
        "ALTER TABLE looks ADD span interval DEFAULT '-1 day 2:03', ADD days date[];"
        "UPDATE looks SET span = '1 month -3 days', days = '{2021-03-04,NULL}'"
    )
    styled = "ALTER ROLE CURRENT_USER IN DATABASE {} {}"
    [(database,)] = gallery.rows("SELECT current_database()")
    before = gallery.rows("SELECT person, work, span::text, days::text FROM looks ORDER BY 1, 2")
    made = {"span": "interval '2 years -3 days'", "days": "ARRAY[date '2020-02-01']"}
    config = {**STATUS, "set": {**STATUS["set"], **made}}
    gallery.run(styled.format(database, healing or "RESET ALL"))
    async with shape_runtime(gallery.url, catalog=catalog(**config)) as runtime:
        healed = await heal(runtime)
        assert (healed.run.state, healed.run.inserted) == (RunState.SUCCEEDED, 9)
    [(kept,)] = gallery.rows(
        "SELECT replaced FROM conservator.backfilled_impression WHERE replaced IS NOT NULL"
    )
    assert kept == {"status": "unread", "span": "1 mon -3 days", "days": "{2021-03-04,NULL}"}
    gallery.run(styled.format(database, "RESET ALL"))
    gallery.run(styled.format(database, undoing or "RESET ALL"))
    async with shape_runtime(gallery.url, catalog=catalog(**config)) as runtime:
        assert (await previewed(runtime, healed.run.id)).untouched == 9
        undone = await undo(runtime, healed.run.id)
    assert (undone.run.state, undone.run.inserted) == (RunState.SUCCEEDED, 9)
    gallery.run(styled.format(database, "RESET ALL"))
    after = gallery.rows("SELECT person, work, span::text, days::text FROM looks ORDER BY 1, 2")
    assert after == before
