"""Suites of Great Expectations in the worker process, on real tables."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys

import psutil
import pytest
from sqlalchemy import make_url

from checks.errors import StatementError
from checks.judgement import Measurement, Outcome
from monitor.checking.expectations.results import Validated
from monitor.checking.expectations.worker import WorkerPool, find_faults, render, validate
from monitor.config import ExpectationsCheck
from monitor.config.checks import Expectation
from tests.support.app import App, app_on
from tests.support.commands import on_one_server
from tests.support.extras import require_expectations
from tests.support.waiting import wait_until

require_expectations()

PATIENCE = 60.0
TABLES = """
CREATE SCHEMA "Odd";
CREATE TABLE "Odd"."My Table" ("theId" int PRIMARY KEY, "My Value" text);
INSERT INTO "Odd"."My Table" SELECT n, nullif('v' || n % 5, 'v3') FROM generate_series(1, 20) AS n;
CREATE TABLE plain (id int PRIMARY KEY, n int);
INSERT INTO plain SELECT n, n FROM generate_series(1, 20) AS n;
"""

AT_WORK = """
import asyncio, os, time
from monitor.checking.expectations.worker import WorkerPool, load

async def serve():
    pool = WorkerPool()
    pid = await pool.run(load, deadline_seconds=60.0)
    work = asyncio.create_task(pool.run(time.sleep, 600.0, deadline_seconds=600.0))
    await asyncio.sleep(1.0)
    print(pid, flush=True)
    await work

