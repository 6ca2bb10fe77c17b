"""Runs checks, each the same way, and publishes what they find.

A run is a place among few, a deadline, a measurement, a judgement; one check's failure, whatever
it is, stays its own. Between its runs a check is remembered by what it found last.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta

import structlog

from checks.errors import ConservatorError, DatabaseUnavailableError, StatementError
from checks.judgement import Measurement, Outcome
from monitor.checking.definition import CheckDefinition, Confirm
from monitor.config import Settings
from monitor.deadlines import CRON_GRACE_SECONDS
from monitor.scheduler import Schedule
from monitor.status import CheckResult, StatusBoard

log = structlog.get_logger(__name__)

AT_ONCE = 2
"""Checks that read at the same time: the app's database has other things to do."""

Keep = Callable[[CheckResult, float], None]
"""Takes a result that is to be kept, and when it was found, on the monotonic clock."""


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
                return check.judged(measured, time.perf_counter() - started)
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


class CheckTracker:
    """Publishes what the runs of one check find, and knows how often it runs."""

    def __init__(
        self,
        definition: CheckDefinition,
        board: StatusBoard,
        timezone: str,
        keep: Keep = lambda result, at: None,
    ) -> None:
        """`keep` is told of every result, in order."""
        check = definition.settings
        self.definition = definition
        self.schedule = Schedule(check.every, check.cron, timezone)
        self._ran: float | None = None
        # What is due by the clock on the wall keeps to it.
        self._budget = check.budget if check.cron is None else None
        self._board = board
        self._keep = keep
        interval = self.schedule.interval_seconds()
        for name, facts in definition.rows.items():
            board.update_check(
                CheckResult(
                    name=name,
                    outcome=None,
                    value=None,
                    message="",
                    interval_seconds=interval,
                    configured_interval_seconds=interval,
                    facts=facts,
                )
            )

    @property
    def name(self) -> str:
        """Of the check."""
        return self.definition.name

    @property
    def result(self) -> CheckResult:
        """Of the check itself, as published last."""
        return self._board.current.checks[self.name]

    @property
    def results(self) -> tuple[CheckResult, ...]:
        """Of every row, as published last."""
        return tuple(self._board.current.checks[name] for name in self.definition.rows)

    def publish(self, measured: Sequence[Measurement], *, age_seconds: float = 0.0) -> None:
        """Make judged measurements, one for each row, the newest results; they were found
        `age_seconds` ago."""
        self._ran = at = time.monotonic() - age_seconds
        for before, found in zip(self.results, measured, strict=True):
            after = before.after(found, wall=time.time() - age_seconds, monotonic=at)
            if self.schedule.cron is not None:
                after = self._until_due_again(after, age_seconds)
            if before.outcome is not after.outcome:
                log.info(
                    "check_changed",
                    check=before.name,
                    outcome=after.outcome,
                    before=before.outcome,
                    message=after.message,
                )
            self._board.update_check(after)
            self._keep(after, at)

    def _until_due_again(self, result: CheckResult, age_seconds: float) -> CheckResult:
        """By cron every run has an interval of its own: to the next one that is due. What it found
        holds until that one may have come late and taken all its time."""
        interval = self.schedule.interval_seconds() + age_seconds
        result = replace(result, interval_seconds=interval, configured_interval_seconds=interval)
        if result.outcome is Outcome.ERROR:
            return result
        timeout = self.definition.settings.timeout or timedelta()
        holds = interval + CRON_GRACE_SECONDS + timeout.total_seconds()
        return replace(result, stale_after_seconds=holds)

    def take_over(self) -> timedelta | None:
        """This process runs the check from now on: at the interval that was in effect, where one
        is stretched, or at its own; None for cron."""
        own = self.schedule.interval_seconds()
        interval = own if self._budget is None else max(own, self.result.interval_seconds)
        self._update_rows(interval_seconds=interval, configured_interval_seconds=own)
        return None if self.schedule.cron is not None else timedelta(seconds=interval)

    def due_in(self) -> float:
        """Seconds until the next run is due, by the last evaluation that is known of."""
        result = self.result
        if result.monotonic is None:
            return 0.0
        return max(0.0, result.interval_seconds - (time.monotonic() - result.monotonic))

    def may_run_again(self) -> bool:
        """Whether a run beside the schedule stays within the budget, by how long the last took."""
        took, share = self.result.duration_seconds, self.definition.settings.budget
        if self._ran is None or not took or not share:
            return True
        return time.monotonic() - self._ran >= took / share

    def stretch(self) -> timedelta | None:
        """Keep runs as long as the last one within the budget: the new interval, if it has to
        change."""
        result = self.result
        took, now = result.duration_seconds, result.interval_seconds
        if self._budget is None or took is None:
            return None
        wanted = max(result.configured_interval_seconds, took / self._budget)
        # A tenth up or down is noise; each change would move the next run.
        if abs(wanted - now) <= 0.1 * now:
            return None
        self._update_rows(interval_seconds=wanted)
        log.info(
            "interval_changed",
            check=self.name,
            seconds=wanted,
            configured=result.configured_interval_seconds,
            took=round(took, 4),
            budget=self._budget,
        )
        return timedelta(seconds=wanted)

    def _update_rows(self, **changes: float) -> None:
        for before in self.results:
            self._board.update_check(replace(before, **changes))  # type: ignore[arg-type]
