"""Batches that are written at the same time: committed in their order, each whole or not at all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from monitor.database import transaction
from monitor.healing.executor import Progress, RunResult
from monitor.healing.heal_strategy import HealStrategy
from monitor.healing.strategy import DueBatch, OpenBatch
from monitor.runtime import Runtime
from monitor.state import control
from monitor.state.runs import RunState
from tests.support.app import App, app_on, conninfo
from tests.support.databases import cloned
from tests.support.healing import (
    RECORD,
    Gate,
    claimed,
    heal,
    planted,
    prepared_template,
    working,
)
from tests.support.healing import plan as plan_run
from tests.support.ledger_audit import (
    MISSED,
    assert_exactly_healed,
    assert_ledger_is_there,
    assert_records_agree,
    start_audit,
)
from tests.support.postgres import PostgresServer
from tests.support.waiting import wait_until

pytestmark = pytest.mark.prepared

USERS, ARTWORKS, BATCH = 10, 4, 10
"""Each batch takes two users."""
LEGACY = USERS * ARTWORKS

_WAIT_FOR_THEIR_TURN = """
SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE NOT granted AND locktype <> 'advisory' AND application_name = 'conservator'
"""
_IN_A_BATCH = """
SELECT count(*) FROM pg_stat_activity
WHERE application_name = 'conservator' AND datname = current_database()
    AND (state = 'idle in transaction' OR wait_event_type = 'Lock')
"""
_LISTED = "SELECT count(*) FROM conservator.backfilled_impression"
_BEGAN_TOO_EARLY = """
SELECT count(*) FROM conservator.batch AS a JOIN conservator.batch AS b ON b.number = a.number + 1
WHERE b.started_at < a.started_at + make_interval(secs => a.seconds / 2)
"""
"""Batches that had begun before the one before them was half done. Its seconds are this process's,
and have its wait for a connection in them."""


# No lock is waited for here, so that no lock timeout ends it.
_SLOW_RECORD = """
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
    WHILE NOT pg_try_advisory_xact_lock_shared(47) LOOP PERFORM pg_sleep(0.01); END LOOP;
    RETURN NULL;
END $$;
CREATE TRIGGER slow BEFORE INSERT ON conservator.batch
    FOR EACH STATEMENT EXECUTE FUNCTION slow();
"""
_TRIGGER = """
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER nothing AFTER INSERT ON user_art_impressions
    FOR EACH ROW EXECUTE FUNCTION nothing();