asyncio.run(serve())
"""
"""A service in the middle of a suite; the worker has taken it up a second later."""


@pytest.fixture
def worker(suites_worker: WorkerPool) -> WorkerPool:
    return suites_worker


def suite(table: str, *expectations: Expectation) -> ExpectationsCheck:
    return ExpectationsCheck(name="gallery", table=table, expectations=expectations)


def expectation(type_: str, **kwargs: object) -> Expectation:
    return Expectation(type=type_, kwargs=kwargs)


def rows(query: str) -> Expectation:
    return expectation("unexpected_rows_expectation", unexpected_rows_query=query)


def not_null(column: str) -> Expectation:
    return expectation("expect_column_values_to_not_be_null", column=column)


async def validated(worker: WorkerPool, url: str, check: ExpectationsCheck) -> Validated:
    return await worker.run(validate, url, 5_000, check, deadline_seconds=PATIENCE)


async def results(worker: WorkerPool, url: str, check: ExpectationsCheck) -> list[Measurement]:
    """One an expectation."""
    _, *parts = (await validated(worker, url, check)).results
    return parts


@on_one_server
async def test_quoted_names_work_and_evidence_holds_keys_only(
    database_url: str, worker: WorkerPool
) -> None:
    async with app_on(database_url) as app:
        await app.run(TABLES)
    spec = suite("Odd.My Table", not_null("My Value"), not_null("theId"))
    broken, met = await results(worker, database_url, spec)
    assert broken.outcome is Outcome.FAIL
    assert broken.value == 4.0
    assert broken.evidence == tuple({"theId": str(n)} for n in (3, 8, 13, 18))
    assert met.outcome is Outcome.PASS


@on_one_server
async def test_what_raises_is_an_error_and_the_others_are_judged(
    database_url: str, worker: WorkerPool
) -> None:
    async with app_on(database_url) as app:
        await app.run(TABLES)
    spec = suite(
        "plain",
        not_null("no_such_column"),
        rows("SELECT * FROM {batch} WHERE n > 15"),
        not_null("n"),
    )
    missing, found, met = await results(worker, database_url, spec)
    assert "no_such_column" in missing.message
    assert found.outcome is Outcome.FAIL
    assert found.value == 5.0
    assert met.outcome is Outcome.PASS


@on_one_server
async def test_nothing_can_be_written(database_url: str, worker: WorkerPool) -> None:
    async with app_on(database_url) as app:
        await app.run(TABLES)
        await app.run(
            "CREATE FUNCTION grab() RETURNS int LANGUAGE sql AS 'DELETE FROM plain RETURNING 1'"
        )
        spec = suite("plain", rows("SELECT grab() FROM {batch}"))
        (result,) = await results(worker, database_url, spec)
        assert "read-only" in result.message
        assert await app.value("SELECT count(*) FROM plain") == 20


async def test_unknown_types_and_arguments_are_named_with_their_path(worker: WorkerPool) -> None:
    spec = suite(
        "t",
        expectation("expect_column_value_to_not_be_null", column="a"),
        expectation("expect_column_values_to_be_in_set", colum="a", value_set=[1]),
        not_null("a"),
    )
    faults = await worker.run(find_faults, (spec,), deadline_seconds=PATIENCE)
    assert [fault.path for fault in faults] == [
        "checks.expectations[0].expectations[0].type",
        "checks.expectations[0].expectations[1].kwargs.column",
        "checks.expectations[0].expectations[1].kwargs.colum",
    ]
    assert faults[0].message.endswith("did you mean expect_column_values_to_not_be_null?")


@on_one_server
async def test_the_report_is_html(database_url: str, worker: WorkerPool) -> None:
    async with app_on(database_url) as app:
        await app.run(TABLES)
    done = await validated(worker, database_url, suite("plain", not_null("n")))
    documents = {"gallery": json.loads(done.document)}
    pages = await worker.run(render, documents, deadline_seconds=PATIENCE)
    assert "<html" in pages["gallery"]


async def asked_to_sleep(worker: WorkerPool, url: str) -> asyncio.Task[Validated]:
    """A suite that takes long, under way in the database."""
    spec = suite("plain", rows("SELECT pg_sleep(1), * FROM {batch}"))
    return asyncio.create_task(worker.run(validate, url, 30_000, spec, deadline_seconds=PATIENCE))


async def sleeps(app: App) -> bool:
    found = await app.value(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
        " AND datname = current_database()"
    )
    return bool(found)


@on_one_server
async def test_a_killed_worker_is_an_error_and_the_next_suite_has_a_new_one(
    database_url: str, worker: WorkerPool
) -> None:
    async with app_on(database_url) as app:
        await app.run(TABLES)
        task = await asked_to_sleep(worker, database_url)
        await wait_until(lambda: sleeps(app), deadline_seconds=PATIENCE)
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGKILL)
        with pytest.raises(StatementError, match="died"):
            await task
    (result,) = await results(worker, database_url, suite("plain", not_null("n")))
    assert result.outcome is Outcome.PASS


@pytest.mark.long
def test_a_killed_service_leaves_no_worker_behind_in_the_middle_of_its_work() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", AT_WORK], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as service:
        try:
            assert service.stdout is not None
            pids = (int(line) for line in service.stdout if line.strip().isdigit())
            worker = psutil.Process(next(pids))
        finally:
            service.kill()
    worker.wait(PATIENCE)


@on_one_server
async def test_a_worker_that_holds_too_much_is_ended(database_url: str) -> None:
    greedy = WorkerPool(memory_limit_bytes=1024)
    try:
        with pytest.raises(StatementError, match="its limit is"):
            await greedy.run(find_faults, (suite("t", not_null("a")),), deadline_seconds=PATIENCE)
        assert greedy.pid is None
    finally:
        await greedy.close()


@on_one_server
async def test_a_suite_that_takes_too_long_is_ended(database_url: str, worker: WorkerPool) -> None:
    async with app_on(database_url) as app:
        await app.run(TABLES)
    await validated(worker, database_url, suite("plain", not_null("n")))
    spec = suite("plain", rows("SELECT pg_sleep(1), * FROM {batch}"))
    with pytest.raises(StatementError, match="took longer"):
        await worker.run(validate, database_url, 30_000, spec, deadline_seconds=0.5)
    assert worker.pid is None


@on_one_server
@pytest.mark.long
async def test_a_table_that_grows_meanwhile_is_counted_in_one_snapshot(
    database_url: str, worker: WorkerPool
) -> None:
    """Rows, and those that are not unique, are counted by different statements."""
    async with app_on(database_url) as app:
        await app.run(TABLES)
    pair = expectation("expect_compound_columns_to_be_unique", column_list=["id", "n"])
    growing = asyncio.create_task(grow(database_url))
    try:
        for _ in range(8):
            (result,) = await results(worker, database_url, suite("plain", pair))
            assert result.outcome is Outcome.PASS
    finally:
        growing.cancel()
        await asyncio.gather(growing, return_exceptions=True)


async def grow(url: str) -> None:
    async with app_on(url) as app:
        while True:
            await app.run("INSERT INTO plain SELECT max(id) + 1, 0 FROM plain")


@on_one_server
async def test_row_security_hides_nothing_without_a_word(
    database_url: str, worker: WorkerPool
) -> None:
    url = make_url(database_url).set(username="suite_of_tests")
    as_reader = url.render_as_string(hide_password=False)
    spec = suite("plain", rows("SELECT * FROM {batch} WHERE n > 15"))
    async with app_on(database_url) as app:
        await app.run(TABLES)
        await app.run("ALTER TABLE plain ENABLE ROW LEVEL SECURITY")
        await app.run("CREATE ROLE suite_of_tests LOGIN; GRANT SELECT ON plain TO suite_of_tests")
        try:
            with pytest.raises(StatementError, match="may hide rows of"):
                await validated(worker, as_reader, spec)
            await app.run("CREATE POLICY all_rows ON plain USING (true)")
            assert [found.value for found in await results(worker, as_reader, spec)] == [5.0]
            await app.run("ALTER TABLE plain DISABLE ROW LEVEL SECURITY")
            assert [found.value for found in await results(worker, as_reader, spec)] == [5.0]
        finally:
            await app.run("DROP OWNED BY suite_of_tests; DROP ROLE suite_of_tests")
