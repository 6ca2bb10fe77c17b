"""Each error that is nobody's fault, made by a real server: the batch is written all the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pytest
from structlog.testing import capture_logs

from monitor.healing.executor import RunResult
from monitor.runtime import Runtime
from monitor.state.runs import RunState
from tests.support.app import App, app_on
from tests.support.healing import plan, planted, working
from tests.support.ledger_audit import assert_ledger_is_there, assert_records_agree
from tests.support.poison import quarantined
from tests.support.waiting import wait_until

pytestmark = pytest.mark.prepared

_VIEW = "INSERT INTO user_art_impressions (user_id, artwork_id) VALUES ('u0001', %(artwork)s)"
_SET_DATABASE = (
    "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET {} = {}', current_database()); END $$"
)
_THROW_OUT = (
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
    " WHERE application_name = 'conservator' AND datname = current_database()"
)


@asynccontextmanager
async def ten_pairs(url: str, **database: str) -> AsyncIterator[tuple[App, App, Runtime]]:
    """One user without ten artworks; the app has a second connection."""
    async with (
        planted(url, users=1, artworks=10, database=database) as (app, runtime),
        app_on(url) as visitor,
    ):
        yield app, visitor, runtime


async def waits_for_the_app(app: App) -> bool:
    return await waits(app, "conservator", "transactionid")


async def assert_healed(app: App, ended: RunResult, rows: int) -> None:
    assert (ended.run.state, ended.run.inserted) == (RunState.SUCCEEDED, rows)
    assert await quarantined(app) == {}
    await assert_records_agree(app)
    await assert_ledger_is_there(app)


# A batch stops at its fifth row, with four of them written, while the app keeps it there.
_AT_THE_FIFTH = """
CREATE FUNCTION wait_at_the_fifth() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.artwork_id = 'old0005' THEN PERFORM pg_advisory_xact_lock_shared(5); END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER wait_at_the_fifth BEFORE INSERT ON user_art_impressions
    FOR EACH ROW EXECUTE FUNCTION wait_at_the_fifth();
"""


async def waits(app: App, name: str, event: str) -> bool:
    return bool(
        await app.value(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = %(name)s"
            " AND wait_event = %(event)s AND datname = current_database()",
            name=name,
            event=event,
        )
    )


async def test_a_deadlock_with_the_app(app_database_url: str) -> None:
    async with ten_pairs(app_database_url, lock_timeout="60s") as (app, visitor, runtime):
        await app.run(_AT_THE_FIFTH)
        await app.run("SELECT pg_advisory_lock(5)")
        # Who closes the circle looks for one, after a second: that is us, as the app never looks.
        await visitor.run("SET deadlock_timeout = '60s'")
        with capture_logs() as events:
            async with visitor.connection.transaction():
                await visitor.run(_VIEW, artwork="old0010")
                task = working(runtime, await plan(runtime))
                await wait_until(lambda: waits(app, "conservator", "advisory"))
                ours = _VIEW + " ON CONFLICT DO NOTHING"
                viewing = asyncio.create_task(visitor.run(ours, artwork="old0001"))
                await wait_until(lambda: waits(app, "app", "transactionid"))
                await app.run("SELECT pg_advisory_unlock(5)")
                await viewing
            ended = await task
        assert [e["sqlstate"] for e in events if e["event"] == "batch_retried"] == ["40P01"]
        await assert_healed(app, ended, 8)


_FAILS_ONCE = """
CREATE SEQUENCE tries;
CREATE FUNCTION fail_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF nextval('tries') = 1 THEN
        RAISE EXCEPTION 'could not serialize access' USING ERRCODE = 'serialization_failure';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER fails_once AFTER INSERT ON user_art_impressions
FOR EACH STATEMENT EXECUTE FUNCTION fail_once();
GRANT USAGE ON SEQUENCE tries TO PUBLIC;
"""


async def test_a_serialization_failure(app_database_url: str) -> None:
    async with ten_pairs(app_database_url) as (app, _, runtime):
        await app.run(_FAILS_ONCE)
        with capture_logs() as events:
            ended = await working(runtime, await plan(runtime))
        assert [e["sqlstate"] for e in events if e["event"] == "batch_retried"] == ["40001"]
        await assert_healed(app, ended, 10)


async def test_a_database_whose_transactions_are_serializable(app_database_url: str) -> None:
    """Ours are READ COMMITTED, and wait for the app's rows instead of failing for them."""
    async with app_on(app_database_url) as owner:
        await owner.run(_SET_DATABASE.format("default_transaction_isolation", "serializable"))
    async with ten_pairs(app_database_url, lock_timeout="30s") as (app, visitor, runtime):
        with capture_logs() as events:
            async with visitor.connection.transaction():
                await visitor.run(_VIEW, artwork="old0010")
                task = working(runtime, await plan(runtime))
                await wait_until(lambda: waits_for_the_app(app))
            ended = await task
        assert "batch_retried" not in {e["event"] for e in events}
        await assert_healed(app, ended, 9)


async def test_a_statement_timeout(app_database_url: str) -> None:
    timeouts = {"statement_timeout": "1s", "lock_timeout": "30s"}
    async with ten_pairs(app_database_url, **timeouts) as (app, visitor, runtime):
        with capture_logs() as events:
            async with visitor.connection.transaction():
                await visitor.run(_VIEW, artwork="old0010")
                task = working(runtime, await plan(runtime))
                await wait_until(lambda: any(e["event"] == "batch_retried" for e in events))
            ended = await task
        assert {e["sqlstate"] for e in events if e["event"] == "batch_retried"} == {"57014"}
        await assert_healed(app, ended, 9)


async def test_a_failover_that_leaves_us_on_a_read_only_server(app_database_url: str) -> None:
    async with ten_pairs(app_database_url) as (app, _, runtime):
        run = await plan(runtime)
        # The session that planned is gone; the next one can only read, until the switch is over.
        await app.run(_SET_DATABASE.format("default_transaction_read_only", "on"))
        await app.run(_THROW_OUT)
        with capture_logs() as events:
            task = working(runtime, run)
            await wait_until(lambda: any(e.get("sqlstate") == "25006" for e in events))
            async with await psycopg.AsyncConnection.connect(
                app.connection.info.dsn,
                autocommit=True,
                options="-c default_transaction_read_only=off",
            ) as owner:
                await App(owner).run(_SET_DATABASE.format("default_transaction_read_only", "off"))
            ended = await task
        # No session that was read-only is used again: all of them were thrown away.
        await assert_healed(app, ended, 10)


@pytest.mark.parametrize("state", ["42P01", "53200", "0A000", "XX000"])
async def test_what_no_smaller_batch_mends_fails_the_run_at_once(
    app_database_url: str, state: str
) -> None:
    async with ten_pairs(app_database_url) as (app, _, runtime):
        await app.run(
            "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN RAISE 'no' USING ERRCODE = '{state}'; END $$;"
            "CREATE TRIGGER fail BEFORE INSERT ON user_art_impressions"
            " FOR EACH ROW EXECUTE FUNCTION fail()"
        )
        with capture_logs() as events:
            ended = await working(runtime, await plan(runtime))
        assert (ended.run.state, ended.run.inserted) == (RunState.FAILED, 0)
        assert state in ended.run.outcome
        assert not {"batch_retried", "batch_halved"} & {e["event"] for e in events}
        assert await quarantined(app) == {}
