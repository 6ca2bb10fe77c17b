"""What runs by the clock, and who runs it: checks and decisions are the leader's alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from datetime import timedelta
from functools import partial
from typing import Any

from checks.doctor.findings import Examination
from checks.judgement import Outcome
from monitor import deadlines
from monitor.checking.registry import CheckRegistry
from monitor.checking.runner import CheckTracker
from monitor.config import Settings
from monitor.loop.reconciler import Reconciler
from monitor.replicas.leadership import Leadership
from monitor.replicas.sync import StateSync
from monitor.scheduler import Schedule, Scheduler
from monitor.state.counters import CHECK_ERRORS, CHECK_RUNS
from monitor.status import CENSUS, REPAIRS, STRUCTURE

Job = Callable[[], Coroutine[Any, Any, None]]

# With a hyphen, which no check's name has.
STATE_REFRESH = "state-refresh"
_HISTORY_SWEEP = "history-sweep"


class RunningJobs:
    """The jobs that are running right now: a stop awaits them and says which."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def tasks(self) -> tuple[asyncio.Task[Any], ...]:
        """One of each job, named as the job is."""
        return tuple(self._tasks)

    @property
    def names(self) -> list[str]:
        """What is under way."""
        return sorted(task.get_name() for task in self._tasks)

    def tracked(self, name: str, job: Job) -> Job:
        """The same job, known while it is under way."""

        async def run() -> None:
            task = asyncio.current_task()
            assert task is not None
            task.set_name(name)
            self._tasks.add(task)
            try:
                await job()
            finally:
                self._tasks.discard(task)

        return run

    def spawn(self, name: str, job: Job) -> None:
        """Run `job` now, beside everything else."""
        task = asyncio.create_task(self.tracked(name, job)(), name=name)
        # From here on, although it has not begun: the loop itself keeps no task alive.
        self._tasks.add(task)