"""
_WAITS_LONG = """
SELECT count(*) FROM pg_locks
WHERE NOT granted AND clock_timestamp() - waitstart > interval '300 milliseconds'
"""

_UPGRADE_WAITS = """
SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'
"""


def together(writers: int = 2, max_batch: int = BATCH, **database: object) -> dict[str, Any]:
    pace = {"max_batch": max_batch, "batch_target": "5s", "writers": writers}
    return {"healing": {"pace": pace}, "database": {"lock_timeout": "1m", **database}}


async def at_record(app: App, gate: Gate, *, waiting: int = 1) -> None:
    """The first batch has written and stands before its record; so many wait for their turn."""
    await wait_until(gate.somebody_waits)

    async def wait() -> bool:
        return bool(await app.value(_WAIT_FOR_THEIR_TURN) == waiting)

    await wait_until(wait)


@asynccontextmanager
async def two_at_the_gate(
    url: str, **config: object
) -> AsyncIterator[tuple[App, Runtime, Gate, asyncio.Task[RunResult]]]:
    """Two batches that have written their rows; the first one may not go on, nor so the second."""
    async with (
        planted(url, users=USERS, artworks=ARTWORKS, **(config or together())) as (app, runtime),
        app_on(url) as keeper,
    ):
        run, gate = await plan_run(runtime), Gate(keeper)
        await gate.build(place=RECORD)
        await keeper.run("DROP TRIGGER gate ON user_art_impressions")
        task = working(runtime, run)
        await at_record(app, gate)
        yield app, runtime, gate, task


async def assert_healed(app: App, rows: int = LEGACY) -> None:
    assert await app.value(MISSED) == 0
    assert await app.value(_LISTED) == rows
    await assert_records_agree(app)
    await assert_ledger_is_there(app)


@pytest.mark.parametrize("writers", [2, 3, 4])
async def test_several_batches_are_written_at_the_same_time_and_committed_in_their_order(
    app_database_url: str, writers: int
) -> None:
    config = together(writers, pool_size=8)
    async with (
        planted(app_database_url, users=USERS, artworks=ARTWORKS, **config) as (app, runtime),
        app_on(app_database_url) as keeper,
    ):
        told: list[Progress] = []
        run, gate = await plan_run(runtime), Gate(keeper)
        await gate.build(place=RECORD)
        await keeper.run("DROP TRIGGER gate ON user_art_impressions")
        started = time.perf_counter()
        task = asyncio.create_task(runtime.executor(told.append).work(run))
        # The third is not let to the lock before the second has it.
        await at_record(app, gate)
        await wait_until(lambda: _are_in_batches(app, writers))
        assert await app.value(_LISTED) == 0
        await gate.open()
        ended = await task
        elapsed = time.perf_counter() - started
        assert (ended.run.state, ended.run.inserted) == (RunState.SUCCEEDED, LEGACY)
        await assert_healed(app)
        batches = [one.batch for one in told if one.batch is not None]
        assert [one.number for one in batches] == list(range(1, ended.run.batches + 1))
        totals = [one.total_inserted for one in batches]
        assert totals == sorted(totals)
        # What two of them spend at the same time, the run has spent once.
        assert await app.value("SELECT writing_seconds FROM conservator.run") < elapsed


async def _are_in_batches(app: App, number: int) -> bool:
    return bool(await app.value(_IN_A_BATCH) == number)


@settings(
    max_examples=12,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    users=st.integers(1, 12),
    artworks=st.integers(1, 6),
    untracked=st.integers(0, 2),
    max_batch=st.integers(1, 20),
    writers=st.integers(2, 4),
    max_rows=st.integers(1, 100),
)
def test_as_many_rows_are_written_as_by_one(
    server: PostgresServer,
    users: int,
    artworks: int,
    untracked: int,
    max_batch: int,
    writers: int,
    max_rows: int,
) -> None:
    async def run(url: str) -> None:
        config = together(writers, max_batch, pool_size=8)
        async with planted(url, users=users, artworks=artworks, untracked=untracked, **config) as (
            app,
            runtime,
        ):
            expected = min(await app.value(MISSED), max_rows)
            ended = await heal(runtime, max_rows=max_rows)
            assert ended.run.inserted == await app.value(_LISTED) == expected
            assert ended.run.pass_ == 1
            await assert_records_agree(app)
            await assert_ledger_is_there(app)

    with cloned(server, prepared_template(server)) as url:
        asyncio.run(run(url))


async def test_a_turn_is_waited_for_longer_than_a_lock(app_database_url: str) -> None:
    """The first batch may take seconds: what the second one has written is not for nothing."""
    async with (
        planted(
            app_database_url, users=USERS, artworks=ARTWORKS, **together(lock_timeout="100ms")
        ) as (app, runtime),
        app_on(app_database_url) as keeper,
    ):
        run = await plan_run(runtime)
        await keeper.run(_SLOW_RECORD)
        await keeper.run("SELECT pg_advisory_lock(47)")
        with capture_logs() as events:
            task = working(runtime, run)

            async def waits() -> bool:
                return bool(await app.value(_WAITS_LONG))

            await wait_until(waits)
            await keeper.run("SELECT pg_advisory_unlock(47)")
            ended = await task
        assert ended.run.state is RunState.SUCCEEDED
        assert not [e for e in events if e["event"] == "batches_one_at_a_time"]
        await assert_healed(app)


async def test_an_upgrade_comes_before_a_batch_or_after_it(app_database_url: str) -> None:
    """It alters the table of runs first: no batch that has begun asks for that one only then."""
    async with (
        planted(app_database_url, users=USERS, artworks=ARTWORKS, **together()) as (app, runtime),
        app_on(app_database_url) as visitor,
        app_on(app_database_url) as upgrade,
    ):
        run = await plan_run(runtime)
        await visitor.run("BEGIN")
        await visitor.run(
            "INSERT INTO user_art_impressions (user_id, artwork_id) VALUES ('u0003', 'old0003')"
        )

        async def alter() -> None:
            await upgrade.run("BEGIN")
            await upgrade.run("LOCK TABLE conservator.run")
            await upgrade.run("LOCK TABLE conservator.backfilled_impression")
            await upgrade.run("COMMIT")

        async def only_the_second_is_left() -> bool:
            done = await app.value("SELECT count(*) FROM conservator.batch")
            return bool(done == 1 and await app.value(_WAIT_FOR_THEIR_TURN) == 1)

        async def upgrade_waits() -> bool:
            return bool(await app.value(_UPGRADE_WAITS))

        with capture_logs() as events:
            task = working(runtime, run)
            await wait_until(only_the_second_is_left)
            upgraded = asyncio.create_task(alter())
            await wait_until(upgrade_waits)
            await visitor.run("ROLLBACK")
            await upgraded
            ended = await task
        assert ended.run.state is RunState.SUCCEEDED
        assert not [e for e in events if e["event"] in {"batches_one_at_a_time", "batch_retried"}]
        await assert_healed(app)


async def test_a_pause_holds_the_one_that_waits_for_its_turn(app_database_url: str) -> None:
    async with two_at_the_gate(app_database_url) as (app, runtime, gate, task):
        async with transaction(runtime.engine, timeout=runtime.settings.lease) as connection:
            await control.pause(connection, runtime.state, "an incident")
        with capture_logs() as events:
            await gate.open()
            held = await task
        assert not [e for e in events if e["event"] == "batches_one_at_a_time"]
        assert (held.run.state, held.run.batches, held.run.inserted) == (RunState.HELD, 1, 8)
        assert await app.value(_LISTED) == 8
        async with transaction(runtime.engine, timeout=runtime.settings.lease) as connection:
            await control.resume(connection, runtime.state)
        await working(runtime, await claimed(runtime, held.run.id))
        await assert_healed(app)


async def test_where_the_first_fails_the_second_is_not_committed(app_database_url: str) -> None:
    async with two_at_the_gate(app_database_url) as (app, _, gate, task):
        with capture_logs() as events:
            [first] = await gate.waiting()
            await app.run("SELECT pg_terminate_backend(%(p)s, 5000)", p=first)
            await gate.open()
            ended = await task
        assert [e["event"] for e in events if "at_a_time" in e["event"]] == [
            "batches_one_at_a_time"
        ]
        assert (ended.run.state, ended.run.pass_) == (RunState.SUCCEEDED, 1)
        assert await app.value(_BEGAN_TOO_EARLY) == 0
        await assert_healed(app)


@pytest.fixture
def aheads(monkeypatch: pytest.MonkeyPatch) -> list[DueBatch | None]:
    """What was said of where the next batch begins."""
    said: list[DueBatch | None] = []
    ahead = HealStrategy.ahead

    def listened(strategy: HealStrategy, batch: OpenBatch) -> DueBatch | None:
        said.append(ahead(strategy, batch))
        return said[-1]

    monkeypatch.setattr(HealStrategy, "ahead", listened)
    return said


async def test_a_part_of_a_user_is_written_by_itself(
    app_database_url: str, aheads: list[DueBatch | None]
) -> None:
    """What is left of the plan decides whether it is the user's last one, and is known when the
    batch before has been committed."""
    async with planted(app_database_url, users=4, artworks=12, **together()) as (app, runtime):
        await app.run(
            "INSERT INTO user_art_impressions (user_id, artwork_id, viewed_at)"
            " SELECT u, id, timezone('UTC', now()) FROM art_sessions,"
            " unnest(ARRAY['u0001', 'u0002']) AS u"
            " WHERE id ~ '^old' AND right(id, 4)::int > 6"
        )
        ended = await heal(runtime)
        assert ended.run.state is RunState.SUCCEEDED
        # The first two take six rows each, the others ten and two.
        places = [None if one is None else one.start.position for one in aheads]
        assert [one for one in places if one is not None] == [1]
        await assert_healed(app, 2 * 6 + 2 * 12)


async def test_a_row_that_is_refused_costs_the_others_nothing(app_database_url: str) -> None:
    async with planted(app_database_url, users=USERS, artworks=ARTWORKS, **together()) as (
        app,
        runtime,
    ):
        await app.run(
            "ALTER TABLE user_art_impressions ADD CONSTRAINT refuses"
            " CHECK ((user_id, artwork_id) <> ('u0004', 'old0002')) NOT VALID"
        )
        with capture_logs() as events:
            ended = await heal(runtime)
        # Whether it stops the first one or the second, what follows is written by two again.
        assert not [e for e in events if e["event"] == "batches_one_at_a_time"]
        assert (ended.run.state, ended.run.inserted) == (RunState.PARTIAL, LEGACY - 1)
        assert await app.value(MISSED) == 1
        assert await app.rows("SELECT user_id, artwork_id FROM conservator.quarantine") == [
            ("u0004", "old0002")
        ]
        await assert_records_agree(app)


async def test_beside_a_trigger_of_the_app_batches_go_one_at_a_time(
    app_database_url: str, aheads: list[DueBatch | None]
) -> None:
    """It may lock the same rows for both: one would wait for the other, which waits for its
    turn."""
    async with planted(app_database_url, users=USERS, artworks=ARTWORKS, **together()) as (
        app,
        runtime,
    ):
        await start_audit(app)
        ended = await heal(runtime)
        assert ended.run.state is RunState.SUCCEEDED
        assert set(aheads) == {None}
        await assert_exactly_healed(app)


async def test_a_trigger_that_comes_meanwhile_keeps_the_second_from_being_committed(
    app_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = HealStrategy.ahead
    made: list[str] = []

    def with_a_trigger(strategy: HealStrategy, batch: OpenBatch) -> DueBatch | None:
        if not made:
            with psycopg.connect(conninfo(app_database_url)) as connection:
                connection.execute(_TRIGGER)
            made.append("trigger")
        return ahead(strategy, batch)

    async with planted(app_database_url, users=USERS, artworks=ARTWORKS, **together()) as (
        app,
        runtime,
    ):
        run = await plan_run(runtime)
        monkeypatch.setattr(HealStrategy, "ahead", with_a_trigger)
        with capture_logs() as events:
            ended = await working(runtime, run)
        [told] = [e["error"] for e in events if e["event"] == "batches_one_at_a_time"]
        assert told == "There are triggers now on the impressions."
        assert ended.run.state is RunState.SUCCEEDED
        await assert_healed(app)


async def test_a_pool_without_a_connection_to_spare_writes_one_at_a_time(
    app_database_url: str,
) -> None:
    async with (
        planted(app_database_url, users=USERS, artworks=ARTWORKS, **together(pool_size=3)) as (
            app,
            runtime,
        ),
        app_on(app_database_url) as keeper,
    ):
        run, gate = await plan_run(runtime), Gate(keeper)
        await gate.build(place=RECORD)
        await keeper.run("DROP TRIGGER gate ON user_art_impressions")
        async with runtime.engine.connect():
            task = working(runtime, run)
            await wait_until(gate.somebody_waits)
            await gate.open()
            ended = await task
        assert ended.run.state is RunState.SUCCEEDED
        assert await app.value(_BEGAN_TOO_EARLY) == 0
        await assert_healed(app)
