"""What a run gets over: rows that are locked, rows that are deleted meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
from structlog.testing import capture_logs

from monitor.state.runs import RunState
from tests.support.app import App, app_on
from tests.support.healing import (
    at_the_gate,
    claimed,
    heal,
    heal_until,
    paced,
    plan,
    planted,
    working,
)
from tests.support.ledger_audit import (
    assert_ledger_is_there,
    assert_only_legacy_inserted,
    assert_records_agree,
    start_audit,
)
from tests.support.waiting import wait_until

pytestmark = pytest.mark.prepared

PACED = paced(10, "30s")


class Retries:
    """The SQLSTATEs of the attempts that failed and were repeated."""

    def __init__(self, events: list[MutableMapping[str, Any]]) -> None:
        self._events = events

    @property
    def states(self) -> list[str]:
        return [e["sqlstate"] for e in self._events if e["event"] == "batch_retried"]


@pytest.fixture
def retries() -> Iterator[Retries]:
    with capture_logs() as events:
        yield Retries(events)


@asynccontextmanager
async def uncommitted_view(app: App, user: str, artwork: str) -> AsyncIterator[None]:
    """The app has recorded a view, and has not committed it, as long as the context lasts."""
    async with app.connection.transaction():
        await app.run(
            "INSERT INTO user_art_impressions (user_id, artwork_id, viewed_at)"
            " VALUES (%(user)s, %(artwork)s, timezone('UTC', now()))",
            user=user,
            artwork=artwork,
        )
        yield


async def test_a_row_that_the_app_keeps_locked_costs_a_retry_and_nothing_else(
    app_database_url: str, retries: Retries
) -> None:
    async with (
        planted(app_database_url, users=6, artworks=10, **paced(10, "40ms")) as (app, runtime),
        app_on(app_database_url) as visitor,
    ):
        run = await plan(runtime)
        async with uncommitted_view(visitor, "u0002", "old0005"):
            task = working(runtime, run)
            await wait_until(lambda: len(retries.states) == 2)
            assert await app.rows("SELECT state, batches FROM conservator.run") == [("running", 1)]
        ended = await task
        assert (ended.run.state, ended.run.inserted) == (RunState.SUCCEEDED, 59)
        assert set(retries.states) == {"55P03"}
        await assert_records_agree(app)
        await assert_ledger_is_there(app)


async def test_a_view_that_commits_while_a_batch_waits_for_it_stays_as_the_app_wrote_it(
    app_database_url: str, retries: Retries
) -> None:
    async with (
        planted(app_database_url, users=3, artworks=10, **PACED) as (app, runtime),
        app_on(app_database_url) as visitor,
    ):
        await start_audit(app)
        run = await plan(runtime)
        async with uncommitted_view(visitor, "u0002", "old0005"):
            task = working(runtime, run)
            await wait_until(lambda: waits_for_a_row(app))
        ended = await task
        assert (ended.run.state, ended.run.inserted) == (RunState.SUCCEEDED, 29)
        assert retries.states == []
        await assert_only_legacy_inserted(app)
        await assert_records_agree(app)


async def waits_for_a_row(app: App) -> bool:
    found = await app.value(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'conservator'"
        " AND wait_event = 'transactionid' AND datname = current_database()"
    )
    return bool(found)


async def test_a_stop_while_a_batch_is_being_retried_holds_the_run(
    app_database_url: str, retries: Retries
) -> None:
    async with (
        planted(app_database_url, users=3, artworks=10, **paced(10, "50ms")) as (_, runtime),
        app_on(app_database_url) as visitor,
    ):
        run = await plan(runtime)
        executor = runtime.executor(lambda _: None)
        async with uncommitted_view(visitor, "u0001", "old0001"):
            task = asyncio.create_task(executor.work(run))
            await wait_until(lambda: len(retries.states) == 1)
            executor.stop()
            held = await asyncio.wait_for(task, timeout=2)
        assert (held.run.state, held.run.inserted) == (RunState.HELD, 0)


@pytest.mark.parametrize(
    ("deletion", "left"),
    [
        ("DELETE FROM art_sessions WHERE id = 'old0004'", 10 * 9 - 1),
        ("DELETE FROM users WHERE id = 'u0002'", 9 * 10),
        ("DELETE FROM users; DELETE FROM art_sessions", 10),
    ],
    ids=["an artwork", "a user", "everything"],
)
async def test_rows_deleted_between_a_batchs_snapshot_and_its_insert_cost_a_retry(
    app_database_url: str, retries: Retries, deletion: str, left: int
) -> None:
    async with planted(app_database_url, users=10, artworks=10, **PACED) as (app, runtime):
        await start_audit(app)
        async with at_the_gate(app_database_url, app, runtime, after_batches=1) as (gate, task):
            await app.run(deletion)
            await gate.open()
            ended = await task
        assert retries.states == ["23503"]
        assert ended.run.state is RunState.SUCCEEDED, ended.run.outcome
        # The first user had been healed before; of the artwork, that one impression went too.
        assert ended.run.inserted == left + (2 if "art_sessions WHERE" in deletion else 0)
        await assert_only_legacy_inserted(app)
        await assert_records_agree(app)


async def test_an_artwork_deleted_in_an_open_transaction_is_waited_for_and_left_out(
    app_database_url: str, retries: Retries
) -> None:
    async with (
        planted(app_database_url, users=5, artworks=10, **paced(10, "50ms")) as (app, runtime),
        app_on(app_database_url) as curator,
    ):
        run = await plan(runtime)
        async with curator.connection.transaction():
            await curator.run("DELETE FROM art_sessions WHERE id = 'old0007'")
            task = working(runtime, run)
            await wait_until(lambda: retries.states == ["55P03"])
        ended = await task
        assert (ended.run.state, ended.run.inserted) == (RunState.SUCCEEDED, 45)
        await assert_records_agree(app)
        await assert_ledger_is_there(app)


async def test_a_table_that_is_gone_in_the_middle_fails_the_run_and_keeps_what_is_committed(
    app_database_url: str,
) -> None:
    async with planted(app_database_url, users=5, artworks=10, **paced(10, "1s")) as (app, runtime):
        held = await heal_until(runtime, await plan(runtime), batches=2)
        await app.run("ALTER TABLE art_sessions RENAME TO elsewhere")
        failed = await working(runtime, await claimed(runtime, held.run.id))
        assert (failed.run.state, failed.run.inserted) == (RunState.FAILED, 20)
        assert 'relation "public.art_sessions" does not exist' in failed.run.outcome
        await app.run("ALTER TABLE elsewhere RENAME TO art_sessions")
        ended = await heal(runtime)
        assert (ended.run.state, ended.run.inserted) == (RunState.SUCCEEDED, 30)
        await assert_records_agree(app)
        await assert_ledger_is_there(app)


_SLOW_ROWS = """
CREATE FUNCTION take_time() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_sleep(0.02);
    RETURN NULL;