async def cancel_and_wait(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks that are still running. The first time a statement is cancelled on the server;
    a server that doesn't answer is hung up on the second time."""
    left = {task for task in tasks if not task.done()}
    for _ in range(2):
        for task in left:
            task.cancel()
        if left:
            _, left = await asyncio.wait(left, timeout=deadlines.CANCEL_SECONDS)


class Jobs:
    """Schedules them. A follower's jobs do nothing but read."""

    def __init__(
        self,
        settings: Settings,
        *,
        scheduler: Scheduler,
        leadership: Leadership,
        sync: StateSync,
        reconciler: Reconciler,
        registry: CheckRegistry,
    ) -> None:
        self._settings = settings
        self._scheduler = scheduler
        self._leadership = leadership
        self._sync = sync
        self._reconciler = reconciler
        self._registry = registry
        self.running_jobs = RunningJobs()
        self._mended_by = {one.check for one in settings.repairs}
        self._rechecked: dict[str, int] = {}
        """By check, the run after which it was last run again."""

    def schedule(self) -> None:
        """Everything that recurs. The structure has just been read: it is due in an interval."""
        census = self._registry.census.tracker
        for check in self._registry.checks.values():
            if not check.definition.settings.enabled:
                continue
            if check is census:
                self._add(check.name, check.schedule, self._census)
            else:
                self._add(check.name, check.schedule, partial(self._check, check), at_once=False)
        interval = census.schedule.interval_seconds()
        seconds = min(deadlines.REFRESH_SECONDS, self._settings.lease.total_seconds(), interval)
        seconds = max(seconds, deadlines.SHORTEST_REFRESH_SECONDS)
        refresh = Schedule(timedelta(seconds=seconds), None, "UTC")
        self._add(STATE_REFRESH, refresh, self._sync.refresh, at_once=False)
        self._add(_HISTORY_SWEEP, Schedule(deadlines.HISTORY_INTERVAL, None, "UTC"), self._history)
        if self._settings.repairs:
            each = Schedule(deadlines.REPAIRS_INTERVAL, None, "UTC")
            self._add(REPAIRS, each, self._repairs, at_once=False)

    def lead(self) -> None:
        """This process has become the leader: it counts at once, and shows what it knows."""
        checks = self._registry.checks.values()
        for check in checks:
            interval = check.take_over()
            if interval is not None:
                self._scheduler.stretch(check.name, check.schedule, interval)
        self.running_jobs.spawn(STATE_REFRESH, self._sync.refresh)
        if self._registry.census.tracker.schedule.cron is None:
            self._scheduler.wake(CENSUS)
        # The others when they would have been due, and those that are overdue one after the other.
        others = [one for one in checks if not one.definition.core]
        for place, check in enumerate(others, start=1):
            spread = min(deadlines.SPREAD_SECONDS, check.schedule.interval_seconds())
            first = spread * place / (len(others) + 1)
            if check.schedule.cron is None:
                self._scheduler.wake(check.name, in_seconds=max(first, check.due_in()))

    def _add(self, name: str, schedule: Schedule, job: Job, *, at_once: bool = True) -> None:
        self._scheduler.add(name, schedule, self.running_jobs.tracked(name, job), at_once=at_once)

    async def _census(self) -> None:
        if not self._leadership.leads:
            return
        decision = await self._reconciler.run()
        if self._leadership.leads:
            self._stretch(self._registry.census.tracker)
        self._wake_repairs(CENSUS)
        if self._registry.census.tables_differ:
            self._read_structure()
        if decision is not None and decision.again_in_seconds is not None:
            self._scheduler.hasten(CENSUS, in_seconds=decision.again_in_seconds)

    async def _repairs(self) -> None:
        if not self._leadership.leads:
            return
        judged = await self._reconciler.run_repairs()
        if judged is None or not self._leadership.leads:
            return
        for name, run_id in judged.checks_due.items():
            # Once for each run: where it is under way by then, it would run for nothing.
            if self._rechecked.get(name) != run_id and self._scheduler.wake(name):
                self._rechecked[name] = run_id
        if judged.healing_first:
            self._scheduler.wake(CENSUS)
        if judged.again_in_seconds is not None:
            self._scheduler.hasten(REPAIRS, in_seconds=judged.again_in_seconds)

    def _wake_repairs(self, check: str) -> None:
        """A check that repairs belong to has run."""
        if check in self._mended_by:
            self._scheduler.wake(REPAIRS)

    def _read_structure(self) -> None:
        """Beside its schedule: that a table is gone is told at once, and that it is back within a
        census's interval, or as soon as the budget allows."""
        if STRUCTURE in self.running_jobs.names:
            return
        if self._registry.checks[STRUCTURE].may_run_again():
            self._scheduler.wake(STRUCTURE)

    async def _check(self, check: CheckTracker) -> None:
        """One run of a check, or of a suite."""
        if not (self._leadership.leads or check.definition.everywhere):
            return
        measured = await self._registry.runner.run(check.definition, self._leadership.confirm)
        if not self._leadership.leads:  # whoever does now runs it anew
            return
        check.publish(measured)
        self._stretch(check)
        await self._count_run(check)
        self._wake_repairs(check.name)

    async def publish_structure(self, examination: Examination, *, seconds: float) -> None:
        """The leader's word on the structure, which was read beside the schedule."""
        if self._leadership.leads:
            self._registry.publish_structure(examination, seconds=seconds)
            await self._count_run(self._registry.checks[STRUCTURE])
            self._wake_repairs(STRUCTURE)

    def _stretch(self, check: CheckTracker) -> None:
        interval = check.stretch()
        if interval is not None:
            self._scheduler.stretch(check.name, check.schedule, interval)

    async def _count_run(self, check: CheckTracker) -> None:
        """Add a run that has been published to the totals."""
        added: dict[tuple[str, str], float] = {}
        for result in check.results:
            added[CHECK_RUNS, result.name] = 1.0
            if result.outcome is Outcome.ERROR:
                added[CHECK_ERRORS, result.name] = 1.0
        await self._sync.add(added)

    async def _history(self) -> None:
        if self._leadership.leads:
            await self._sync.prune()
