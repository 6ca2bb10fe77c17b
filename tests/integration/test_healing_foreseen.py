"""Batches of one round trip: what they begin with holds as foreseen, or nothing is written."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import psycopg
import pytest
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from monitor.config.types import MaintenanceWindow
from monitor.database import transaction
from monitor.healing import heal_strategy
from monitor.healing.errors import LeaseLostError
from monitor.healing.executor import Progress, RunResult
from monitor.healing.strategy import DueBatch
from monitor.healing.writer import Foreseen
from monitor.policy.decision import Code, Decision, Verdict
from monitor.runtime import Runtime
from monitor.state.counters import (
    BATCH_BOUNDS,
    BATCH_BUCKETS,
    BATCH_SECONDS_BUCKET,
    BATCH_SECONDS_SUM,
    batch_observation,
    read_counters,
)
from monitor.state.runs import RunState
from tests.support.app import App, app_on, conninfo
from tests.support.distance import Distance
from tests.support.healing import make_runtime, plan
from tests.support.ledger_audit import MISSED, assert_ledger_is_there, assert_records_agree

pytestmark = pytest.mark.prepared

USERS, ARTWORKS, BATCH = 20, 4, 10
"""Each batch takes two users: ten batches."""
ROWS = USERS * ARTWORKS
BEHIND = 3
"""Batches after which something happens: the one behind them is written in one trip."""

_TRIGGER = """
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER nothing AFTER INSERT ON user_art_impressions
    FOR EACH ROW EXECUTE FUNCTION nothing()
"""
_ASIDE = """
INSERT INTO conservator.quarantine
    (user_id, artwork_id, run_id, error, first_at, last_at, retry_at)
SELECT user_id, 'old0001', run_id, 'refused', now(), now(), now() + interval '1 day'
FROM conservator.work WHERE position = 9
"""
_IN_PART = "UPDATE conservator.run SET artwork_cursor = 'old0001'"
_MOVED_BACK = "UPDATE conservator.run SET position = position - 2"
_PAUSE = "UPDATE conservator.control SET paused = TRUE, paused_reason = 'stocktaking'"
_BREAKER = "UPDATE conservator.control SET breaker_open = TRUE, breaker_reason = 'too much'"
_ANOTHERS = "UPDATE conservator.run SET token = token + 1"
_TYPES = "ALTER TABLE user_art_impressions ALTER COLUMN viewed_at TYPE timestamptz"
_REFUSES = """
ALTER TABLE user_art_impressions ADD CONSTRAINT refuses CHECK (
    (user_id, artwork_id) <> ('u0010', 'old0003')) NOT VALID
