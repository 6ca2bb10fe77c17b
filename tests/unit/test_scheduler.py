"""A job that is woken while it runs runs once more: it may have looked before what it is for."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from monitor.scheduler import Schedule, Scheduler
from tests.support.waiting import wait_until

SOON = timedelta(minutes=30)
SELDOM = Schedule(timedelta(hours=1), None, "UTC")


@pytest.mark.parametrize("wakings", [1, 3])
async def test_a_job_that_is_woken_while_it_runs_runs_once_more(wakings: int) -> None:
    scheduler, runs, go_on = Scheduler(), [0], asyncio.Event()

    async def job() -> None:
        runs[0] += 1
        await go_on.wait()

    scheduler.add("job", SELDOM, job)
    scheduler.start()
    try:
        await wait_until(lambda: runs[0] == 1)
        for _ in range(wakings):
            scheduler.wake("job")
            await asyncio.sleep(0)
        # It was due, and left out: the next run that is planned is an hour away.
        inner = scheduler._scheduler
        await wait_until(lambda: inner.get_job("job").next_run_time > datetime.now(UTC) + SOON)
        assert runs[0] == 1
        go_on.set()
        await wait_until(lambda: runs[0] == 2)
        await wait_until(lambda: not scheduler._woken)
        assert scheduler.take_missed() == {}
    finally:
        scheduler.close()
