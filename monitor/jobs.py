"""What runs by the clock, and who runs it: checks and decisions are the leader's alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from checks.doctor import Blocks
from checks.errors import ConservatorError, DatabaseUnavailableError
from checks.judgement import Outcome
from monitor.alert_log import AlertLog
from monitor.bookkeeper import Bookkeeper
from monitor.check_times import CheckTimes
from monitor.config import Settings
from monitor.leadership import Leadership
from monitor.reconciler import Reconciler
from monitor.routine import Routine
from monitor.runner import StructureRunner
from monitor.scheduler import Schedule, Scheduler
from monitor.state.counters import CHECK_ERRORS, CHECK_RUNS
from monitor.workshop import Workshop, build, inspect, require

REFRESH_SECONDS = 5.0
"""How often the processes exchange what they know: pause, totals, the active run, results. More
often where the lease or the census is shorter: a follower's counts must not look stale between."""
SHORTEST_REFRESH_SECONDS = 0.5

SPREAD_SECONDS = 30.0
"""Over so long the first runs of the checks are spread: they don't all come at once."""

CANCEL_SECONDS = 1.0
"""How long what is given up may take to say good-bye to the database."""

Job = Callable[[], Coroutine[Any, Any, None]]


class UnderWay:
    """The jobs that are running right now, by name: a stop awaits them and says which."""

    def __init__(self) -> None:
        self._tasks: dict[asyncio.Task[Any], str] = {}

    @property
    def tasks(self) -> tuple[asyncio.Task[Any], ...]:
        """Their tasks."""
        return tuple(self._tasks)

    @property
    def names(self) -> list[str]:
        """What is under way."""
        return sorted(self._tasks.values())

    def tracked(self, name: str, job: Job) -> Job:
        """The same job, known while it is under way."""

        async def run() -> None:
            task = asyncio.current_task()
            assert task is not None
            self._tasks[task] = name
            try:
                await job()
            finally:
                self._tasks.pop(task, None)

        return run

    def soon(self, name: str, job: Job) -> None:
        """Run `job` now, beside everything else."""
        task = asyncio.get_running_loop().create_task(self.tracked(name, job)(), name=name)
        # From here on, although it has not begun: the loop itself keeps no task alive.
        self._tasks[task] = name


