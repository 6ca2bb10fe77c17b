"""What an undo gives back after the table's columns, its key or the table itself became others."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.healing.errors import NotUndoableError
from tests.support.app import App, app_on
from tests.support.healing import make_runtime
from tests.support.repairing import configured, mend, take_back

TABLE = """
CREATE TABLE {t} (id int PRIMARY KEY, v int, note text);
INSERT INTO {t} SELECT n, n, 'n' || n FROM generate_series(1, 3) AS n;
"""
FINDS = {
    "update": "SELECT id, 9 AS v FROM {t} WHERE v < 9",
    "delete": "SELECT id FROM {t} WHERE v < 3",
    "insert": "SELECT n AS id, 5 AS v FROM generate_series(11, 12) AS n"
    " WHERE NOT EXISTS (SELECT FROM {t} AS o WHERE o.id = n)",
}


@dataclass(frozen=True)
class Case:
    """What became of the table since; what is there after the undo, or why there is none."""

    action: str
    since: str
    rows: list[str] | None = None
    refused: str = ""


_SWAP = "ALTER TABLE {t} RENAME TO {t}_old; CREATE TABLE {t} (LIKE {t}_old INCLUDING ALL);"
_ANEW = "DROP TABLE {t}; CREATE TABLE {t} (id int PRIMARY KEY, v int, {note} text);"
_ALL = "GRANT ALL ON {t} TO PUBLIC"
FIRST = ["(1,1,n1)", "(2,2,n2)", "(3,3,n3)"]
MENDED = ["(1,9,n1)", "(2,9,n2)", "(3,9,n3)"]
CASES = {
    "renamed": Case("update", "ALTER TABLE {t} RENAME note TO remark", FIRST),
    "names_swapped": Case(
        "update",
        "ALTER TABLE {t} RENAME note TO other; ALTER TABLE {t} RENAME v TO note;"
        "ALTER TABLE {t} RENAME other TO v",
        FIRST,
    ),
    "renamed_and_touched": Case(
        "update",
        "ALTER TABLE {t} RENAME v TO amount; UPDATE {t} SET amount = 1000 WHERE id > 1",
        ["(1,1,n1)", "(2,1000,n2)", "(3,1000,n3)"],
    ),
    "added": Case(
        "update", "ALTER TABLE {t} ADD mail text", ["(1,1,n1,)", "(2,2,n2,)", "(3,3,n3,)"]
    ),
    "added_and_filled": Case(
        "update",
        "ALTER TABLE {t} ADD mail text; UPDATE {t} SET mail = 'm' WHERE id = 2",
        ["(1,1,n1,)", "(2,9,n2,m)", "(3,3,n3,)"],
    ),
    "added_with_defaults": Case(
        "update",
        "ALTER TABLE {t} ADD k int[] NOT NULL DEFAULT '{{1,2}}', ADD m numeric(5,2) DEFAULT 7;"
        "ALTER TABLE {t} ALTER k SET DEFAULT '{{}}'; UPDATE {t} SET m = 8 WHERE id = 3",
        ['(1,1,n1,"{1,2}",7.00)', '(2,2,n2,"{1,2}",7.00)', '(3,9,n3,"{1,2}",8.00)'],
    ),
    "rewritten_since": Case(
        "update",
        "ALTER TABLE {t} ADD m numeric(5,2) DEFAULT 7; CLUSTER {t} USING {t}_pkey",
        ["(1,1,n1,7.00)", "(2,2,n2,7.00)", "(3,3,n3,7.00)"],
    ),
    "dropped_and_added": Case(
        "update",
        "ALTER TABLE {t} DROP note, ADD note text; UPDATE {t} SET note = 'new' WHERE id = 1",
        ["(1,9,new)", "(2,2,)", "(3,3,)"],
    ),
    "wider": Case("update", "ALTER TABLE {t} ALTER v TYPE bigint", FIRST),
    "another_type": Case(
        "update", "ALTER TABLE {t} ALTER v TYPE text", MENDED, "Column v of another_type is of type"
    ),
    "value_dropped": Case(
        "update", "ALTER TABLE {t} DROP v", ["(1,n1)", "(2,n2)", "(3,n3)"], "none of the columns"
    ),
    "value_fixed": Case(
        "update",
        "ALTER TABLE {t} ALTER v SET NOT NULL, ALTER v ADD GENERATED ALWAYS AS IDENTITY",
        MENDED,
        "PostgreSQL alone writes v",
    ),
    "deleted_then_added": Case(
        "delete",
        "ALTER TABLE {t} ADD k int NOT NULL DEFAULT 7, ADD n int GENERATED ALWAYS AS IDENTITY",
        ["(1,1,n1,7,2)", "(2,2,n2,7,3)", "(3,3,n3,7,1)"],
    ),
    "deleted_then_dropped": Case(
        "delete", "ALTER TABLE {t} DROP v", ["(1,n1)", "(2,n2)", "(3,n3)"]
    ),
    "deleted_then_required": Case(
        "delete",
        "ALTER TABLE {t} ADD k int; UPDATE {t} SET k = 1; ALTER TABLE {t} ALTER k SET NOT NULL",
        ["(3,3,n3,1)"],
    ),
    "deleted_then_renamed": Case("delete", "ALTER TABLE {t} RENAME id TO pk", FIRST),
    "inserted_then_filled": Case(
        "insert",
        "ALTER TABLE {t} ADD mail text; UPDATE {t} SET mail = 'm' WHERE id = 11",
        ["(1,1,n1,)", "(11,5,,m)", "(2,2,n2,)", "(3,3,n3,)"],
    ),
    "inserted_then_numbered": Case(
        "insert",
        "ALTER TABLE {t} ADD n int GENERATED ALWAYS AS IDENTITY",
        ["(1,1,n1,1)", "(11,5,,4)", "(12,5,,5)", "(2,2,n2,2)", "(3,3,n3,3)"],
    ),
    "key_renamed": Case("update", "ALTER TABLE {t} RENAME id TO pk", FIRST),
    "key_moved": Case(
        "update",
        "ALTER TABLE {t} DROP CONSTRAINT key_moved_pkey, ADD PRIMARY KEY (note)",
        MENDED,
        "No unique index proves that id names one row of key_moved",
    ),
    "key_moved_and_unique": Case(
        "update",
        "ALTER TABLE {t} DROP CONSTRAINT {t}_pkey, ADD UNIQUE (id), ADD PRIMARY KEY (note)",
        FIRST,
    ),
    "key_taken_over": Case(
        "update",
        "ALTER TABLE {t} DROP CONSTRAINT {t}_pkey; ALTER TABLE {t} RENAME id TO old;"
        "ALTER TABLE {t} ADD id int; UPDATE {t} SET id = 4 - old;"
        "ALTER TABLE {t} ADD PRIMARY KEY (id)",
        ["(1,9,n1,3)", "(2,9,n2,2)", "(3,9,n3,1)"],
        "No unique index proves that old names one row",
    ),
    "key_dropped": Case(
        "update",
        "ALTER TABLE {t} DROP id",
        ["(9,n1)", "(9,n2)", "(9,n3)"],
        "lost a column of the key",
    ),
    "table_renamed": Case("update", "ALTER TABLE {t} RENAME TO {t}_new", FIRST),
    "table_swapped": Case("update", _SWAP + _ALL, [], "and table_swapped is another one by now"),
    "table_anew": Case("delete", _ANEW.replace("{note}", "note") + _ALL, ["(1,1,n1)", "(2,2,n2)"]),
    "table_anew_otherwise": Case(
        "delete", _ANEW.replace("{note}", "remark") + _ALL, [], "has no column note"
    ),
    "table_gone": Case("delete", "DROP TABLE {t}", None, "There is no table table_gone"),
}
"""Each on a table of its name."""


def repair(name: str) -> dict[str, object]:
    action = CASES[name].action
    return configured(name, table=name, find=FINDS[action].format(t=name), action=action)


async def undone(app: App, runtime: object, name: str) -> tuple[str, list[str] | None]:
    """Why it was refused, and the rows that are there afterwards."""
    case, refused = CASES[name], ""
    done = (await mend(runtime, name)).run  # type: ignore[arg-type]
    assert done.inserted == (3 if case.action == "update" else 2), name
    await app.run(case.since.format(t=name))
    try:
        await take_back(runtime, done.id)  # type: ignore[arg-type]
    except NotUndoableError as error:
        refused = str(error)
    table = f"{name}_new" if name == "table_renamed" else name
    if case.rows is None:
        return refused, None
    return refused, [row for (row,) in await app.rows(f"SELECT t::text FROM {table} t ORDER BY 1")]


async def test_what_is_given_back_is_the_row_as_it_was_and_nothing_of_the_apps(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app:
        await app.run("".join(TABLE.format(t=name) for name in CASES))
        async with make_runtime(
            app_database_url, repairs=[repair(name) for name in CASES]
        ) as runtime:
            wrong = {}
            for name, case in CASES.items():
                refused, rows = await undone(app, runtime, name)
                if (
                    rows != case.rows
                    or case.refused not in refused
                    or bool(refused) != bool(case.refused)
                ):
                    wrong[name] = refused, rows
            assert wrong == {}
            active = "SELECT count(*) FROM conservator.run WHERE state IN ('running', 'held')"
            assert await app.value(active) == 0
            # What could not be given back is still listed.
            listed = "SELECT DISTINCT repair FROM conservator.repaired_row ORDER BY 1"
            assert {name for (name,) in await app.rows(listed)} == {
                *(name for name, case in CASES.items() if case.refused),
                *("renamed_and_touched", "added_and_filled", "added_with_defaults"),
                *("dropped_and_added", "deleted_then_required", "inserted_then_filled"),
                "inserted_then_numbered",
            }


VALUES = """
CREATE TABLE moments (id int PRIMARY KEY, v int, during tstzrange, many timestamptz[],
    pair span, zero float8, small real, zeros float8[]);
