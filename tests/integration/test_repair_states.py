"""What a repair and its undo make of a table that becomes another between plan and batch, and
between the first statement of a batch and its last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from monitor.state.runs import Run, RunState
from tests.support.app import App, app_on
from tests.support.healing import make_runtime
from tests.support.repairing import (
    begin_undo,
    configured,
    mend,
    plan_repair,
    put_down,
    taken_up,
    working,
)
from tests.support.waiting import wait_until

TABLE = """
CREATE TABLE {t} (id int PRIMARY KEY, v int, code int UNIQUE);
INSERT INTO {t} SELECT n, n, n FROM generate_series(1, 3) AS n;
CREATE TABLE {t}_child (ref int, code int);
INSERT INTO {t}_child VALUES (1, 1), (2, 2), (11, 11), (12, 12);
GRANT ALL ON {t} TO PUBLIC;
"""
FINDS = {
    "update": "SELECT id, id + 5 AS code FROM {t} WHERE code = id",
    "delete": "SELECT id FROM {t} WHERE v < 3",
    "insert": "SELECT n AS id, 5 AS v FROM generate_series(11, 12) AS n"
    " WHERE NOT EXISTS (SELECT FROM {t} AS o WHERE o.id = n)",
}
CASCADE = "ALTER TABLE {t}_child ADD FOREIGN KEY (ref) REFERENCES {t} ON DELETE CASCADE NOT VALID"
FOLLOW = (
    "ALTER TABLE {t}_child ADD FOREIGN KEY (code) REFERENCES {t} (code) ON UPDATE CASCADE NOT VALID"
)
SWAP = (
    "ALTER TABLE {t} RENAME TO {t}_old; CREATE TABLE {t} (LIKE {t}_old INCLUDING ALL);"
    "INSERT INTO {t} SELECT * FROM {t}_old; GRANT ALL ON {t} TO PUBLIC;"
)
UNKEYED = "ALTER TABLE {t} DROP CONSTRAINT {t}_pkey"
HEIR = "CREATE TABLE {t}_heir () INHERITS ({t}); INSERT INTO {t}_heir SELECT * FROM {t}"
RULE = "CREATE RULE odd AS ON {does} TO {t} DO ALSO NOTHING"
KEPT = "Nothing of this batch is kept"


@dataclass(frozen=True)
class Case:
    """What becomes of the table, and what the run says of it."""

    action: str
    change: str
    held: str = ""
    """Why the batch is put down; it is taken up then."""
    ended: str = ""
    """Why it ends at last; empty: it comes to its end."""


COLUMNS, OTHER = "The columns of {t} are others", "{t} is another table"
PLANNED = {
    "cascade": Case("delete", CASCADE, ended="foreign keys would change rows of other tables"),
    "follow": Case("update", FOLLOW, ended="foreign keys would change rows of other tables"),
    "swapped": Case("delete", SWAP, OTHER, "called public.swapped_old now, and `find` reads"),
    "renamed": Case(
        "delete", "ALTER TABLE {t} RENAME TO {t}_new", OTHER, "called public.renamed_new now"
    ),
    "anew": Case(
        "delete",
        "DROP TABLE {t}; CREATE TABLE {t} (id int PRIMARY KEY, v int, code int UNIQUE);"
        "INSERT INTO {t} SELECT n, n, n FROM generate_series(1, 3) AS n;"
        "GRANT ALL ON {t} TO PUBLIC",
        OTHER,
        "was another table",
    ),
    "columns": Case("update", "ALTER TABLE {t} ADD more int", COLUMNS, "had other columns"),
    "unkeyed": Case("update", UNKEYED, "No unique index proves any more", "No unique index proves"),
    "heir": Case("delete", HEIR, "rules or inheritance children (heir_heir)", "inheritance child"),
    "rule": Case(
        "insert", RULE.format(does="INSERT", t="{t}"), "children (odd)", "has rules (odd)"
    ),
}
UNDONE = {
    "u_cascade": Case("insert", CASCADE, ended="foreign keys would change rows of other tables"),
    "u_follow": Case("update", FOLLOW, ended="foreign keys would change rows of other tables"),
    "u_fine": Case("delete", CASCADE),
    "u_swapped": Case("update", SWAP, OTHER, "and u_swapped is another one by now"),
    "u_renamed": Case("update", "ALTER TABLE {t} RENAME TO {t}_new", OTHER),
    "u_columns": Case("insert", "ALTER TABLE {t} ADD more int", COLUMNS),
    "u_column": Case("update", "ALTER TABLE {t} RENAME code TO number", COLUMNS),
    "u_unkeyed": Case("update", UNKEYED, "No unique index proves", "No unique index proves"),
    "u_heir": Case("insert", HEIR, "rules or inheritance children (u_heir_heir)", "inheritance"),
    "u_rule": Case("insert", RULE.format(does="DELETE", t="{t}"), "(odd)", "has rules (odd)"),
}
"""Each on a table of its name."""


def repairs(cases: dict[str, Case]) -> list[dict[str, object]]:
    return [
        configured(name, table=name, find=FINDS[case.action].format(t=name), action=case.action)
        for name, case in cases.items()
    ]


async def rows_of(app: App, name: str) -> list[Any]:
    """Whatever there is under the names of a case, the app's copies apart."""
    tables = await app.rows(
        "SELECT oid::regclass::text FROM pg_class WHERE relname LIKE %(like)s AND relkind = 'r'"
        " ORDER BY oid",
        like=f"{name}%",
    )
    return [(one, await app.fingerprint(one)) for (one,) in tables]


