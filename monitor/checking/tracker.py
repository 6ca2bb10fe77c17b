"""What is remembered about one check between its runs, and published as its results."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import structlog

from checks.judgement import Measurement
from monitor.checking.definition import CheckDefinition
from monitor.scheduler import Schedule
from monitor.status import CheckResult, StatusBoard

log = structlog.get_logger(__name__)

Keep = Callable[[CheckResult, float], None]
"""Takes a result that is to be kept, and when it was found, on the monotonic clock."""


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
        at = time.monotonic() - age_seconds
        for before, found in zip(self.results, measured, strict=True):
            after = before.after(found, wall=time.time() - age_seconds, monotonic=at)
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
