"""What is remembered about one check between its runs, and published as its status."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import structlog

from checks.judgement import MAX_EVIDENCE, Measurement, Outcome
from monitor.checking.result import CheckResult
from monitor.scheduler import Schedule
from monitor.status import CheckFacts, CheckStatus, StatusBoard

log = structlog.get_logger(__name__)

Keep = Callable[[CheckStatus, float], None]
"""Takes a result that is to be kept, and when it was found, on the monotonic clock."""


class CheckTracker:
    """Keeps what is remembered about one check between its runs, and publishes its status."""

    def __init__(
        self,
        name: str,
        schedule: Schedule,
        board: StatusBoard,
        budget: float | None,
        *,
        facts: CheckFacts | None = None,
        keep: Keep = lambda status, at: None,
    ) -> None:
        """`keep` is told of every result, in order."""
        self.name = name
        self.schedule = schedule
        self._board = board
        self._budget = budget
        self._keep = keep
        interval = schedule.interval_seconds()
        board.update_check(
            CheckStatus(
                name=name,
                outcome=None,
                value=None,
                message="",
                interval_seconds=interval,
                configured_interval_seconds=interval,
                facts=facts or CheckFacts(),
            )
        )

    @property
    def status(self) -> CheckStatus:
        """As published last."""
        return self._board.current.checks[self.name]

    def publish(self, result: CheckResult, *, age_seconds: float = 0.0) -> None:
        """Make `result` the newest; it was found `age_seconds` ago."""
        if result.measurement is None:
            self.failed(result.error or "", seconds=result.seconds)
        else:
            self.evaluated(
                result.outcome, result.measurement, seconds=result.seconds, age_seconds=age_seconds
            )

    def evaluated(
        self,
        outcome: Outcome,
        measured: Measurement,
        *,
        seconds: float | None,
        age_seconds: float = 0.0,
    ) -> None:
        """The check was evaluated, whatever the verdict, `age_seconds` ago."""
        now = time.time() - age_seconds
        self._publish(
            outcome,
            age_seconds,
            value=measured.value,
            message=measured.message,
            duration_seconds=seconds,
            last_run=now,
            last_success=now,
            evidence=measured.evidence[:MAX_EVIDENCE],
            numbers=measured.numbers,
            monotonic=time.monotonic() - age_seconds,
        )

    def failed(self, message: str, *, seconds: float | None) -> None:
        """The check could not be evaluated; its last value grows old until it is left out."""
        self._publish(
            Outcome.ERROR,
            0.0,
            message=message,
            duration_seconds=seconds,
            last_run=time.time(),
            evidence=(),
            numbers={},
        )

    def _publish(self, outcome: Outcome, age_seconds: float, **changes: object) -> None:
        before = self.status
        since = before.since if before.outcome is outcome else time.time() - age_seconds
        after = replace(before, outcome=outcome, since=since, **changes)  # type: ignore[arg-type]
        if before.outcome is not outcome:
            log.info(
                "check_changed",
                check=self.name,
                outcome=outcome,
                before=before.outcome,
                message=after.message,
            )
        self._board.update_check(after)
        self._keep(after, time.monotonic() - age_seconds)

    def take_over(self) -> timedelta | None:
        """This process runs the check from now on: at the interval that was in effect, where one
        is stretched, or at its own; None for cron."""
        status, own = self.status, self.schedule.interval_seconds()
        stretches = self._budget is not None and self.schedule.cron is None
        interval = max(own, status.interval_seconds) if stretches else own
        self._board.update_check(
            replace(status, interval_seconds=interval, configured_interval_seconds=own)
        )
        return None if self.schedule.cron is not None else timedelta(seconds=interval)

    def due_in(self) -> float:
        """Seconds until the next run is due, by the last evaluation that is known of."""
        status = self.status
        if status.monotonic is None:
            return 0.0
        return max(0.0, status.interval_seconds - (time.monotonic() - status.monotonic))

    def stretched(self, seconds: float) -> timedelta | None:
        """The interval that keeps a run of `seconds` within the budget, if it has to change."""
        configured = self.status.configured_interval_seconds
        if self._budget is None or self.schedule.cron is not None:
            return None
        wanted = max(configured, seconds / self._budget)
        now = self.status.interval_seconds
        # A tenth up or down is noise; each change would move the next run.
        if abs(wanted - now) <= 0.1 * now:
            return None
        self.adopt(wanted)
        log.info(
            "interval_changed",
            check=self.name,
            seconds=wanted,
            configured=configured,
            took=round(seconds, 4),
            budget=self._budget,
        )
        return timedelta(seconds=wanted)

    def adopt(self, interval_seconds: float) -> None:
        """The check runs at this interval from now on."""
        self._board.update_check(replace(self.status, interval_seconds=interval_seconds))
