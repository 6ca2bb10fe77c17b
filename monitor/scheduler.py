"""APScheduler in the event loop: first runs at once, no overlaps, missed runs counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import structlog
from apscheduler.events import (
    EVENT_JOB_ERROR,
    EVENT_JOB_MAX_INSTANCES,
    EVENT_JOB_MISSED,
    JobEvent,
    JobExecutionEvent,
)
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from monitor.deadlines import MISFIRE_GRACE_SECONDS

log = structlog.get_logger(__name__)

JITTER_SHARE = 0.1
"""Every interval varies by this share, so that many services don't beat in step."""

Job = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a job runs: every so often, or by a cron expression in a time zone."""

    every: timedelta | None
    cron: str | None
    timezone: str

    def trigger(self, interval: timedelta | None = None) -> BaseTrigger:
        """The trigger; `interval` replaces `every` where the budget has stretched it."""
        if self.cron is not None:
            return CronTrigger.from_crontab(self.cron, timezone=ZoneInfo(self.timezone))
        every = interval or self.every
        if every is None:
            raise ValueError("a schedule needs either `every` or `cron`")
        seconds = every.total_seconds()
        return IntervalTrigger(seconds=seconds, jitter=seconds * JITTER_SHARE, timezone=UTC)

    def interval_seconds(self) -> float:
        """The nominal distance of two runs; for cron, the distance of the next two."""
        if self.every is not None:
            return self.every.total_seconds()
        trigger = self.trigger()
        first = trigger.get_next_fire_time(None, datetime.now(UTC))
        second = None if first is None else trigger.get_next_fire_time(first, first)
        if first is None or second is None:
            return 3600.0
        return max(1.0, float((second - first).total_seconds()))


class Scheduler:
    """Runs the jobs of one service."""

    def __init__(self) -> None:
        self._scheduler = AsyncIOScheduler(
            timezone=UTC,
            job_defaults={
                "coalesce": True,
                "max_instances": 1,
                "misfire_grace_time": MISFIRE_GRACE_SECONDS,
            },
        )
        self._missed: Counter[str] = Counter()
        self._scheduler.add_listener(self._count_missed, EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)
        self._scheduler.add_listener(self._failed, EVENT_JOB_ERROR)

    def add(self, name: str, schedule: Schedule, job: Job, *, at_once: bool = True) -> None:
        """Schedule `job`; interval jobs run once at the start, cron jobs only when due."""
        first = {"next_run_time": datetime.now(UTC)} if at_once and schedule.cron is None else {}
        self._scheduler.add_job(job, schedule.trigger(), id=name, name=name, **first)

    def stretch(self, name: str, schedule: Schedule, interval: timedelta) -> None:
        """Run `name` at `interval` from now on, if it is scheduled at all."""
        job = self._scheduler.get_job(name)
        # A new trigger begins to count anew, which would put the next run off for nothing.
        if job is not None and getattr(job.trigger, "interval", None) != interval:
            self._scheduler.reschedule_job(name, trigger=schedule.trigger(interval))

    def wake(self, name: str, *, in_seconds: float = 0.0) -> bool:
        """Run `name` soon, unless it is running already; whether it is scheduled at all."""
        if self._scheduler.get_job(name) is None:
            return False
        due = datetime.now(UTC) + timedelta(seconds=in_seconds)
        self._scheduler.modify_job(name, next_run_time=due)
        return True

    def hasten(self, name: str, *, in_seconds: float) -> None:
        """Run `name` in so many seconds, unless it is due before."""
        job = self._scheduler.get_job(name)
        due = datetime.now(UTC) + timedelta(seconds=in_seconds)
        if job is not None and job.next_run_time is not None and due < job.next_run_time:
            self._scheduler.modify_job(name, next_run_time=due)

    def start(self) -> None:
        """Begin."""
        self._scheduler.start()

    def stop(self) -> None:
        """Start no further runs. Runs under way are the service's to await."""
        if self._scheduler.running:
            self._scheduler.pause()

    def close(self) -> None:
        """The end, once nothing is under way."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def take_missed(self) -> Counter[str]:
        """How many runs of each job were left out since this was asked last."""
        missed, self._missed = self._missed, Counter()
        return missed

    def put_back_missed(self, missed: Counter[str]) -> None:
        """What was taken could not be recorded: it is told again the next time."""
        self._missed += missed

    def _count_missed(self, event: JobEvent) -> None:
        log.warning("run_missed", job=event.job_id)
        self._missed[str(event.job_id)] += 1

    def _failed(self, event: JobExecutionEvent) -> None:
        log.error("job_failed", job=event.job_id, error=repr(event.exception))
