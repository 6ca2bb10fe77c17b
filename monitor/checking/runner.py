"""Runs checks, each the same way: a place among few, a deadline, a measurement, a judgement.

One check's failure, whatever it is, stays its own.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta

import structlog

from checks.errors import ConservatorError, DatabaseUnavailableError, StatementError
from checks.judgement import Measurement, judge
from monitor.checking.definition import CheckDefinition, Confirm
from monitor.config import Settings
from monitor.status import StatusBoard

log = structlog.get_logger(__name__)

AT_ONCE = 2
"""Checks that read at the same time: the app's database has other things to do."""


class CheckRunner:
    """Runs the checks of one process; at most AT_ONCE of them at a time, beside the core."""

    def __init__(self, settings: Settings, board: StatusBoard) -> None:
        self._timeout = settings.database.statement_timeout
        self._board = board
        self._places = asyncio.Semaphore(AT_ONCE)

    async def run(self, check: CheckDefinition, confirm: Confirm | None) -> tuple[Measurement, ...]:
        """One run: a judged measurement for each row. Never raises for what a check does."""
        async with check.turns or nullcontext():
            started = time.perf_counter()
            try:
                async with nullcontext() if check.core else self._places:
                    started = time.perf_counter()
                    measured = await self._measure(check, confirm)
            except ConservatorError as error:
                if check.core and isinstance(error, DatabaseUnavailableError):
                    self._board.update(database_up=False, database_error=str(error))
                message = str(error)
            except Exception as error:
                log.exception("check_broke", check=check.name)
                message = f"{check.name} broke: {error!r}."
            else:
                return judged(check, measured, time.perf_counter() - started)
            return check.failed(message, time.perf_counter() - started)

    async def _measure(
        self, check: CheckDefinition, confirm: Confirm | None
    ) -> tuple[Measurement, ...]:
        timeout: timedelta = check.settings.timeout or self._timeout
        seconds = timeout.total_seconds()
        try:
            async with asyncio.timeout(None if check.core else seconds + check.grace_seconds):
                return await check.measure(timeout, confirm)
        except TimeoutError as error:
            raise StatementError(
                f"{check.name} took longer than {seconds:g} s and was given up: raise its timeout,"
                " or let `conservator doctor` look for a missing index."
            ) from error


def judged(
    check: CheckDefinition, measured: tuple[Measurement, ...], seconds: float
) -> tuple[Measurement, ...]:
    """The same with their outcomes; the run took `seconds`."""
    own, *parts = measured
    seconds = seconds if own.seconds is None else own.seconds
    return (replace(own, outcome=judge(own, check.thresholds), seconds=seconds), *parts)
