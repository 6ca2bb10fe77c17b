"""Runs of repairs come to an end, or a person can end them: while one is active, nothing else heals."""

from __future__ import annotations

import pytest

from monitor.healing import writer
from monitor.state.runs import RunState
from tests.support.app import app_on
from tests.support.commands import on_one_server
from tests.support.healing import make_runtime
from tests.support.repairing import configured, mend, plan_repair

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
                "DROP TRIGGER IF EXISTS slow ON notes; DELETE FROM slow; UPDATE notes SET bad = TRUE"
            )
            assert (await mend(runtime, "bad")).run.state is RunState.SUCCEEDED