INSERT INTO moments VALUES (1, 1, '[2024-01-01 00:00+00,2024-01-02 00:00+00)',
    '{1800-06-01 12:00+00,NULL,infinity}', ROW('2024-03-31 01:30+00', 3), '-0', '-0', '{-0}'),
    (2, 1, NULL, NULL, NULL, 0, 0, NULL);
"""


async def test_what_is_kept_as_text_is_known_again_in_whatever_zone_and_zeros_have_a_sign(
    app_database_url: str,
) -> None:
    update = configured(
        "later", table="moments", find="SELECT id, 2 AS v FROM moments WHERE v = 1", action="update"
    )
    delete = {**update, "name": "gone", "find": "SELECT id FROM moments", "action": "delete"}
    config = {"repairs": [update, delete]}
    async with app_on(app_database_url) as app:
        await app.run(f"CREATE TYPE span AS (begins timestamptz, n int);{VALUES}")
        first = await app.fingerprint("moments")
        database = await app.value("SELECT current_database()")
        for name, zone, later in (("later", "Asia/Tokyo", "UTC"), ("gone", "UTC", "Asia/Tokyo")):
            await app.run(f"ALTER DATABASE {database} SET timezone = '{zone}'")
            async with make_runtime(app_database_url, **config) as runtime:
                done = (await mend(runtime, name)).run
                assert done.inserted == 2
            await app.run(f"ALTER DATABASE {database} SET timezone = '{later}'")
            async with make_runtime(app_database_url, **config) as runtime:
                given = await take_back(runtime, done.id)
                assert given is not None and given.run.inserted == 2, name
            assert await app.fingerprint("moments") == first