"""


@asynccontextmanager
async def gallery(
    url: str, folder: Path, *, catalog: Mapping[str, object] = MappingProxyType({}), **pace: object
) -> AsyncIterator[tuple[App, Runtime, Distance]]:
    """Users who lack few artworks each, and a proxy that counts the trips."""
    parsed = make_url(url)
    proxy = Distance(Path(str(parsed.query["host"])), 0)
    wired = parsed.update_query_dict({"host": str(folder)})
    async with app_on(url) as app, proxy.at(folder):
        await app.plant(users=USERS, artworks=ARTWORKS)
        through = wired.render_as_string(hide_password=False)
        healing = {"pace": {"max_batch": BATCH, "batch_target": "5s", **pace}}
        more = {"catalog": catalog} if catalog else {}
        async with make_runtime(through, lease="10m", healing=healing, **more) as runtime:
            yield app, runtime, proxy


async def work(
    url: str, runtime: Runtime, meanwhile: str | None = None
) -> tuple[RunResult, list[str]]:
    """A run behind whose third batch something is done, and what was logged."""
    progress: list[Progress] = []

    def note(one: Progress) -> None:
        progress.append(one)
        if meanwhile is not None and len(progress) == BEHIND:
            with psycopg.connect(conninfo(url)) as connection:
                connection.execute(meanwhile)

    run = await plan(runtime)
    with capture_logs() as events:
        ended = await runtime.executor(note).work(run)
    assert len(progress) == ended.run.batches
    return ended, [event["event"] for event in events]


def trips(proxy: Distance) -> list[int]:
    return [len(batch.trips) for batch in proxy.batches]


async def assert_written(app: App, rows: int) -> None:
    """So many pairs have their impression and their ledger row, and all books agree."""
    assert await app.value(MISSED) == ROWS - rows
    assert await app.value("SELECT count(*) FROM conservator.backfilled_impression") == rows
    await assert_ledger_is_there(app)
    await assert_records_agree(app)


async def test_only_the_first_batch_of_whole_users_is_begun_by_itself(
    app_database_url: str, tmp_path: Path
) -> None:
    async with gallery(app_database_url, tmp_path) as (app, runtime, proxy):
        ended, events = await work(app_database_url, runtime)
        assert (ended.run.state, ended.run.batches) == (RunState.SUCCEEDED, USERS // 2)
        assert trips(proxy) == [3] + [1] * (USERS // 2 - 1)
        assert "batch_begun_anew" not in events
        await assert_written(app, ROWS)
        assert await app.value("SELECT bool_and(seconds > 0 AND users = 2) FROM conservator.batch")
        kept = "SELECT writing_seconds - (SELECT sum(seconds) FROM conservator.batch)"
        assert abs(await app.value(f"{kept} FROM conservator.run")) < 1e-9


@pytest.mark.parametrize(
    ("meanwhile", "told"),
    [
        (_PAUSE, "stocktaking"),
        (_BREAKER, "too much"),
        (_TYPES, "types"),
    ],
)
async def test_what_is_switched_meanwhile_holds_the_run_before_anything_is_written(
    app_database_url: str, tmp_path: Path, meanwhile: str, told: str
) -> None:
    async with gallery(app_database_url, tmp_path) as (app, runtime, _):
        ended, events = await work(app_database_url, runtime, meanwhile)
        assert (ended.run.state, ended.run.batches) == (RunState.HELD, BEHIND)
        assert told in ended.run.outcome
        assert events.count("batch_begun_anew") == 1
        await assert_records_agree(app)
        assert await app.value(MISSED) == ROWS - 8 * BEHIND


async def test_a_run_that_is_anothers_by_then_is_left_alone(
    app_database_url: str, tmp_path: Path
) -> None:
    async with gallery(app_database_url, tmp_path) as (app, runtime, _):
        with pytest.raises(LeaseLostError):
            await work(app_database_url, runtime, _ANOTHERS)
        assert await app.value("SELECT batches FROM conservator.run") == BEHIND
        await assert_written(app, 8 * BEHIND)


@pytest.mark.parametrize(
    ("meanwhile", "rows", "passes", "anew", "behind"),
    [
        # A trigger is to be read back, and may be of no more than that.
        (_TRIGGER, ROWS, 1, 4, {4}),
        (_ASIDE, ROWS - 1, 1, 3, {1}),
        # What is left of the user; in the next pass the pair that was passed over, by itself.
        (_IN_PART, ROWS, 2, 3, {1, 3, 7}),
        # Two users are looked through again; behind the last ones more might be left of the plan.
        (_MOVED_BACK, ROWS, 1, 3, {1, 3}),
    ],
)
async def test_where_the_run_stands_elsewhere_the_batch_is_begun_anew(
    app_database_url: str,
    tmp_path: Path,
    meanwhile: str,
    rows: int,
    passes: int,
    anew: int,
    behind: set[int],
) -> None:
    async with gallery(app_database_url, tmp_path) as (app, runtime, proxy):
        ended, events = await work(app_database_url, runtime, meanwhile)
        assert (ended.run.inserted, ended.run.pass_) == (rows, passes)
        assert events.count("batch_begun_anew") == 1
        assert trips(proxy)[:BEHIND] == [3, 1, 1]
        # The one that was not carried out was sent as a batch, and then rolled back.
        assert trips(proxy)[BEHIND : BEHIND + 2] == [2, anew]
        assert set(trips(proxy)[BEHIND + 2 :]) == behind
        await assert_written(app, rows)


async def test_the_window_is_asked_before_each_batch_by_the_time_it_is_by_then(
    app_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dt.time] = []

    def closed(window: MaintenanceWindow | None, local: dt.time) -> Decision | None:
        asked.append(local)
        closed = Decision(Verdict.WAIT, Code.WINDOW, "closed by now")
        return closed if len(asked) > BEHIND else None

    monkeypatch.setattr(heal_strategy, "window_closed", closed)
    async with gallery(app_database_url, tmp_path) as (app, runtime, proxy):
        ended, events = await work(app_database_url, runtime)
        assert (ended.run.state, ended.run.batches) == (RunState.HELD, BEHIND)
        assert "closed by now" in ended.run.outcome
        # By what was foreseen, and then by the database's own clock.
        assert len(asked) == len(set(asked)) == BEHIND + 2
        assert trips(proxy) == [3, 1, 1]
        assert "batch_begun_anew" not in events
        await assert_written(app, 8 * BEHIND)


async def test_a_clock_that_is_elsewhere_leaves_the_window_to_the_database(
    app_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a failover, or where the process was put to sleep."""
    now = vars(Foreseen)["now"].fget

    def late(foreseen: Foreseen) -> DueBatch:
        due: DueBatch = now(foreseen)
        return replace(due, start=replace(due.start, now=due.start.now - dt.timedelta(seconds=5)))

    monkeypatch.setattr(Foreseen, "now", property(late))
    async with gallery(app_database_url, tmp_path) as (app, runtime, proxy):
        ended, events = await work(app_database_url, runtime)
        assert (ended.run.state, ended.run.batches) == (RunState.SUCCEEDED, USERS // 2)
        assert events.count("batch_begun_anew") == USERS // 2 - 1
        assert trips(proxy) == [3] + [2, 3] * (USERS // 2 - 1)
        await assert_written(app, ROWS)


async def test_what_the_operator_writes_of_a_parameter_is_none(
    app_database_url: str, tmp_path: Path
) -> None:
    defaults = {"impressions": {"defaults": {"note": "'at %(now)s, 100%'"}}}
    async with app_on(app_database_url) as app:
        await app.run("ALTER TABLE user_art_impressions ADD COLUMN note text")
    async with gallery(app_database_url, tmp_path, catalog=defaults) as (app, runtime, proxy):
        await work(app_database_url, runtime)
        assert trips(proxy)[:2] == [3, 1]
        notes = "SELECT note, count(*) FROM user_art_impressions WHERE note <> '' GROUP BY note"
        assert await app.rows(notes) == [("at %(now)s, 100%", ROWS)]
        await assert_written(app, ROWS)


async def test_users_that_fill_no_batch_wait_for_those_behind_them(
    app_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five are asked for at a time, of whom two fit."""
    monkeypatch.setattr(heal_strategy, "MAX_USERS", 5)
    monkeypatch.setattr(heal_strategy, "FORESEEN_BATCHES", 1)
    async with gallery(app_database_url, tmp_path) as (app, runtime, proxy):
        ended, _ = await work(app_database_url, runtime)
        assert ended.run.batches == USERS // 2
        assert trips(proxy) == [3, 1] * (USERS // 4)
        await assert_written(app, ROWS)


async def test_a_row_that_is_refused_is_found_and_the_others_are_written(
    app_database_url: str, tmp_path: Path
) -> None:
    async with gallery(app_database_url, tmp_path) as (app, runtime, proxy):
        ended, _ = await work(app_database_url, runtime, _REFUSES)
        assert (ended.run.inserted, ended.run.quarantined) == (ROWS - 1, 1)
        # With a pair aside, too; behind the last one more rows might have been left.
        assert trips(proxy)[-3:] == [1, 1, 3]
        await assert_written(app, ROWS - 1)


async def test_two_writers_begin_each_batch_by_itself(
    app_database_url: str, tmp_path: Path
) -> None:
    async with gallery(app_database_url, tmp_path, writers=2) as (app, runtime, proxy):
        await work(app_database_url, runtime)
        assert min(trips(proxy)) >= 3
        await assert_written(app, ROWS)


async def test_each_batch_is_counted_into_the_bucket_of_its_seconds(
    app_database_url: str, app_engine: AsyncEngine
) -> None:
    """By the database as by this process, at the bounds as well."""
    async with app_on(app_database_url) as app, make_runtime(app_database_url) as runtime:
        await app.plant(users=1, artworks=1)
        run = await plan(runtime)
        expected: dict[tuple[str, str], float] = {}
        around = [bound * factor for bound in BATCH_BUCKETS for factor in (0.5, 1, 1.001)]
        for number, seconds in enumerate([0.0, *around, 86400.0], start=1):
            for key, value in batch_observation(seconds).items():
                expected[key] = expected.get(key, 0.0) + value
            await app.run(
                "INSERT INTO conservator.batch (run_id, number, started_at, seconds, users,"
                " inserted) VALUES (%(run)s, %(number)s, now(), %(seconds)s, 1, 7)",
                run=run.id,
                number=number,
                seconds=seconds,
            )
            values = {
                **{"run_id": run.id, "number": number, "names": [], "labels": [], "values": []},
                **{"rows": "rows", "label": "", "bounds": list(BATCH_BOUNDS)},
                **{"sum": BATCH_SECONDS_SUM, "bucket": BATCH_SECONDS_BUCKET},
            }
            async with transaction(app_engine) as connection:
                await runtime.healing.run(connection, "batch_count", values)
        async with transaction(app_engine) as connection:
            found = await read_counters(connection, runtime.state)
        assert found.pop(("rows", "")) == 7 * number
        assert found == pytest.approx(expected)
