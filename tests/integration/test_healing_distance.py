"""Distance changes neither the size of batches nor the number of their round trips."""

from __future__ import annotations

from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, make_url
from structlog.testing import capture_logs

from monitor.healing.executor import Progress
from monitor.runtime import Runtime
from monitor.state.runs import RunState
from tests.support.app import App, app_on
from tests.support.commands import on_one_server
from tests.support.distance import Distance
from tests.support.healing import make_runtime, paced, plan, planted, working
from tests.support.ledger_audit import (
    assert_exactly_healed,
    assert_ledger_is_there,
    assert_records_agree,
    start_audit,
)
from tests.support.undoing import plan_undo
from tests.support.waiting import wait_until

pytestmark = pytest.mark.prepared

FAR_SECONDS = 0.15
"""Of a round trip. Three of them are nine times the target below: judged by what this process sees,
the first batch would be followed by one of a tenth."""
PACED = {"max_batch": 10, "batch_target": "50ms"}
SIGNALS = "pg_stat_replication"
"""Stands in what asks the standbys whether a run must wait."""
BEGINS_BATCH = "r.artwork_cursor"
"""Stands in what locks the run's row."""
BATCHES = 6
"""Each of three users takes two: ten rows, then five."""


@asynccontextmanager
async def far_away(
    url: str, folder: Path, **config: object
) -> AsyncIterator[tuple[App, Runtime, Distance]]:
    """Three users who lack fifteen artworks each, on a database from which nothing is far yet."""
    parsed = make_url(url)
    proxy = Distance(Path(str(parsed.query["host"])), 0)
    through = parsed.update_query_dict({"host": str(folder)})
    async with app_on(url) as app, proxy.at(folder):
        await app.plant(users=3, artworks=15)
        wired = through.render_as_string(hide_password=False)
        healing = {"healing": {"pace": PACED}, **config}
        # No heartbeat between the trips that are counted.
        async with make_runtime(wired, lease="10m", **healing) as runtime:
            yield app, runtime, proxy


def asked_meanwhile(proxy: Distance) -> bool:
    """Whether the signals have been asked for since the newest batch was begun."""
    batches = (n for n, one in enumerate(proxy.transactions) if one.is_batch)
    later = proxy.transactions[max(batches) + 1 :]
    return any(one.asks(SIGNALS) for one in later)


async def work(
    runtime: Runtime, proxy: Distance, run_id: int | None = None, ahead: list[bool] | None = None
) -> list[Progress]:
    """A heal run, or an undo of one; the plan is made from nearby. `ahead`: of each batch, whether
    the next one's signals were asked for before it was committed."""
    run = await plan(runtime) if run_id is None else await plan_undo(runtime, run_id)
    progress: list[Progress] = []

    def note(one: Progress) -> None:
        progress.append(one)
        if ahead is not None:
            ahead.append(asked_meanwhile(proxy))
        if len(progress) == (BATCHES if run_id is None else 5):
            proxy.seconds = 0

    proxy.seconds = FAR_SECONDS
    proxy.forget()
    ended = await runtime.executor(note).work(run)
    assert (ended.run.state, ended.run.inserted) == (RunState.SUCCEEDED, 45)
    return progress


async def test_a_batch_is_three_round_trips_and_as_large_far_away_as_nearby(
    app_database_url: str, tmp_path: Path
) -> None:
    async with far_away(app_database_url, tmp_path) as (app, runtime, proxy):
        progress = await work(runtime, proxy)
        assert [one.size for one in progress] == [10] * BATCHES
        assert [len(batch.trips) for batch in proxy.batches] == [3] * BATCHES
        first, second, third = proxy.batches[-1].trips
        assert first[0].startswith("BEGIN")
        assert [text.split()[0] for text in second] == ["SELECT", "WITH", "SELECT"]
        assert third[-2] == "COMMIT"
        # What the app can feel is far less than what this process waited.
        for one in progress:
            assert one.batch is not None
            assert 0 < one.batch.server_seconds < one.batch.seconds - 2 * FAR_SECONDS
        await assert_records_agree(app)
        await assert_ledger_is_there(app)
        undone = await work(runtime, proxy, 1)
        assert sum(one.batch.inserted for one in undone if one.batch is not None) == 45
        assert {one.size for one in undone} == {10}
        assert {len(batch.trips) for batch in proxy.batches} == {3}


