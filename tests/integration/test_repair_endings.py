"""Runs of repairs come to an end, or can be ended: while one is active, nothing else heals."""

from __future__ import annotations

import pytest

from checks.errors import StatementError
from monitor.healing import writer
from monitor.healing.errors import ActiveRunError, NotUndoableError
from monitor.run_tools import tools_to_undo
from monitor.service.service import Service
from monitor.state.runs import RunState
from tests.support.app import app_on
from tests.support.commands import on_one_server
from tests.support.healing import make_runtime, service_settings
from tests.support.repairing import begin_undo, configured, mend, plan_repair, put_down, take_back
from tests.support.services import running

pytestmark = on_one_server

TABLES = """
CREATE TABLE notes (id bigint PRIMARY KEY, bad boolean NOT NULL DEFAULT TRUE);
INSERT INTO notes SELECT n, n < 10 FROM generate_series(1, 10) AS n;
CREATE TABLE slow ();
CREATE FUNCTION in_time() RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
    IF EXISTS (SELECT FROM slow) THEN PERFORM pg_sleep(9); END IF;
    RETURN TRUE; END $$
"""
FIND = "SELECT id, FALSE AS bad FROM notes WHERE CASE WHEN in_time() THEN bad END"
REPAIR = configured("bad", table="notes", find=FIND, action="update")
LATER = """
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
    INSERT INTO slow DEFAULT VALUES; RETURN NULL; END $$;
CREATE TRIGGER slow AFTER UPDATE ON notes FOR EACH STATEMENT EXECUTE FUNCTION slow();
"""
"""Too slow once the first batch has been written."""
SLOW = {"repairs": [REPAIR], "database": {"statement_timeout": "300ms"}}


@pytest.mark.parametrize("mended", [0, 9])
async def test_a_find_that_has_become_too_slow_ends_the_run(
    app_database_url: str, monkeypatch: pytest.MonkeyPatch, mended: int
) -> None:
    """In a batch, or once all is mended: taken up again it would be as slow, for ever."""
    monkeypatch.setattr(writer, "ATTEMPTS", 2)
    async with app_on(app_database_url) as app:
        await app.run(TABLES)
        async with make_runtime(app_database_url, **SLOW) as runtime:
            tools, run = await plan_repair(runtime, "bad")
            assert run is not None
            await app.run(LATER if mended else "INSERT INTO slow DEFAULT VALUES")
            done = (await tools.executor(lambda _: None).work(run)).run
            assert (done.state, done.inserted) == (RunState.FAILED, mended)
            assert "longer than it may" in done.outcome
            await app.run(
                "DROP TRIGGER IF EXISTS slow ON notes; DELETE FROM slow;"
                " UPDATE notes SET bad = id < 10"
            )
            assert (await mend(runtime, "bad")).run.state is RunState.SUCCEEDED


COUNTS = configured(
    "bad",
    table="notes",
    find="SELECT id, nextval('used') AS id_then FROM notes WHERE bad",
    action="update",
)


async def test_a_find_that_writes_ends_the_run_that_nobody_has_looked_at_before(
    app_database_url: str,
) -> None:
    """It is found out where it is evaluated to read only, which says nothing of the database."""
    async with app_on(app_database_url) as app:
        await app.run(
            TABLES + "; CREATE SEQUENCE used; GRANT ALL ON SEQUENCE used TO PUBLIC;"
            " ALTER TABLE notes ADD id_then bigint"
        )
        async with make_runtime(app_database_url, repairs=[COUNTS]) as runtime:
            done = (await mend(runtime, "bad")).run
            assert (done.state, done.inserted) == (RunState.FAILED, 9)
            assert "wants to write or to lock" in done.outcome


async def test_a_find_that_writes_is_refused_to_a_caller_before_it_has_written(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app:
        await app.plant(users=2, artworks=0)
        await app.run(
            TABLES + "; CREATE TABLE traces (id bigint);"
            "CREATE FUNCTION leaves(id bigint) RETURNS boolean LANGUAGE sql SECURITY DEFINER"
            " AS 'INSERT INTO traces VALUES (id); SELECT TRUE'"
        )
        find = "SELECT id FROM notes WHERE leaves(id)"
        repair = {**configured("bad", table="notes", find=find, action="delete"), "mode": "observe"}
        settings = await service_settings(app_database_url, repairs=[repair])
        async with running(Service(settings)) as service:
            with pytest.raises(StatementError, match="wants to write"):
                await service.commands.mend("bad")
        assert await app.value("SELECT count(*) FROM conservator.run") == 0
        assert await app.value("SELECT count(*) FROM traces") == 0


PLAIN = configured("bad", table="notes", find="SELECT id FROM notes WHERE bad", action="delete")


async def test_an_undo_that_can_not_go_on_is_ended_by_who_asks_for_it(
    app_database_url: str,
) -> None:
    """Without a service nobody else would, and nothing could be mended beside it."""
    async with app_on(app_database_url) as app:
        await app.run(
            TABLES + "; CREATE TABLE more AS TABLE notes; ALTER TABLE more ADD UNIQUE (id)"
        )
        more = {**PLAIN, "name": "more", "table": "more", "key": ["id"]}
        more["find"] = "SELECT id FROM more WHERE bad"
        async with make_runtime(app_database_url, repairs=[PLAIN, more]) as runtime:
            done = (await mend(runtime, "bad")).run
            _, undo = await begin_undo(runtime, done.id)
            await put_down(app)
            await app.run("DROP TABLE notes")
            with pytest.raises(NotUndoableError, match="no table notes"):
                await tools_to_undo(runtime, done.id, looks=True)
            assert await app.value("SELECT count(*) FROM conservator.run WHERE state = 'held'") == 1
            with pytest.raises(NotUndoableError, match=f"Run {undo.id}, which had begun to, is"):
                await take_back(runtime, done.id)
            assert await app.value("SELECT count(*) FROM conservator.repaired_row") == 9
            assert (await mend(runtime, "more")).run.state is RunState.SUCCEEDED


async def test_an_undo_ends_a_run_that_was_put_down_and_has_written_nothing(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app:
        await app.run(TABLES)
        async with make_runtime(app_database_url, repairs=[PLAIN]) as runtime:
            _, run = await plan_repair(runtime, "bad")
            assert run is not None
            with pytest.raises(ActiveRunError, match="is still active"):
                await take_back(runtime, run.id)
            await put_down(app)
            assert await take_back(runtime, run.id) is None
            assert await app.value("SELECT state FROM conservator.run") == "partial"
            assert (await mend(runtime, "bad")).run.inserted == 9


async def test_a_find_that_can_not_reach_another_server_ends_the_run(
    app_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a foreign table, say: what the server says of that is not said of the server, and nothing
    else has to wait until the other one is back."""
    monkeypatch.setattr(writer, "ATTEMPTS", 2)
    async with app_on(app_database_url) as app:
        await app.run(TABLES)
        async with make_runtime(app_database_url, repairs=[REPAIR]) as runtime:
            tools, run = await plan_repair(runtime, "bad")
            assert run is not None
            await app.run(
                "CREATE OR REPLACE FUNCTION in_time() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN"
                " RAISE 'could not connect to server \"other\"' USING ERRCODE = '08001'; END $$"
            )
            done = (await tools.executor(lambda _: None).work(run)).run
            assert (done.state, done.inserted) == (RunState.FAILED, 0)
            assert "(08001): could not connect to server" in done.outcome
