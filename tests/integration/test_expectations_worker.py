"""Suites of Great Expectations in the worker process, on real tables."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest

from checks.errors import StatementError
from monitor.checking.expectations.client import Worker
from monitor.checking.expectations.messages import (
    Answer,
    ExpectationSpec,
    Judge,
    Judged,
    Render,
    Rendered,
    SuiteSpec,
    Validate,
    Validated,
)
from tests.support.app import App, app_on
from tests.support.commands import on_one_server
from tests.support.waiting import wait_until

pytest.importorskip("great_expectations", reason="the extra `expectations` is not installed")

PATIENCE = 60.0
TABLES = """
CREATE SCHEMA "Odd";
CREATE TABLE "Odd"."My Table" ("theId" int PRIMARY KEY, "My Value" text);
INSERT INTO "Odd"."My Table" SELECT n, nullif('v' || n % 5, 'v3') FROM generate_series(1, 20) AS n;
CREATE TABLE plain (id int PRIMARY KEY, n int);
INSERT INTO plain SELECT n, n FROM generate_series(1, 20) AS n;
"""


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    made = Worker()
    yield made
    await made.close()


def suite(table: str, *expectations: ExpectationSpec, schema: str | None = None) -> SuiteSpec:
    return SuiteSpec("gallery", schema, table, expectations)


def rows(query: str) -> ExpectationSpec:
    return ExpectationSpec("unexpected_rows_expectation", {"unexpected_rows_query": query})


def not_null(column: str, **more: object) -> ExpectationSpec:
    return ExpectationSpec("expect_column_values_to_not_be_null", {"column": column, **more})


async def validated(worker: Worker, url: str, spec: SuiteSpec) -> Validated:
    answer = await worker.ask(Validate(url, 5_000, spec), deadline_seconds=PATIENCE)
    assert isinstance(answer, Validated)
    return answer


@on_one_server
async def test_quoted_names_work_and_evidence_holds_keys_only(
    database_url: str, worker: Worker
) -> None:
    async with app_on(database_url) as app:
        await app.run(TABLES)
    spec = suite("My Table", not_null("My Value"), not_null("theId"), schema="Odd")
    broken, met = (await validated(worker, database_url, spec)).results
    assert (broken.success, broken.unexpected, broken.error) == (False, 4.0, None)
    assert broken.evidence == tuple({"theId": str(n)} for n in (3, 8, 13, 18))
    assert (met.success, met.error) == (True, None)


@on_one_server
async def test_what_raises_is_an_error_and_the_others_are_judged(
    database_url: str, worker: Worker
) -> None:
    async with app_on(database_url) as app:
        await app.run(TABLES)
    spec = suite(
        "plain",
        not_null("no_such_column"),
        rows("SELECT * FROM {batch} WHERE n > 15"),
        not_null("n"),
    )
    missing, found, met = (await validated(worker, database_url, spec)).results
    assert missing.error is not None
    assert "no_such_column" in missing.error
    assert (found.success, found.unexpected, found.error) == (False, 5.0, None)
    assert met.success


@on_one_server
async def test_nothing_can_be_written(database_url: str, worker: Worker) -> None:
    async with app_on(database_url) as app:
        await app.run(TABLES)
        await app.run(
            "CREATE FUNCTION grab() RETURNS int LANGUAGE sql AS 'DELETE FROM plain RETURNING 1'"
        )
        spec = suite("plain", rows("SELECT grab() FROM {batch}"))
        (result,) = (await validated(worker, database_url, spec)).results
        assert result.error is not None
        assert "read-only" in result.error
        assert await app.value("SELECT count(*) FROM plain") == 20


async def test_unknown_types_and_arguments_are_named_with_their_path(worker: Worker) -> None:
    spec = suite(
        "t",
        ExpectationSpec("expect_column_value_to_not_be_null", {"column": "a"}),
        ExpectationSpec("expect_column_values_to_be_in_set", {"colum": "a", "value_set": [1]}),
        not_null("a"),
    )
    answer = await worker.ask(Judge((spec,)), deadline_seconds=PATIENCE)
    assert isinstance(answer, Judged)
    assert [(fault.number, fault.path) for fault in answer.faults] == [
        (0, "type"),
        (1, "kwargs.column"),
        (1, "kwargs.colum"),
    ]
    assert "did you mean expect_column_values_to_not_be_null?" in answer.faults[0].problem


@on_one_server
async def test_the_report_is_html(database_url: str, worker: Worker) -> None:
    async with app_on(database_url) as app:
        await app.run(TABLES)
    done = await validated(worker, database_url, suite("plain", not_null("n")))
    answer = await worker.ask(Render({"gallery": done.document}), deadline_seconds=PATIENCE)
    assert isinstance(answer, Rendered)
    assert "<html" in answer.pages["gallery"]


async def asked_to_sleep(worker: Worker, url: str) -> asyncio.Task[Answer]:
    """A suite that takes long, under way in the database."""
    spec = suite("plain", rows("SELECT pg_sleep(1), * FROM {batch}"))
    request = Validate(url, 30_000, spec)
    return asyncio.create_task(worker.ask(request, deadline_seconds=PATIENCE))


async def sleeps(app: App) -> bool:
    found = await app.value(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
        " AND datname = current_database()"
    )
    return bool(found)


@on_one_server
async def test_a_killed_worker_is_an_error_and_the_next_suite_has_a_new_one(
    database_url: str, worker: Worker
) -> None:
    async with app_on(database_url) as app:
        await app.run(TABLES)
        task = await asked_to_sleep(worker, database_url)
        await wait_until(lambda: sleeps(app), deadline_seconds=PATIENCE)
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGKILL)
        with pytest.raises(StatementError, match="died"):
            await task
    assert (await validated(worker, database_url, suite("plain", not_null("n")))).results[0].success


@on_one_server
async def test_a_worker_that_holds_too_much_is_ended(database_url: str) -> None:
    greedy = Worker(memory_limit_bytes=1024)
    try:
        with pytest.raises(StatementError, match="its limit is"):
            await greedy.ask(Judge((suite("t", not_null("a")),)), deadline_seconds=PATIENCE)
        assert greedy.pid is None
    finally:
        await greedy.close()


@on_one_server
async def test_a_suite_that_takes_too_long_is_ended(database_url: str, worker: Worker) -> None:
    async with app_on(database_url) as app:
        await app.run(TABLES)
    await validated(worker, database_url, suite("plain", not_null("n")))
    spec = suite("plain", rows("SELECT pg_sleep(1), * FROM {batch}"))
    with pytest.raises(StatementError, match="took longer"):
        await worker.ask(Validate(database_url, 30_000, spec), deadline_seconds=0.5)
    assert worker.pid is None


@on_one_server
async def test_a_table_that_grows_meanwhile_is_counted_in_one_snapshot(
    database_url: str, worker: Worker
) -> None:
    """Rows, and those that are not unique, are counted by different statements."""
    async with app_on(database_url) as app:
        await app.run(TABLES)
    pair = ExpectationSpec("expect_compound_columns_to_be_unique", {"column_list": ["id", "n"]})
    growing = asyncio.create_task(grow(database_url))
    try:
        for _ in range(8):
            (result,) = (await validated(worker, database_url, suite("plain", pair))).results
            assert (result.success, result.error) == (True, None)
    finally:
        growing.cancel()
        await asyncio.gather(growing, return_exceptions=True)


async def grow(url: str) -> None:
    async with app_on(url) as app:
        while True:
            await app.run("INSERT INTO plain SELECT max(id) + 1, 0 FROM plain")
