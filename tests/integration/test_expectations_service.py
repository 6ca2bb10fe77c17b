"""Suites of Great Expectations in the running service: rows, metrics, a worker that is killed."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from checks.judgement import Outcome
from monitor.service.service import Service
from tests.integration.test_service_checks import (
    BUILT_IN,
    OWN,
    exported,
    gallery,
    is_now,
    shown,
    soon,
    watching,
)
from tests.support.commands import on_one_server
from tests.support.extras import require_expectations
from tests.support.waiting import wait_until

require_expectations()
pytestmark = on_one_server

PATIENCE = 60.0
NOT_NULL = "expect_column_values_to_not_be_null"


def a_suite(*expectations: dict[str, Any], name: str = "art", **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "table": "art_sessions",
        "every": "1s",
        "budget": "100%",
        "expectations": list(expectations),
        **more,
    }


def not_null(column: str) -> dict[str, Any]:
    return {"type": NOT_NULL, "kwargs": {"column": column}}


SLOW = {
    "type": "unexpected_rows_expectation",
    "kwargs": {"unexpected_rows_query": "SELECT 1 FROM {batch} WHERE (SELECT slowly())"},
}
"""Waits at a gate: as long as somebody holds the lock."""
GATE = """
CREATE FUNCTION slowly() RETURNS boolean LANGUAGE sql VOLATILE AS
$$ SELECT pg_advisory_xact_lock_shared(47) IS NULL $$
"""


@asynccontextmanager
async def at_the_gate(url: str, suite: dict[str, Any]) -> AsyncIterator[tuple[Service, Any]]:
    """A service whose worker stands before the gate."""
    async with gallery(url) as app:
        await app.run(GATE)
        await app.run("SELECT pg_advisory_lock(47)")
        async with watching(url, expectations=[suite]) as service:

            async def waits() -> bool:
                return bool(
                    await app.value(
                        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
                    )
                )

            await wait_until(waits, PATIENCE)
            yield service, app


async def test_every_expectation_is_a_row_and_a_metric_and_the_report_is_kept(
    app_database_url: str,
) -> None:
    suite = a_suite(
        not_null("image_url"),
        not_null("no_such_column"),
        {**not_null("user_id"), "severity": "warning"},
    )
    async with gallery(app_database_url) as app:
        async with watching(app_database_url, expectations=[suite]) as service:
            names = [
                name for name in service.board.current.checks if name.partition(".")[0] == "art"
            ]
            part = "art.column_values_to_not_be_null"
            assert names == [
                "art",
                f"{part}.image_url",
                f"{part}.no_such_column",
                f"{part}.user_id",
            ]
            await wait_until(lambda: is_now(service, "art", Outcome.ERROR), PATIENCE)
            met, raised, broken = (shown(service, name) for name in names[1:])
            assert (met.outcome, met.value) == (Outcome.PASS, 0)
            assert raised.outcome is Outcome.ERROR
            assert "no_such_column" in raised.message
            assert (broken.outcome, broken.value) == (Outcome.WARN, 12)
            assert met.facts.suite == "art"
            assert (met.facts.fail, broken.facts.warn) == ("not as expected", "not as expected")
            assert 0 < len(broken.evidence) <= 20
            assert set(broken.evidence[0]) == {"id"}
            assert exported(service, "check_value", f"{part}.user_id") == 12
            assert exported(service, "check_value", f"{part}.no_such_column") is None
            errors = partial(exported, service, "check_errors_total", f"{part}.no_such_column")
            await wait_until(lambda: bool(errors()), PATIENCE)
        assert await app.value("SELECT count(*) FROM conservator.validation") == 1


@pytest.mark.long
async def test_a_worker_killed_in_the_middle_of_a_suite_is_an_error_and_the_next_run_recovers(
    app_database_url: str,
) -> None:
    async with at_the_gate(app_database_url, a_suite(not_null("image_url"), SLOW)) as (
        service,
        app,
    ):
        pid = service._worker.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await wait_until(lambda: is_now(service, "art", Outcome.ERROR), PATIENCE)
        assert "died" in shown(service, "art").message
        parts = [c for c in service.board.current.checks.values() if c.facts.suite == "art"]
        assert {part.outcome for part in parts} == {Outcome.ERROR}
        await app.run("SELECT pg_advisory_unlock(47)")
        await wait_until(lambda: is_now(service, "art", Outcome.PASS), PATIENCE)
        assert service._worker.pid != pid


@pytest.mark.long
async def test_a_suite_that_takes_too_long_is_ended_and_the_other_checks_go_on(
    app_database_url: str,
) -> None:
    suite = a_suite(SLOW, timeout="1s")
    async with at_the_gate(app_database_url, suite) as (service, app):
        await wait_until(lambda: is_now(service, "art", Outcome.ERROR), PATIENCE)
        assert is_now(service, "census", Outcome.PASS)
        await app.run("SELECT pg_advisory_unlock(47)")
        await wait_until(lambda: is_now(service, "art", Outcome.PASS), PATIENCE)


@pytest.mark.long
async def test_a_stop_in_the_middle_of_a_suite_leaves_no_worker_behind(
    app_database_url: str,
) -> None:
    async with at_the_gate(app_database_url, a_suite(SLOW)) as (service, app):
        pid = service._worker.pid
        assert pid is not None
        await service.stop()
        assert not psutil.pid_exists(pid)
        await app.run("SELECT pg_advisory_unlock(47)")


def seconds_without_processor() -> float:
    """How long our threads could have run, and others had the processors."""
    seconds = 0.0
    for path in Path("/proc/self/task").glob("*/schedstat"):
        with suppress(OSError):  # a thread that has ended meanwhile
            seconds += int(path.read_text().split()[1]) / 1e9
    return seconds


@pytest.mark.long
async def test_no_check_keeps_the_event_loop_from_its_work(app_database_url: str) -> None:
    """All checks, a suite, the first samples of recording_rate and what nine weeks tell of it."""
    late: list[float] = []

    async def heartbeat() -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, kept_waiting = loop.time() + 0.005, seconds_without_processor()
            await asyncio.sleep(0.005)
            late.append(loop.time() - due - (seconds_without_processor() - kept_waiting))

    async with gallery(app_database_url) as app:
        await app.run(
            "INSERT INTO art_sessions (id, session_id, image_url, prompt, created_at)"
            " SELECT 'b' || n, 's', 'x', 'y', timezone('UTC', now()) - n * interval '5 minutes'"
            " FROM generate_series(1, 18000) AS n"
        )
        await app.run(
            "INSERT INTO user_art_impressions (user_id, artwork_id, viewed_at)"
            " SELECT 'u1', id, created_at FROM art_sessions ON CONFLICT DO NOTHING"
        )
        checks = soon(*BUILT_IN[2:])
        suites = [a_suite(not_null("image_url"))]
        async with watching(app_database_url, sql=[OWN], expectations=suites, **checks) as service:
            beating = asyncio.create_task(heartbeat())
            try:
                everything = (*BUILT_IN, "queue_length", "art")
                await wait_until(
                    lambda: all(shown(service, name).outcome for name in everything), PATIENCE
                )
                assert await app.value("SELECT count(*) FROM conservator.recording_sample") > 17000
                await wait_until(lambda: len(late) > 800, PATIENCE)
            finally:
                beating.cancel()
    # The event loop itself is late now and then: what a check does to it, it does each time.
    late.sort()
    assert late[int(len(late) * 0.99)] < 0.05
    assert late[-1] < 0.15