async def ended(app: App, runtime: Any, name: str, case: Case, tools: Any, run: Run) -> Run:
    """The run, worked once the table is another, and taken up where it was put down."""
    await app.run(case.change.format(t=name))
    before = await rows_of(app, name)
    last: Run = (await tools.executor(lambda _: None).work(run)).run
    if case.held:
        assert last.state is RunState.HELD, (name, last.outcome)
        assert case.held.format(t=name) in last.outcome and KEPT in last.outcome, name
        last = await taken_up(runtime, run.id)
    if case.ended:
        assert (last.state, last.inserted) == (RunState.FAILED, 0), (name, last.outcome)
        assert case.ended in last.outcome, (name, last.outcome)
        assert await rows_of(app, name) == before, name
    return last


async def test_a_table_that_becomes_another_before_a_batch(app_database_url: str) -> None:
    async with app_on(app_database_url) as app:
        await app.run("".join(TABLE.format(t=name) for name in PLANNED))
        async with make_runtime(app_database_url, repairs=repairs(PLANNED)) as runtime:
            for name, case in PLANNED.items():
                tools, run = await plan_repair(runtime, name)
                assert run is not None
                await ended(app, runtime, name, case, tools, run)
            assert await app.value("SELECT count(*) FROM conservator.repaired_row") == 0
            assert await app.value("SELECT count(*) FROM conservator.repair_work") == 0


async def test_a_table_that_becomes_another_before_a_batch_of_an_undo(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app:
        await app.run("".join(TABLE.format(t=name) for name in UNDONE))
        async with make_runtime(app_database_url, repairs=repairs(UNDONE)) as runtime:
            for name, case in UNDONE.items():
                done = (await mend(runtime, name)).run
                tools, undo = await begin_undo(runtime, done.id)
                last = await ended(app, runtime, name, case, tools, undo)
                left = await app.value(
                    "SELECT count(*) FROM conservator.repaired_row WHERE repair = %(name)s",
                    name=name,
                )
                assert left == (done.inserted if case.ended else 0), (name, last.outcome)
                if not case.ended:
                    assert (last.state, last.inserted) == (RunState.SUCCEEDED, done.inserted), name


async def test_an_undo_that_was_put_down_goes_on_by_the_table_as_it_is_then(
    app_database_url: str,
) -> None:
    """What the plan of the undo has looked at is looked at again."""
    held = {name: case for name, case in UNDONE.items() if name in ("u_cascade", "u_unkeyed")}
    async with app_on(app_database_url) as app:
        await app.run("".join(TABLE.format(t=name) for name in held))
        async with make_runtime(app_database_url, repairs=repairs(held)) as runtime:
            for name, case in held.items():
                done = (await mend(runtime, name)).run
                _, undo = await begin_undo(runtime, done.id)
                await put_down(app)
                await app.run(case.change.format(t=name))
                before = await rows_of(app, name)
                last = await taken_up(runtime, undo.id)
                assert last.state is RunState.FAILED and case.ended in last.outcome, last.outcome
                assert await rows_of(app, name) == before


MEANWHILE = {
    "cascade": ("delete", CASCADE, RunState.FAILED, "foreign keys would change rows of other"),
    "swapped": ("delete", SWAP, RunState.HELD, "swapped is another table"),
    "trigger": (
        "delete",
        "CREATE FUNCTION odd() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$;"
        "CREATE TRIGGER odd AFTER DELETE ON {t} FOR EACH ROW EXECUTE FUNCTION odd()",
        RunState.HELD,
        "Triggers of trigger came or went",
    ),
}


@pytest.mark.parametrize("undoes", [False, True])
async def test_a_table_that_becomes_another_while_a_batch_waits_for_it(
    app_database_url: str, undoes: bool
) -> None:
    """The batch has looked at it, and stands at the lock when the other session commits."""
    cases = {
        name: Case("insert" if undoes else action, change)
        for name, (action, change, _, _) in MEANWHILE.items()
    }
    config = {"repairs": repairs(cases), "database": {"lock_timeout": "30s"}}
    async with app_on(app_database_url) as app, app_on(app_database_url) as other:
        await app.run("".join(TABLE.format(t=name) for name in cases))
        async with make_runtime(app_database_url, **config) as runtime:
            for name, (_, change, state, says) in MEANWHILE.items():
                if undoes:
                    tools, run = await begin_undo(runtime, (await mend(runtime, name)).run.id)
                else:
                    tools, planned = await plan_repair(runtime, name)
                    assert planned is not None
                    run = planned
                await other.run("BEGIN")
                await other.run(change.format(t=name))
                task = working(tools, run)
                await wait_until(lambda: somebody_waits(app))
                await other.run("COMMIT")
                before = await rows_of(app, name)
                last = (await task).run
                assert (last.state, last.inserted) == (state, 0), (name, last.outcome)
                assert says in last.outcome
                assert await rows_of(app, name) == before
                await app.run(
                    "UPDATE conservator.run SET state = 'failed' WHERE state IN ('running', 'held')"
                )


async def somebody_waits(app: App) -> bool:
    return bool(
        await app.value(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            " AND application_name = 'conservator'"
        )
    )
