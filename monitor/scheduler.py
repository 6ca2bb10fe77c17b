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
    EVENT_JOB_EXECUTED,
    EVENT_JOB_MAX_INSTANCES,
    EVENT_JOB_MISSED,
    EVENT_JOB_SUBMITTED,
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

NEVER_SECONDS = 366 * 24 * 3600.0
"""The interval of what never comes again."""

Job = Callable[[], Awaitable[None]]


_TICK = timedelta(microseconds=1)
_SECOND = timedelta(seconds=1)


class WallClockTrigger(BaseTrigger):  # type: ignore[misc]
    """Fires at the local times of a cron expression, once each: at one that the clock skips, at the
    first instant after the gap; at one that comes twice, the first time.

    APScheduler's own trigger leaves the one out, and fires twice at the other.
    """

    __slots__ = ("_calendar", "_zone")

    def __init__(self, expression: str, timezone: str) -> None:
        """`expression` has five fields, with days of the week as names. Raises ValueError."""
        # Walked in local time without an offset, in UTC, where no hour is left out or repeated.
        self._calendar = CronTrigger.from_crontab(expression, timezone=UTC)
        self._zone = ZoneInfo(timezone)

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime | None:
        """The first instant after `previous`, which is no later than `now`; without it, the first
        from `now` on, in UTC; None where none comes any more."""
        after = now - _TICK if previous is None else min(previous, now)
        local = after.astimezone(self._zone).replace(tzinfo=UTC, fold=0)
        while True:
            local = self._calendar.get_next_fire_time(None, local + _TICK)
            if local is None:
                return None
            instant = self._instant(local.replace(tzinfo=None))
            # Of a repeated hour, and of a gap's end, the calendar may name what has been.
            if instant > after:
                return instant

    def _instant(self, local: datetime) -> datetime:
        """When the clock first shows `local`, or what follows the gap that skips it; in UTC."""
        # Of a time in a gap, fold=0 is as far behind its end as fold=1 is before it.
        found = local.replace(tzinfo=self._zone).astimezone(UTC)
        if self._shown(found) == local:
            return found
        before = local.replace(tzinfo=self._zone, fold=1).astimezone(UTC)
        return self._jump(before, found)

    def _jump(self, before: datetime, behind: datetime) -> datetime:
        """The first whole second with the offset of `behind`."""
        offset = behind.astimezone(self._zone).utcoffset()
        while behind - before > _SECOND:
            middle = before + timedelta(seconds=(behind - before) // _SECOND // 2)
            if middle.astimezone(self._zone).utcoffset() == offset:
                behind = middle
            else:
                before = middle
        return behind

    def _shown(self, instant: datetime) -> datetime:
        return instant.astimezone(self._zone).replace(tzinfo=None, fold=0)


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a job runs: every so often, or by a cron expression in a time zone."""

    every: timedelta | None
    cron: str | None
    timezone: str

    def trigger(self, interval: timedelta | None = None) -> BaseTrigger:
        """The trigger; `interval` replaces `every` where the budget has stretched it."""
        if self.cron is not None:
            return WallClockTrigger(self.cron, self.timezone)
        every = interval or self.every
        if every is None:
            raise ValueError("a schedule needs either `every` or `cron`")
        seconds = every.total_seconds()
        return IntervalTrigger(seconds=seconds, jitter=seconds * JITTER_SHARE, timezone=UTC)

    def interval_seconds(self) -> float:
        """The nominal distance of two runs; for cron, from now to the next run that is due."""
        if self.every is not None:
            return self.every.total_seconds()
        now = datetime.now(UTC)
        due = self.trigger().get_next_fire_time(now, now)
        return NEVER_SECONDS if due is None else max(1.0, float((due - now).total_seconds()))


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
        self._woken: dict[str, datetime] = {}
        """When jobs are due that were woken and have not begun since."""
        self._scheduler.add_listener(self._count_missed, EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)
        self._scheduler.add_listener(self._begun, EVENT_JOB_SUBMITTED)
        self._scheduler.add_listener(self._ended, EVENT_JOB_EXECUTED | EVENT_JOB_ERROR)
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
        """Run `name` soon, once more where it is running already: that run may have looked before
        what it was woken for. Whether it is scheduled at all."""
        if self._scheduler.get_job(name) is None:
            return False
        due = self._woken[name] = datetime.now(UTC) + timedelta(seconds=in_seconds)
        self._scheduler.modify_job(name, next_run_time=due)
        return True

    def hasten(self, name: str, *, in_seconds: float) -> None:
        """Run `name` in so many seconds, unless it is due before."""
        job = self._scheduler.get_job(name)
        due = datetime.now(UTC) + timedelta(seconds=in_seconds)
        if job is not None and job.next_run_time is not None and due < job.next_run_time:
            self._woken[name] = due
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

    def _begun(self, event: JobEvent) -> None:
        self._woken.pop(event.job_id, None)

    def _ended(self, event: JobEvent) -> None:
        """What was to run while it ran, because it was woken, runs now."""
        due = self._woken.get(event.job_id)
        if due is not None and due <= datetime.now(UTC):
            self.wake(event.job_id)

    def _count_missed(self, event: JobEvent) -> None:
        if event.code == EVENT_JOB_MAX_INSTANCES and event.job_id in self._woken:
            return  # until the one under way has ended
        log.warning("run_missed", job=event.job_id)
        self._missed[str(event.job_id)] += 1

    def _failed(self, event: JobExecutionEvent) -> None:
        log.error("job_failed", job=event.job_id, error=repr(event.exception))
