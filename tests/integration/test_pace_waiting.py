"""A run that waits: for the operator's SQL, and for as long as nobody says otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from monitor.healing.errors import LeaseLostError
from monitor.healing.executor import Progress, RunResult
from monitor.healing.throttle.signals import gather_signals
from monitor.healing.throttle.throttle import Unknown
from monitor.runtime import Runtime
from monitor.state.control import pause
from monitor.state.runs import Run, RunState, Trigger
from tests.support.app import App, app_on
from tests.support.commands import on_one_server
from tests.support.databases import APP, cloned, create_app_template
from tests.support.healing import make_runtime, plan, wait_until_waiting, waited, waiting_for
from tests.support.ledger_audit import assert_records_agree
from tests.support.postgres import PostgresServer
from tests.support.waiting import PATIENCE, wait_until

pytestmark = [pytest.mark.prepared, pytest.mark.long]

SOON = timedelta(seconds=20)
BUSY = {"wait_while": "SELECT busy FROM traffic", "max_batch": 10}
# What the operator's SQL reads has to be granted by the operator.
TRAFFIC = """
CREATE TABLE traffic (busy boolean); INSERT INTO traffic VALUES (true);
GRANT SELECT ON traffic TO PUBLIC;
"""
SENTENCE = "The SQL of healing.pace.wait_while returns true."


@asynccontextmanager
async def waiting_run(
    url: str, app: App, progress: list[Progress] | None = None, **database: object
) -> AsyncIterator[tuple[Runtime, asyncio.Task[RunResult]]]:
    """A run of 50 rows that waits because `traffic` is busy."""
    await app.plant(users=5, artworks=10)
    await app.run(TRAFFIC)
    seen: list[Progress] = [] if progress is None else progress
    async with make_runtime(url, healing={"pace": BUSY}, database=database) as runtime:
        executor = runtime.executor(seen.append)
        task = asyncio.create_task(executor.work(await plan(runtime)))
        try:
            await wait_until_waiting(app, SENTENCE)
            yield runtime, task
        finally:
            executor.stop()
            await asyncio.wait_for(task, PATIENCE)


@on_one_server
@pytest.mark.parametrize("pool_size", [1, 5])
async def test_a_run_waits_while_the_operators_sql_says_so(
    app_database_url: str, pool_size: int
) -> None:
    progress: list[Progress] = []
    async with (
        app_on(app_database_url) as app,
        waiting_run(app_database_url, app, progress, pool_size=pool_size) as (_, task),
    ):
        assert await app.value("SELECT batches FROM conservator.run") == 0
        assert [one.waiting_for for one in progress] == [SENTENCE]
        await app.run("UPDATE traffic SET busy = false")
        ended = await asyncio.wait_for(task, PATIENCE)
        assert (ended.run.state, ended.run.inserted) == (RunState.SUCCEEDED, 50)
        assert progress[1].waiting_for is None
        record, total = await waited(app, "wait_while")
        assert record == pytest.approx(total)
        # The last second of waiting was written down by the first batch.
        assert 0 < record == pytest.approx(ended.run.waiting_seconds)
        await assert_records_agree(app)


@on_one_server
async def test_a_pause_ends_a_wait(app_database_url: str) -> None:
    async with (
        app_on(app_database_url) as app,
        waiting_run(app_database_url, app) as (runtime, task),
    ):
        async with runtime.engine.begin() as connection:
            await pause(connection, runtime.state, "deploy")
        ended = await asyncio.wait_for(task, PATIENCE)
        assert ended.run.state is RunState.HELD
        assert "Paused: deploy." in ended.run.outcome
        assert await waiting_for(app) == ""


@on_one_server
async def test_a_breaker_that_opens_ends_a_wait(app_database_url: str) -> None:
    async with (
        app_on(app_database_url) as app,
        waiting_run(app_database_url, app) as (_, task),
    ):
        await app.run(
            "UPDATE conservator.control SET breaker_open = true, breaker_reason = 'Half is gone.'"
        )
        ended = await asyncio.wait_for(task, PATIENCE)
        assert ended.run.state is RunState.HELD
        assert ended.run.outcome == "The breaker is open: Half is gone."


@on_one_server
async def test_a_run_that_goes_beyond_the_breaker_waits_on(app_database_url: str) -> None:
    async with (
        app_on(app_database_url) as app,
        waiting_run(app_database_url, app) as (_, task),
    ):
        await app.run("UPDATE conservator.run SET beyond_breaker = true")
        await app.run("UPDATE conservator.control SET breaker_open = true")
        before, _ = await waited(app, "wait_while")

        async def waited_on() -> bool:
            return (await waited(app, "wait_while"))[0] > before + 1

        await wait_until(waited_on)
        assert not task.done()


@on_one_server
async def test_a_stop_ends_a_wait_and_keeps_what_was_waited(app_database_url: str) -> None:
    async with app_on(app_database_url) as app:
        async with waiting_run(app_database_url, app) as (_, task):
            pass  # leaving stops it
        ended = await task
        assert ended.run.state is RunState.HELD
        assert ended.run.outcome == "Its process was told to stop."
        assert (await waited(app, "wait_while"))[0] == pytest.approx(ended.run.waiting_seconds)


@on_one_server
async def test_a_run_that_was_taken_over_while_it_waited_stops(app_database_url: str) -> None:
    async with app_on(app_database_url) as app:
        with pytest.raises(LeaseLostError):
            async with waiting_run(app_database_url, app) as (_, task):
                await app.run("UPDATE conservator.run SET token = token + 1")
                await asyncio.wait_for(task, PATIENCE)


async def test_a_run_that_waits_survives_a_restart_of_the_database(
    own_server: PostgresServer,
) -> None:
    create_app_template(own_server)
    with cloned(own_server, APP) as url, capture_logs() as events:
        async with app_on(url) as app:
            await app.plant(users=5, artworks=10)
            await app.run(TRAFFIC)
        async with make_runtime(url, healing={"pace": BUSY}) as runtime:
            task = asyncio.create_task(runtime.executor(lambda _: None).work(await plan(runtime)))
            async with app_on(url) as app:
                await wait_until_waiting(app, SENTENCE)
            own_server.kill()
            await wait_until(lambda: "wait_not_kept" in {e["event"] for e in events})
            own_server.restart()
            async with app_on(url) as app:
                await wait_until_waiting(app, SENTENCE)
                await app.run("UPDATE traffic SET busy = false")
                ended = await asyncio.wait_for(task, PATIENCE)
                assert (ended.run.state, ended.run.inserted) == (RunState.SUCCEEDED, 50)
                waits = dict(await app.rows("SELECT reason, seconds FROM conservator.run_wait"))
                assert set(waits) >= {"wait_while", "replica_unknown"}
                await assert_records_agree(app)


@on_one_server
async def test_a_person_who_waits_for_one_user_is_not_kept_for_long(
    app_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.healing.pauses.USER_PATIENCE_SECONDS", 1.0)
    async with app_on(app_database_url) as app:
        await app.plant(users=2, artworks=10)
        pace = {"wait_while": "SELECT true"}
        async with make_runtime(app_database_url, healing={"pace": pace}) as runtime:
            run = await runtime.planner.plan_user(
                runtime.run_owner(Trigger.API), "u0001", reason="a test", force=False
            )
            assert isinstance(run, Run)
            working = runtime.executor(lambda _: None).work(run)
            ended = await asyncio.wait_for(working, PATIENCE)
        assert ended.run.state is RunState.HELD
        assert ended.run.outcome.endswith(f" s: {SENTENCE}")
        assert ended.run.waiting_seconds >= 1.0


async def test_the_operators_sql_can_not_write(app_engine: AsyncEngine) -> None:
    async with app_engine.begin() as connection:
        await connection.exec_driver_sql("CREATE SEQUENCE counted")
    asked = "SELECT nextval('counted') > 0"
    found = (await gather_signals(app_engine, wait_while=asked)).must_wait
    assert isinstance(found, Unknown)
    assert "in a read-only transaction" in found.reason


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("SELECT 7 % 2 = 1", True),
        ("SELECT now() < '2000-01-01';", False),
        ("SELECT NULL::boolean", "it returned NULL"),
        ("SELECT true WHERE false", "it returned no row"),
        ("VALUES (true), (true)", "it returned several rows"),
        ("SELECT true, true", "it returned 2 columns"),
        ("SELECT 1", "it returned 1"),
        ("SELECT 't'", "it returned 't'"),
        ("SET work_mem = '1MB'", "syntax error"),
        ("SELECT true FROM nowhere", 'relation "nowhere" does not exist'),
        ("SELECT true; SELECT true", "syntax error"),
        ("SELECT true) AS a WHERE %(a)s; SELECT (true", "syntax error"),
        ("SELECT true) AS a; COMMIT; SELECT * FROM (SELECT true", "multiple commands"),
        ("SELEC", "syntax error"),
        ("DELETE FROM users RETURNING true", "syntax error"),
        ("SELECT set_config('transaction_read_only', 'off', true) = ''", "read-write"),
        ("SELECT true -- until the deploy", True),
        ("SELECT pg_sleep(60) IS NULL", "ran longer than it may"),
    ],
)
async def test_the_operators_sql_says_yes_or_no_or_is_unknown(
    app_engine: AsyncEngine, query: str, answer: bool | str
) -> None:
    deadline = timedelta(seconds=0.5) if "sleep" in query else SOON
    found = (await gather_signals(app_engine, wait_while=query, deadline=deadline)).must_wait
    if isinstance(answer, bool):
        assert found is answer
    else:
        assert isinstance(found, Unknown)
        assert "healing.pace.wait_while" in found.reason
        assert answer in found.reason
