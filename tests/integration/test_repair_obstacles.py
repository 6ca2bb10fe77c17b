"""Triggers, constraints, locks and deaths: what a repair, and its undo, makes of them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from monitor.state.runs import RunState
from tests.support.app import App, app_on
from tests.support.forks import Forked, fork, plain_environment
from tests.support.healing import RECORD, Gate, document, make_runtime
from tests.support.repairing import configured, mend, plan_repair, take_back, working
from tests.support.waiting import wait_until

TABLES = """
CREATE TABLE kind (id int PRIMARY KEY);
INSERT INTO kind SELECT n FROM generate_series(1, 9) AS n;
CREATE TABLE thing (id int PRIMARY KEY, kind int REFERENCES kind,
    state text NOT NULL DEFAULT 'wrong',
    size int NOT NULL DEFAULT 1 CHECK (size > 0), stamp text);
INSERT INTO thing SELECT n, n FROM generate_series(1, 9) AS n;
CREATE TABLE part (id int PRIMARY KEY, thing int REFERENCES thing);
"""
UPDATE = configured(
    "mend",
    table="thing",
    find="SELECT id, 'right' AS state FROM thing WHERE state = 'wrong'",
    action="update",
)
SHRINK = configured(
    "shrink",
    table="thing",
    find="SELECT id, 5 - id AS size FROM thing WHERE size = 1",
    action="update",
)
DELETE = configured(
    "drop", table="thing", find="SELECT id FROM thing WHERE state = 'wrong'", action="delete"
)
INSERT = configured(
    "add",
    table="thing",
    find="SELECT k.id + 100 AS id, k.id AS kind, 'new' AS state FROM kind k WHERE NOT EXISTS"
    " (SELECT 1 FROM thing t WHERE t.id = k.id + 100)",
    action="insert",
)
CONFIG = {
    "repairs": [UPDATE, SHRINK, DELETE, INSERT],
    "healing": {"pace": {"max_batch": 4}},
}
THINGS = "SELECT t::text FROM thing AS t ORDER BY id"


def trigger(when: str, body: str, *, each: str = "ROW") -> str:
    """A trigger of the app's that leaves the owner's own statements alone."""
    return f"""
    CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
        IF session_user LIKE 'conservator%' THEN {body} END IF;
        RETURN coalesce(NEW, OLD); END $$;
    CREATE TRIGGER meddle {when} ON thing FOR EACH {each} EXECUTE FUNCTION meddle();
    """


async def test_after_is_what_the_row_looks_like_once_all_triggers_have_fired(
    app_database_url: str,
) -> None:
    body = "IF NEW.stamp IS NULL THEN UPDATE thing SET stamp = 'later' WHERE id = NEW.id; END IF;"
    async with app_on(app_database_url) as app:
        await app.run(TABLES)
        first = await app.rows(THINGS)
        await app.run(
            trigger("AFTER UPDATE", body)
            .replace("CREATE TRIGGER", "CREATE CONSTRAINT TRIGGER")
            .replace("FOR EACH", "DEFERRABLE INITIALLY DEFERRED FOR EACH")
        )
        async with make_runtime(app_database_url, **CONFIG) as runtime:
            done = (await mend(runtime, "mend")).run
            assert (done.state, done.inserted) == (RunState.SUCCEEDED, 9)
            assert await app.value("SELECT count(*) FROM thing WHERE stamp = 'later'") == 9
            wrong = (
                "SELECT count(*) FROM conservator.repaired_row WHERE after ->> 'stamp' = 'later'"
            )
            assert await app.value(wrong) == 9
            await app.run("DROP TRIGGER meddle ON thing")
            undone = await take_back(runtime, done.id)
            assert undone is not None and undone.run.inserted == 9
            assert await app.rows(THINGS) == first


MEDDLING = {
    "mend": ("AFTER UPDATE", "DELETE FROM thing WHERE id = NEW.id;"),
    "drop": ("AFTER DELETE", "INSERT INTO thing (id) VALUES (OLD.id);"),
    "add": ("BEFORE INSERT", "NEW.id := NEW.id + 1000;"),
}


@pytest.mark.parametrize("name", MEDDLING)
async def test_a_trigger_that_makes_something_else_of_it_fails_the_run(
    app_database_url: str, name: str
) -> None:
    when, body = MEDDLING[name]
    async with app_on(app_database_url) as app:
        await app.run(TABLES)
        first = await app.rows(THINGS)
        await app.run(trigger(when, body))
        async with make_runtime(app_database_url, **CONFIG) as runtime:
            done = (await mend(runtime, name)).run
            assert (done.state, done.inserted) == (RunState.FAILED, 0)
            assert "Triggers on thing make something else" in done.outcome
            assert "meddle" in done.outcome
            assert await app.rows(THINGS) == first
            assert await app.value("SELECT count(*) FROM conservator.repaired_row") == 0


async def test_a_trigger_that_changes_instead_of_deleting_is_found_out(
    app_database_url: str,
) -> None:
    body = "UPDATE thing SET stamp = 'hidden' WHERE id = OLD.id; RETURN NULL;"
    async with app_on(app_database_url) as app:
        await app.run(TABLES)
        first = await app.rows(THINGS)
        await app.run(trigger("BEFORE DELETE", body))
        async with make_runtime(app_database_url, **CONFIG) as runtime:
            done = (await mend(runtime, "drop")).run
            assert (done.state, done.inserted) == (RunState.FAILED, 0)
            assert "were written by a trigger" in done.outcome
            assert await app.rows(THINGS) == first


async def test_rows_that_the_database_refuses_are_passed_over_counted_and_left(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app:
        await app.run(TABLES)
        async with make_runtime(app_database_url, **CONFIG) as runtime:
            # 5 - id is above 0 for four rows, one of which has the size already.
            done = (await mend(runtime, "shrink")).run
            assert (done.state, done.quarantined) == (RunState.PARTIAL, 5)
            assert "5 were refused by the database, the first because of 23514" in done.outcome
            assert await app.value("SELECT count(*) FROM thing WHERE size > 1") == 3
            await app.run("INSERT INTO part VALUES (1, 3), (2, 7)")
            dropped = (await mend(runtime, "drop")).run
            assert (dropped.state, dropped.inserted) == (RunState.PARTIAL, 7)
            assert (dropped.quarantined, dropped.remaining) == (2, 2)
            left = await app.rows("SELECT id FROM thing ORDER BY id")
            assert left == [(3,), (7,)]


async def test_deleted_rows_that_can_not_be_put_back_are_counted_and_named(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app:
        await app.run(TABLES)
        async with make_runtime(app_database_url, **CONFIG) as runtime:
            done = (await mend(runtime, "drop")).run
            assert done.inserted == 9
            await app.run(
                "DELETE FROM kind WHERE id IN (2, 5); INSERT INTO thing (id, state) VALUES (8, 'x')"
            )
            undone = await take_back(runtime, done.id)
            assert undone is not None
            ended = undone.run
            assert (ended.state, ended.inserted, ended.remaining) == (RunState.PARTIAL, 6, 3)
            assert "Of 1 the key is taken." in ended.outcome
            assert "2 could not be given back (the first: 23503" in ended.outcome
            for key in (2, 5, 8):
                assert f'{{"id": {key}}}' in ended.outcome
            # What stood in the way is mended: the rest comes back.
            await app.run(
                "INSERT INTO kind VALUES (2), (5); DELETE FROM thing WHERE id = 8",
            )
            again = await take_back(runtime, done.id)
            assert again is not None
            assert (again.run.state, again.run.inserted) == (RunState.SUCCEEDED, 3)
            assert await app.value("SELECT count(*) FROM thing WHERE state = 'wrong'") == 9


async def test_an_undo_of_an_insert_never_takes_rows_of_other_tables_along(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app:
        await app.run(TABLES)
        async with make_runtime(app_database_url, **CONFIG) as runtime:
            done = (await mend(runtime, "add")).run
            assert done.inserted == 9
            await app.run(
                "ALTER TABLE part DROP CONSTRAINT part_thing_fkey, ADD CONSTRAINT part_thing_fkey"
                " FOREIGN KEY (thing) REFERENCES thing ON DELETE CASCADE;"
                "INSERT INTO part VALUES (1, 101)"
            )
            with pytest.raises(Exception, match="foreign keys would change rows of other tables"):
                await take_back(runtime, done.id)
            assert await app.value("SELECT count(*) FROM thing") == 18


async def test_a_row_that_another_session_holds_is_waited_for_and_left_as_that_leaves_it(
    app_database_url: str,
) -> None:
    """The batch stands at the lock when the other session commits."""
    async with app_on(app_database_url) as app, app_on(app_database_url) as other:
        await app.run(TABLES)
        config = {**CONFIG, "database": {"lock_timeout": "30s"}}
        async with make_runtime(app_database_url, **config) as runtime:
            tools, run = await plan_repair(runtime, "drop")
            assert run is not None
            await other.run("BEGIN")
            await other.run("UPDATE thing SET stamp = 'mine' WHERE id = 2")
            task = working(tools, run)
            await wait_until(lambda: somebody_waits(app))
            await other.run("COMMIT")
            done = (await task).run
            assert (done.state, done.inserted, done.remaining) == (RunState.PARTIAL, 8, 1)
            assert await app.rows("SELECT id, stamp FROM thing") == [(2, "mine")]


async def somebody_waits(app: App) -> bool:
    return bool(
        await app.value(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            " AND application_name = 'conservator'"
        )
    )


@contextmanager
def command(config: Path, *arguments: str) -> Iterator[Forked]:
    """`conservator ARGUMENTS` in a process of its own, which does not outlive the context."""
    streams = (Path(os.devnull), said(config), said(config))
    process = fork(config.parent, arguments, streams, plain_environment())
    try:
        yield process
    finally:
        process.kill()


def said(config: Path) -> Path:
    """What its processes have said."""
    return config.with_name("said")


async def lease_has_run_out(app: App) -> bool:
    return bool(await app.value("SELECT bool_and(lease_until <= now()) FROM conservator.run"))


async def no_session_left(app: App) -> bool:
    found = await app.value(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE application_name = 'conservator' AND datname = current_database()"
    )
    return bool(found == 0)


async def killed_at_gates(
    app: App, gate: Gate, config: Path, arguments: tuple[str, ...], points: tuple[int, ...]
) -> None:
    """Kill the command inside its third trip behind so many batches, again and again; then let it
    come to its end."""
    for point in points:
        await gate.close(after_batches=point, place=RECORD)
        with command(config, *arguments) as process:
            await wait_until(gate.somebody_waits)
            process.kill()
            process.wait()
        await gate.open()
        await wait_until(lambda: no_session_left(app))
        await wait_until(lambda: lease_has_run_out(app))
    await app.run("UPDATE gate SET place = ''")
    with command(config, *arguments) as process:
        await wait_until(lambda: process.poll() is not None)
        assert process.poll() == 0, said(config).read_text()


async def test_killed_inside_its_batches_it_goes_on_and_repeats_nothing(
    app_database_url: str, tmp_path: Path
) -> None:
    config = tmp_path / "config.yaml"
    settings = {**CONFIG, "lease": "300ms", "database": {"lock_timeout": "30s"}}
    config.write_text(json.dumps(document(app_database_url, **settings)), encoding="utf-8")
    async with app_on(app_database_url) as app, app_on(app_database_url) as keeper:
        await app.run(TABLES)
        first = await app.rows(THINGS)
        async with make_runtime(app_database_url):
            pass  # for the state schema, which the gate looks at
        gate = Gate(keeper)
        await gate.build(place="")
        await gate.open()
        await killed_at_gates(app, gate, config, ("repair", "mend", "--yes"), (0, 1))
        ((inserted, token, state),) = await app.rows(
            "SELECT inserted, token, state FROM conservator.run"
        )
        assert (inserted, token, state) == (9, 3, "succeeded")
        assert await app.value("SELECT count(*) FROM conservator.repaired_row") == 9
        assert await app.value("SELECT sum(inserted) FROM conservator.batch") == 9
        assert await app.value("SELECT count(*) FROM thing WHERE state = 'right'") == 9
        await killed_at_gates(app, gate, config, ("undo", "1", "--yes"), (0, 1))
        assert await app.rows(THINGS) == first
        assert await app.value("SELECT count(*) FROM conservator.repaired_row") == 0
        assert await app.value("SELECT inserted FROM conservator.run WHERE undoes > 0") == 9


@pytest.mark.parametrize("name", ["mend", "add"])
async def test_a_row_that_a_trigger_keeps_as_it_is_stays_and_the_run_ends_as_partial(
    app_database_url: str, name: str
) -> None:
    keeps = "CREATE TRIGGER keeps BEFORE INSERT OR UPDATE ON thing FOR EACH ROW"
    body = "BEGIN IF NEW.kind = 3 THEN RETURN NULL; END IF; RETURN NEW; END"
    async with app_on(app_database_url) as app:
        await app.run(TABLES)
        await app.run(
            f"CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$;"
            f"{keeps} EXECUTE FUNCTION keep()"
        )
        first = await app.rows(THINGS)
        async with make_runtime(app_database_url, **CONFIG) as runtime:
            done = (await mend(runtime, name)).run
            assert (done.state, done.inserted, done.remaining) == (RunState.PARTIAL, 8, 1)
            assert "`find` still names 1 of them" in done.outcome
            assert await app.value("SELECT count(*) FROM conservator.repaired_row") == 8
            await take_back(runtime, done.id)
        assert await app.rows(THINGS) == first


async def test_what_a_trigger_does_elsewhere_is_the_apps_own_doing(app_database_url: str) -> None:
    body = "INSERT INTO kind VALUES (OLD.id + 1000);"
    async with app_on(app_database_url) as app:
        await app.run(TABLES + trigger("AFTER DELETE", body))
        first = await app.rows(THINGS)
        async with make_runtime(app_database_url, **CONFIG) as runtime:
            done = (await mend(runtime, "drop")).run
            assert (done.state, done.inserted) == (RunState.SUCCEEDED, 9)
            await take_back(runtime, done.id)
        assert await app.rows(THINGS) == first
        assert await app.value("SELECT count(*) FROM kind WHERE id > 1000") == 9
