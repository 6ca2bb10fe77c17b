"""What an undo refuses before anything is changed, and what it changes besides impressions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.database import transaction
from monitor.healing.errors import ActiveRunError, NotUndoableError, PausedError
from monitor.healing.preview import NO_TRACE, UndoPreview, trace_warning
from monitor.runtime import Runtime
from monitor.state import control
from monitor.state.runs import Run, RunState, Trigger, UnknownRunError
from tests.support.app import app_on
from tests.support.healing import heal, heal_until, make_runtime, paced, plan, planted, working
from tests.support.undoing import BOOKS, UPSERT, plan_undo, previewed, refused, switches, undo

pytestmark = pytest.mark.prepared


async def test_an_undo_switches_automatic_healing_off_and_forgets_the_verified_cutoff(
    app_database_url: str,
) -> None:
    async with planted(app_database_url, users=3, artworks=5) as (_, runtime):
        await heal(runtime)
        assert (await switches(runtime)).verified_until is not None
        run = await plan_undo(runtime, 1)
        planned = await switches(runtime)
        assert (planned.suspended, planned.verified_until, planned.verified_at) == (
            True,
            None,
            None,
        )
        assert planned.suspended_reason == "run 1 was taken back by undo run 2"
        # Somebody ends the suspension together with a pause: the end of the undo sets it again.
        async with transaction(runtime.engine, timeout=runtime.settings.lease) as connection:
            await control.resume(connection, runtime.state)
        ended = await working(runtime, run)
        assert ended.run.state is RunState.SUCCEEDED
        assert (await switches(runtime)).suspended


async def test_a_users_backfill_is_taken_back_and_can_be_done_once_more(
    app_database_url: str,
) -> None:
    async with planted(app_database_url, users=3, artworks=5) as (app, runtime):
        before = await app.fingerprint("user_art_impressions")
        for user in ("u0001", "u0002"):
            await backfill(runtime, user)
        ended = (await undo(runtime, 1)).run
        assert (ended.state, ended.inserted, ended.subject) == (RunState.SUCCEEDED, 5, "u0001")
        assert await app.rows("SELECT user_id FROM conservator.backfilled_user") == [("u0002",)]
        again = await backfill(runtime, "u0001")
        assert again.inserted == 5
        await undo(runtime, again.id)
        await undo(runtime, 2)
        assert await app.fingerprint("user_art_impressions") == before


async def test_the_once_flag_goes_with_any_of_the_users_backfills(app_database_url: str) -> None:
    async with planted(app_database_url, users=3, artworks=5) as (app, runtime):
        await backfill(runtime, "u0001")
        await app.run("DELETE FROM user_art_impressions WHERE artwork_id = 'old0001'")
        await backfill(runtime, "u0001", force=True)
        assert await app.rows("SELECT run_id FROM conservator.backfilled_user") == [(2,)]
        await undo(runtime, 1)
        assert await app.rows("SELECT run_id FROM conservator.backfilled_user") == []


async def backfill(runtime: Runtime, user: str, *, force: bool = False) -> Run:
    run_owner = runtime.run_owner(Trigger.API)
    run = await runtime.planner.plan_user(run_owner, user, reason="a test", force=force)
    assert isinstance(run, Run)
    return (await working(runtime, run)).run


async def test_of_two_runs_over_the_same_pair_only_the_one_that_is_meant_is_taken_back(
    app_database_url: str,
) -> None:
    async with planted(app_database_url, users=3, artworks=5) as (app, runtime):
        await heal(runtime)
        await app.run("DELETE FROM user_art_impressions WHERE artwork_id = 'old0001'")
        await heal(runtime)
        assert (await undo(runtime, 1)).run.inserted == 12
        left = "SELECT DISTINCT artwork_id FROM user_art_impressions WHERE artwork_id LIKE 'old%'"
        assert await app.rows(left) == [("old0001",)]
        assert (await undo(runtime, 2)).run.inserted == 3
        assert await app.rows(left) == []


async def test_a_run_that_is_forgotten_can_be_taken_back_as_long_as_its_ledger_is_there(
    app_database_url: str,
) -> None:
    async with planted(app_database_url, users=3, artworks=5) as (app, runtime):
        await heal(runtime)
        await app.run("DELETE FROM conservator.run")
        assert (await undo(runtime, 1)).run.inserted == 15


async def test_what_can_not_be_taken_back_is_refused_in_a_sentence(app_database_url: str) -> None:
    async with planted(app_database_url, users=3, artworks=5, **paced()) as (app, runtime):
        said = await refused(app, runtime, 7, UnknownRunError)
        assert said == "There is no run 7; `conservator runs` lists them."
        healed = await plan(runtime)
        said = await refused(app, runtime, healed.id, ActiveRunError)
        assert "Run 1 is still active at 0 of 15 rows" in said
        await working(runtime, healed)
        undoing = await plan_undo(runtime, 1)
        said = await refused(app, runtime, 1, ActiveRunError)
        assert "Run 2 is taking run 1 back already: 0 of 15 rows" in said
        said = await refused(app, runtime, 2, NotUndoableError)
        assert "`conservator undo 1` goes on with it" in said
        with pytest.raises(ActiveRunError, match="`conservator undo 1` goes on with it"):
            await plan(runtime)
        await working(runtime, undoing)
        said = await refused(app, runtime, 2, NotUndoableError)
        assert "`conservator heal` writes what is missing" in said
        async with transaction(runtime.engine, timeout=runtime.settings.lease) as connection:
            await control.pause(connection, runtime.state, "an incident")
        said = await refused(app, runtime, 1, PausedError)
        assert said == "Paused: an incident. `conservator resume` ends the pause."


async def test_where_nothing_is_left_there_is_no_undo(app_database_url: str) -> None:
    async with planted(app_database_url, users=3, artworks=5) as (app, runtime):
        await heal(runtime)
        for n in (1, 2):
            await app.run(UPSERT, user="u0001", artwork=f"old000{n}")
        assert (await undo(runtime, 1)).run.inserted == 13
        async with transaction(runtime.engine, timeout=runtime.settings.lease) as connection:
            await control.resume(connection, runtime.state)
        before = await app.fingerprint(*BOOKS)
        planned = await runtime.undo_planner.plan(
            runtime.run_owner(Trigger.COMMAND), 1, reason="again"
        )
        assert planned is None
        assert await app.fingerprint(*BOOKS) == before
        assert await previewed(runtime, 1) == UndoPreview(2, 1, 0, 2, 0)


async def test_a_run_that_was_put_down_is_ended_and_taken_back(app_database_url: str) -> None:
    async with planted(app_database_url, users=10, artworks=10, **paced()) as (app, runtime):
        before = await app.fingerprint("user_art_impressions")
        held = (await heal_until(runtime, await plan(runtime), batches=3)).run
        assert (held.state, held.inserted) == (RunState.HELD, 30)
        assert (await undo(runtime, held.id)).run.inserted == 30
        assert await app.rows("SELECT id, kind, state FROM conservator.run ORDER BY id") == [
            (1, "heal", "partial"),
            (2, "undo", "succeeded"),
        ]
        assert await app.value("SELECT count(*) FROM conservator.work") == 0
        assert await app.fingerprint("user_art_impressions") == before


async def test_another_run_that_was_put_down_has_to_be_finished_first(
    app_database_url: str,
) -> None:
    async with planted(app_database_url, users=4, artworks=5, **paced(5)) as (app, runtime):
        await heal(runtime, max_rows=10)
        await heal_until(runtime, await plan(runtime), batches=1)
        said = await refused(app, runtime, 1, ActiveRunError)
        assert "Run 2 was put down at 5 of 10 rows" in said
        assert "`conservator undo 2`" in said


async def test_the_warning_about_traces_goes_only_when_the_app_has_left_one(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url), make_runtime(app_database_url) as runtime:
        catalogue = runtime.catalogue
    assert trace_warning(catalogue, UndoPreview(9, 3, 9, 0, 0)) == NO_TRACE
    assert trace_warning(catalogue, UndoPreview(9, 3, 8, 0, 1)) == NO_TRACE
    assert trace_warning(catalogue, UndoPreview(9, 3, 8, 1, 0)) is None
    assert trace_warning(catalogue, UndoPreview(9, 3, 0, 0, 9)) is None
    # The same day twice is no trace at all.
    columns = catalogue.impressions.columns
    dated = {**columns, "viewed_at": replace(columns["viewed_at"], type="date")}
    catalogue = replace(catalogue, impressions=replace(catalogue.impressions, columns=dated))
    assert trace_warning(catalogue, UndoPreview(9, 3, 8, 1, 0)) == NO_TRACE