async def cancel_and_wait(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks that are still running. The first time a statement is cancelled on the server;
    a server that doesn't answer is hung up on the second time."""
    left = {task for task in tasks if not task.done()}
    for _ in range(2):
        for task in left:
            task.cancel()
        if left:
            _, left = await asyncio.wait(left, timeout=CANCEL_SECONDS)


class Jobs:
    """Schedules them. A follower's jobs do nothing but read."""

    def __init__(
        self,
        settings: Settings,
        engine: AsyncEngine,
        *,
        scheduler: Scheduler,
        leadership: Leadership,
        books: Bookkeeper,
        alert_log: AlertLog,
        reconciler: Reconciler,
        structure: StructureRunner,
        routines: tuple[Routine, ...],
        times: Mapping[str, CheckTimes],
        workshop: Callable[[], Workshop],
        replace_workshop: Callable[[Workshop], None],
    ) -> None:
        """`times`: of every check that is run here, by name; those of `routines` among them."""
        self._settings = settings
        self._engine = engine
        self._scheduler = scheduler
        self._leadership = leadership
        self._books = books
        self._alert_log = alert_log
        self._reconciler = reconciler
        self._structure = structure
        self._routines = routines
        self._times = times
        self._workshop = workshop
        self._replace_workshop = replace_workshop
        self.under_way = UnderWay()

    def schedule(self) -> None:
        """Everything that recurs. The structure has just been read: it is due in an interval."""
        checks = self._settings.checks
        if checks.census.enabled:
            self._add("census", self._times["census"].schedule, self._census)
        if checks.structure.enabled:
            schedule = self._times["structure"].schedule
            self._add("structure", schedule, self._structure_job, at_once=False)
        for routine in self._routines:
            schedule = self._times[routine.name].schedule
            self._add(routine.name, schedule, partial(self._routine, routine), at_once=False)
        census = self._times["census"].schedule.interval_seconds()
        seconds = min(REFRESH_SECONDS, self._settings.lease.total_seconds(), census)
        seconds = max(seconds, SHORTEST_REFRESH_SECONDS)
        refresh = Schedule(timedelta(seconds=seconds), None, "UTC")
        self._add("refresh", refresh, self._refresh, at_once=False)
        self._add("history", Schedule(timedelta(hours=1), None, "UTC"), self._history)

    def lead(self) -> None:
        """This process has become the leader: it counts at once, and shows what it knows."""
        for name, times in self._times.items():
            interval = times.take_over()
            if interval is not None:
                self._scheduler.stretch(name, times.schedule, interval)
        self.under_way.soon("refresh", self._books.refresh)
        if self._times["census"].schedule.cron is None:
            self._scheduler.wake("census")
        # The others when they would have been due, and those that are overdue one after the other.
        for place, routine in enumerate(self._routines, start=1):
            times = self._times[routine.name]
            spread = min(SPREAD_SECONDS, times.schedule.interval_seconds())
            first = spread * place / (len(self._routines) + 1)
            if times.schedule.cron is None:
                self._scheduler.wake(routine.name, in_seconds=max(first, times.due_in()))

    def _add(self, name: str, schedule: Schedule, job: Job, *, at_once: bool = True) -> None:
        self._scheduler.add(name, schedule, self.under_way.tracked(name, job), at_once=at_once)

    async def _refresh(self) -> None:
        await self._books.refresh()
        await self._alert_log.flush()

    async def _census(self) -> None:
        if not self._leadership.leads:
            return
        decision = await self._reconciler.run()
        times = self._times["census"]
        seconds = times.status.duration_seconds
        if seconds is not None and self._leadership.leads:
            interval = times.stretched(seconds)
            if interval is not None:
                self._scheduler.stretch("census", times.schedule, interval)
        if decision is not None and decision.again_in_seconds is not None:
            self._scheduler.hasten("census", in_seconds=decision.again_in_seconds)

    async def _routine(self, routine: Routine) -> None:
        """One run of a check, or of a suite."""
        if not self._leadership.leads:
            return
        results = await routine.run(self._leadership.confirm)
        if not self._leadership.leads:  # whoever does now runs it anew
            return
        added = {(CHECK_RUNS, result.name): 1.0 for result in results}
        for result in results:
            self._times[result.name].publish(result)
            if result.outcome is Outcome.ERROR:
                added[CHECK_ERRORS, result.name] = 1.0
        times = self._times[routine.name]
        interval = times.stretched(max(result.seconds or 0.0 for result in results))
        if interval is not None:
            self._scheduler.stretch(routine.name, times.schedule, interval)
            for name in routine.rows:
                self._times[name].adopt(interval.total_seconds())
        await self._books.add(added)

    async def _structure_job(self) -> None:
        """Read the catalogue again, on every replica: whoever leads next works by it. The leader
        publishes what it finds."""
        started = time.perf_counter()
        failure: ConservatorError | None = None
        try:
            examination = await inspect(self._engine, self._settings)
            catalogue = examination.catalogue
            if catalogue is None:
                require(examination, Blocks.COUNTING)
            else:
                holder = self._leadership.holder
                self._replace_workshop(
                    build(self._engine, self._settings, examination, catalogue, holder=holder)
                )
        except ConservatorError as error:
            failure = error
        await self.publish_structure(failure, seconds=time.perf_counter() - started)

    async def publish_structure(self, failure: ConservatorError | None, *, seconds: float) -> None:
        """The leader's word on the structure, or why it could not be read."""
        if isinstance(failure, DatabaseUnavailableError):
            self._books.trouble("structure_not_read", failure)
        if not self._leadership.leads:
            return
        added = {(CHECK_RUNS, "structure"): 1.0}
        if failure is None:
            self._structure.publish(self._workshop().examination, seconds=seconds)
        else:
            added[CHECK_ERRORS, "structure"] = 1.0
            self._structure.failed(failure, seconds=seconds)
        await self._books.add(added)

    async def _history(self) -> None:
        if self._leadership.leads:
            await self._books.prune()
