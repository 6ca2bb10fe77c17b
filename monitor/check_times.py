"""What is remembered about one check between its runs, and published as its status."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta

import structlog

from checks.judgement import Outcome
from monitor.scheduler import Schedule
from monitor.status import CheckStatus, StatusBoard

log = structlog.get_logger(__name__)

MAX_EVIDENCE = 20


class CheckTimes:
    """Keeps what is remembered about one check between its runs, and publishes its status."""

    def __init__(
        self, name: str, schedule: Schedule, board: StatusBoard, budget: float | None
    ) -> None:
        self.name = name
        self.schedule = schedule
        self._board = board
        self._budget = budget
        interval = schedule.interval_seconds()
        board.update_check(
            CheckStatus(
                name=name,
                outcome=None,
                value=None,
                message="",
                interval_seconds=interval,
                configured_interval_seconds=interval,
            )
        )

    @property
    def status(self) -> CheckStatus:
        """As published last."""
        return self._board.current.checks[self.name]

    def evaluated(
        self,
        outcome: Outcome,
        *,
        value: float,
        message: str,
        seconds: float,
        evidence: tuple[dict[str, str], ...] = (),
        age_seconds: float = 0.0,
    ) -> None:
        """The check was evaluated, whatever the verdict, `age_seconds` ago."""
        now = time.time() - age_seconds
        self._publish(
            outcome,
            value=value,
            message=message,
            duration_seconds=seconds,
            last_run=now,
            last_success=now,
            evidence=evidence[:MAX_EVIDENCE],
            monotonic=time.monotonic() - age_seconds,
        )

    def failed(self, message: str, *, seconds: float) -> None:
        """The check could not be evaluated; its last value grows old until it is left out."""
        self._publish(
            Outcome.ERROR, message=message, duration_seconds=seconds, last_run=time.time()
        )

    def _publish(self, outcome: Outcome, **changes: object) -> None:
        before = self.status
        since = before.since if before.outcome is outcome else time.time()
        if before.outcome is not outcome:
            log.info("check_changed", check=self.name, outcome=outcome, before=before.outcome)
        self._board.update_check(replace(before, outcome=outcome, since=since, **changes))  # type: ignore[arg-type]

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
        self._board.update_check(replace(self.status, interval_seconds=wanted))
        log.info("interval_changed", check=self.name, seconds=wanted, configured=configured)
        return timedelta(seconds=wanted)