async def test_whether_the_next_batch_must_wait_is_asked_while_one_is_committed(
    app_database_url: str, tmp_path: Path
) -> None:
    ahead: list[bool] = []
    async with far_away(app_database_url, tmp_path) as (_, runtime, proxy):
        await work(runtime, proxy, ahead=ahead)
    assert any(ahead)


async def test_what_fits_one_batch_is_one_and_no_other_one_is_begun_behind_it(
    app_database_url: str, tmp_path: Path
) -> None:
    roomy = {"pace": {"max_batch": 100}}
    async with far_away(app_database_url, tmp_path, healing=roomy) as (_, runtime, proxy):
        run = await plan(runtime)
        proxy.forget()
        ended = await runtime.executor(lambda _: None).work(run)
        assert (ended.run.state, ended.run.inserted) == (RunState.SUCCEEDED, 45)
    assert len(proxy.batches) == 1
    assert [one for one in proxy.transactions if one.asks(BEGINS_BATCH)] == proxy.batches


FAILING = """
CREATE SEQUENCE failures;
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF current_setting('application_name') = 'conservator'
        AND nextval('failures') = ANY (ARRAY{})
    THEN RAISE EXCEPTION 'told so' USING ERRCODE = '{}'; END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER fail BEFORE INSERT ON {} FOR EACH STATEMENT EXECUTE FUNCTION fail();
"""
WRITE, RECORD = "user_art_impressions", "conservator.batch"
PLAIN = "The database refused a statement ({}): told so."
LOCKED = "A lock was not to be had within database.lock_timeout"
TIMED_OUT = "A statement ran longer than it may and was cancelled"
AWAY = "The database can't be used: told so."


@on_one_server
@pytest.mark.parametrize(
    ("table", "state", "times", "sentence", "lost"),
    [
        (WRITE, "40P01", 2, PLAIN, False),
        (WRITE, "55P03", 1, LOCKED, False),
        (WRITE, "23503", 1, PLAIN, False),
        (RECORD, "40P01", 2, PLAIN, False),
        (RECORD, "57014", 1, TIMED_OUT, False),
        (RECORD, "25006", 1, AWAY, True),
    ],
)
async def test_a_statement_that_fails_inside_a_trip_is_retried_on_a_connection_that_works(
    app_database_url: str, table: str, state: str, times: int, sentence: str, lost: bool
) -> None:
    async with planted(app_database_url, users=5, artworks=10, **paced(10), lease="10m") as (
        app,
        runtime,
    ):
        await start_audit(app)
        run = await plan(runtime)
        await app.run(FAILING.format([2, 3][:times], state, table))
        dropped: list[object] = []
        event.listen(runtime.engine.sync_engine, "invalidate", lambda *_: dropped.append(_))
        with capture_logs() as events:
            ended = await runtime.executor(lambda _: None).work(run)
        retried = [e for e in events if e["event"] == "batch_retried"]
        assert [e["sqlstate"] for e in retried] == [state] * times
        assert all(e["error"].startswith(sentence.format(state)) for e in retried)
        assert bool(dropped) is lost
        assert (ended.run.state, ended.run.inserted, ended.run.batches) == (
            RunState.SUCCEEDED,
            50,
            5,
        )
        await assert_exactly_healed(app)
        await assert_records_agree(app)


async def test_a_row_that_is_locked_at_the_begin_of_a_batch_costs_a_retry(
    app_database_url: str,
) -> None:
    config = paced(10, "40ms")
    async with planted(app_database_url, users=2, artworks=10, **config) as (app, runtime):
        run = await plan(runtime)
        with capture_logs() as events:
            async with app.connection.transaction():
                await app.run("SELECT FROM conservator.run FOR UPDATE")
                task = working(runtime, run)
                await wait_until(lambda: bool(_retried(events)))
            ended = await task
        assert set(_retried(events)) == {"55P03"}
        assert (ended.run.state, ended.run.inserted) == (RunState.SUCCEEDED, 20)
        await assert_records_agree(app)


def _retried(events: list[MutableMapping[str, Any]]) -> list[str]:
    return [e["sqlstate"] for e in events if e["event"] == "batch_retried"]
