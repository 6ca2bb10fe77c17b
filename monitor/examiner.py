"""Runs checks, each the same way: a place among few, a deadline, a measurement, a judgement.

One check's failure, whatever it is, stays its own.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.errors import ConservatorError, StatementError
from checks.judgement import Outcome, judge
from checks.measurement import Measurement
from checks.spec import Borders
from monitor.database import snapshot
from monitor.healing.planning import database_now
from monitor.plans import Plan
from monitor.workshop import Workshop

log = structlog.get_logger(__name__)

AT_ONCE = 2
"""Checks that read at the same time: the app's database has other things to do."""
GRACE_SECONDS = 5.0
"""How much longer than the server's deadline the client waits, for a connection that hangs."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one run of a check brought. `measurement` is None where it could not be evaluated."""

    outcome: Outcome
    measurement: Measurement | None
    error: ConservatorError | None
    seconds: float


class Examiner:
    """Runs the checks of one service; at most AT_ONCE of them read at a time."""

    def __init__(self, read_engine: AsyncEngine, workshop: Callable[[], Workshop]) -> None:
        self._read_engine = read_engine
        self._workshop = workshop
        self._places = asyncio.Semaphore(AT_ONCE)

    async def run(self, plan: Plan) -> CheckResult:
        """One run. Never raises for what a check does; its seconds are those spent reading."""
        timeout = plan.settings.timeout or self._workshop().settings.database.statement_timeout

        async def work() -> tuple[Outcome, Measurement]:
            measured = await self._measure(plan, timeout)
            return judge(measured, plan.thresholds), measured

        return await self.within(plan.name, timeout, work)

    async def within(
        self,
        name: str,
        timeout: timedelta,
        work: Callable[[], Awaitable[tuple[Outcome, Measurement]]],
    ) -> CheckResult:
        """`work` in a place of its own and within `timeout`; whatever it raises is its error."""
        async with self._places:
            started = time.perf_counter()
            try:
                async with asyncio.timeout(timeout.total_seconds() + GRACE_SECONDS):
                    outcome, measured = await work()
            except ConservatorError as error:
                return _failed(error, started)
            except TimeoutError:
                seconds = timeout.total_seconds()
                return _failed(
                    StatementError(
                        f"{name} took longer than {seconds:g} s and was given up: raise"
                        f" its timeout, or let `conservator doctor` look for a missing index."
                    ),
                    started,
                )
            except Exception as error:
                log.exception("check_broke", check=name)
                return _failed(ConservatorError(f"{name} broke: {error!r}."), started)
            return CheckResult(outcome, measured, None, time.perf_counter() - started)

    async def _measure(self, plan: Plan, timeout: timedelta) -> Measurement:
        workshop = self._workshop()
        pools = workshop.settings.pools_spec()
        borders = None
        if self._read_engine is not workshop.engine:
            # Age is measured on the primary's clock, whichever server is read.
            async with snapshot(workshop.engine, timeout=timeout) as primary:
                borders = Borders.at(await database_now(primary), pools)
        async with snapshot(self._read_engine, timeout=timeout) as connection:
            if borders is None:
                borders = Borders.at(await database_now(connection), pools)
            return await plan.measure(connection, workshop.catalogue, pools, borders)


def _failed(error: ConservatorError, started: float) -> CheckResult:
    return CheckResult(Outcome.ERROR, None, error, time.perf_counter() - started)