END $$;
CREATE TRIGGER takes_time AFTER INSERT ON user_art_impressions
FOR EACH ROW EXECUTE FUNCTION take_time();
"""
"""Fifty rows a second at most."""


async def test_a_batch_that_is_not_over_in_time_becomes_smaller_until_it_is(
    app_database_url: str, retries: Retries
) -> None:
    config: dict[str, Any] = {
        "database": {"statement_timeout": "500ms"},
        "healing": {"pace": {"duty": "50%"}},
        "lease": "1s",
    }
    async with planted(app_database_url, users=5, artworks=12, **config) as (app, runtime):
        await start_audit(app)
        await app.run(_SLOW_ROWS)
        ended = await heal(runtime)
        assert (ended.run.state, ended.run.inserted) == (RunState.SUCCEEDED, 60)
        sizes = await app.rows("SELECT size, size_reason FROM conservator.batch ORDER BY number")
        # A thousand that may be written are the sixty that are missing: a hundred are no fewer.
        assert sizes[0] == (10, "timeout")
        assert retries.states == ["57014"] * 2
        # Four attempts of half a second are followed by as long a rest, as is each batch.
        rested = await app.value(
            "SELECT sum(seconds) FROM conservator.run_wait WHERE reason = 'duty'"
        )
        assert rested >= 2.5
        await assert_records_agree(app)
        await assert_ledger_is_there(app)


async def test_a_recount_that_is_not_over_in_time_ends_the_run_that_has_written_everything(
    app_database_url: str, retries: Retries
) -> None:
    """Taken up again it would be as slow, and nothing else could be planned meanwhile."""
    config: dict[str, Any] = {"database": {"statement_timeout": "500ms", "lock_timeout": "30s"}}
    async with planted(app_database_url, users=2, artworks=5, **config) as (app, runtime):
        run = await plan(runtime)
        with psycopg.connect(app.connection.info.dsn) as owner:
            ended = await runtime.executor(lambda _: lock_artworks(owner)).work(run)
        assert (ended.run.state, ended.run.inserted, ended.census) == (RunState.PARTIAL, 10, None)
        assert ended.run.outcome.startswith(
            "Written, and not counted again: A statement ran longer"
        )
        assert (ended.run.remaining, ended.run.legacy_after) == (None, None)
        assert await app.value("SELECT count(*) FROM conservator.work") == 0
        assert retries.states == []
        await assert_records_agree(app)


def lock_artworks(owner: psycopg.Connection) -> None:
    """Nobody else reads them until the connection is closed."""
    owner.execute("LOCK TABLE art_sessions IN ACCESS EXCLUSIVE MODE")
