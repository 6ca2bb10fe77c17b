"""Tables that don't let an undo take back what it should."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.healing.errors import NotUndoableError
from monitor.state.runs import RunState
from tests.support.healing import heal, paced, planted
from tests.support.undoing import refused, switches, undo

pytestmark = pytest.mark.prepared


async def test_without_a_unique_index_any_more_it_is_refused(app_database_url: str) -> None:
    async with planted(app_database_url, users=3, artworks=5) as (app, runtime):
        await heal(runtime)
        bare = replace(
            runtime.catalogue, impressions=replace(runtime.catalogue.impressions, indexes=())
        )
        runtime.state.catalogue = bare
        said = await refused(app, runtime, 1, NotUndoableError)
        assert "has no unique index on (user_id, artwork_id) any more" in said


async def test_rows_of_the_app_that_would_go_along_are_a_reason_to_refuse(
    app_database_url: str,
) -> None:
    async with planted(app_database_url, users=3, artworks=5) as (app, runtime):
        await heal(runtime)
        await app.run(
            "CREATE TABLE reactions (impression varchar CONSTRAINT reacted"
            " REFERENCES user_art_impressions ON DELETE CASCADE)"
        )
        said = await refused(app, runtime, 1, NotUndoableError)
        assert "reacted of reactions" in said
        # As it asks for: then what is referred to stays, whatever became of its moment.
        await app.run(
            "ALTER TABLE reactions DROP CONSTRAINT reacted, ADD CONSTRAINT reacted"
            " FOREIGN KEY (impression) REFERENCES user_art_impressions;"
            "INSERT INTO reactions SELECT id FROM user_art_impressions"
            " WHERE artwork_id = 'old0002'"
        )
        ended = (await undo(runtime, 1)).run
        assert (ended.state, ended.inserted, ended.remaining) == (RunState.PARTIAL, 12, 3)
        assert "3 are still there" in ended.outcome
        assert "23503" in ended.outcome
        assert await app.value("SELECT count(*) FROM conservator.backfilled_impression") == 3
        assert await app.value("SELECT count(*) FROM reactions") == 3


async def test_a_table_that_refuses_every_delete_fails_the_undo_with_its_reason(
    app_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.healing.refused_rows.MAX_REFUSED", 3)
    async with planted(app_database_url, users=3, artworks=5, **paced()) as (app, runtime):
        await heal(runtime)
        await app.run(
            "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'impressions are for ever'; END $$;"
            "CREATE TRIGGER no BEFORE DELETE ON user_art_impressions"
            " FOR EACH ROW EXECUTE FUNCTION no()"
        )
        before = await app.fingerprint("user_art_impressions", "conservator.backfilled_impression")
        ended = (await undo(runtime, 1)).run
        assert (ended.state, ended.inserted) == (RunState.FAILED, 0)
        assert "impressions are for ever" in ended.outcome
        assert await app.fingerprint(*before) == before
        assert (await switches(runtime)).suspended


async def test_a_trigger_that_swallows_deletes_leaves_the_undo_partial(
    app_database_url: str,
) -> None:
    async with planted(app_database_url, users=3, artworks=5) as (app, runtime):
        await heal(runtime)
        await app.run(
            "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN IF OLD.user_id = 'u0001' THEN RETURN NULL; END IF; RETURN OLD; END $$;"
            "CREATE TRIGGER no BEFORE DELETE ON user_art_impressions"
            " FOR EACH ROW EXECUTE FUNCTION no()"
        )
        ended = (await undo(runtime, 1)).run
        assert (ended.state, ended.inserted, ended.remaining) == (RunState.PARTIAL, 10, 5)
        assert await app.value("SELECT count(*) FROM conservator.backfilled_impression") == 5
