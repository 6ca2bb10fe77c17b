"""Runs checks, each the same way: a place among few, a deadline, a measurement, a judgement.

One check's failure, whatever it is, stays its own.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.errors import ConservatorError, StatementError
from checks.judgement import Measurement, judge
from checks.spec import Cutoffs
from monitor.checking.builtin import CheckDefinition
from monitor.checking.definition import Confirm, ScheduledCheck, facts
from monitor.checking.replica import ReplicaRouter
from monitor.checking.result import CheckResult
from monitor.config import Check, Settings
from monitor.runtime import Runtime

log = structlog.get_logger(__name__)

AT_ONCE = 2
"""Checks that read at the same time: the app's database has other things to do."""
GRACE_SECONDS = 5.0
"""How much longer than the server's deadline the client waits, for a connection that hangs."""

Results = tuple[CheckResult, ...]


class CheckRunner:
    """Runs the checks of one process; at most AT_ONCE of them read at a time."""

    def __init__(
        self, settings: Settings, server: ReplicaRouter, runtime: Callable[[], Runtime]
    ) -> None:
        self._settings = settings
        self.server = server
        self._runtime = runtime
        self._places = asyncio.Semaphore(AT_ONCE)

    def routine(self, plan: CheckDefinition) -> ScheduledCheck:
        """`plan` as an entry of the schedule."""

        async def run(_: Confirm | None) -> Results:
            return await self._run(plan)

        rows = {plan.name: facts(plan.settings, plan.thresholds)}
        return ScheduledCheck(plan.name, plan.settings, rows, run)

    async def _run(self, plan: CheckDefinition) -> Results:
        async def work(timeout: timedelta) -> Results:
            started = time.perf_counter()
            runtime = self._runtime()
            pools = runtime.settings.pools_spec()

            async def measure(connection: AsyncConnection, now: datetime) -> Measurement:
                cutoffs = Cutoffs.at(now, pools)
                return await plan.measure(connection, runtime.catalogue, pools, cutoffs)

            measured, why = await self.server.read(measure, timeout=timeout)
            measured = said(measured, why)
            seconds = time.perf_counter() - started
            outcome = judge(measured, plan.thresholds)
            return (CheckResult(plan.name, outcome, measured, None, seconds),)

        return await self.within(plan.settings, (plan.name,), work)

    async def within(
        self,
        check: Check,
        names: tuple[str, ...],
        work: Callable[[timedelta], Awaitable[Results]],
        *,
        grace_seconds: float = GRACE_SECONDS,
    ) -> Results:
        """`work` in a place of its own and within the timeout of `check`, which it is handed;
        whatever it raises is the error of each of `names`. Never raises for what a check does."""
        timeout = check.timeout or self._settings.database.statement_timeout
        started = time.perf_counter()
        try:
            async with self._places:
                started = time.perf_counter()
                async with asyncio.timeout(timeout.total_seconds() + grace_seconds):
                    return await work(timeout)
        except ConservatorError as error:
            message = str(error)
        except TimeoutError:
            message = str(
                StatementError(
                    f"{names[0]} took longer than {timeout.total_seconds():g} s and was given up:"
                    " raise its timeout, or let `conservator doctor` look for a missing index."
                )
            )
        except Exception as error:
            log.exception("check_broke", check=names[0])
            message = f"{names[0]} broke: {error!r}."
        seconds = time.perf_counter() - started
        return tuple(CheckResult.failed(name, message, seconds) for name in names)


def said(measured: Measurement, why: str) -> Measurement:
    """The same, with where it was read where that has to be said."""
    if not why:
        return measured
    return replace(measured, message=f"{measured.message} {why}".strip())
