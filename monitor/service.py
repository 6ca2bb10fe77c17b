"""The service: wires the loop together, starts it, and takes it down in order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from importlib import metadata
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.census import Census
from checks.doctor import Blocks
from checks.errors import CatalogueError, ConservatorError, DatabaseUnavailableError
from monitor.bookkeeper import Bookkeeper
from monitor.config import Check, Settings
from monitor.database import create_engine, transaction
from monitor.desk import Desk
from monitor.healer import Healer
from monitor.reconciler import Reconciler
from monitor.revision import revision
from monitor.runner import CensusRunner, CheckTimes, StructureRunner
from monitor.scheduler import Schedule, Scheduler
from monitor.state import schema
from monitor.state.counters import CHECK_ERRORS, CHECK_RUNS
from monitor.state.statements import StateStatements
from monitor.status import Status, StatusBoard
from monitor.workshop import Workshop, build, census_form_sentence, inspect, require

log = structlog.get_logger(__name__)

SHUTDOWN_SECONDS = 10.0
"""How long a stop waits for batches under way."""
REFRESH_SECONDS = 5.0
"""How often pause, totals and the active run are read again: others change them too."""


class Service:
    """One process of conservator: scheduler, checks, policy, healing."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.board = StatusBoard(
            Status(
                started=datetime.now(UTC),
                version=metadata.version("conservator"),
                revision=revision(),
            )
        )
        database = settings.database
        self._engine = create_engine(database.sqlalchemy_url, pool_size=database.pool_size)
        read_url = database.sqlalchemy_read_url
        self._read_engine: AsyncEngine = (
            self._engine
            if read_url is None
            else create_engine(read_url, pool_size=database.pool_size)
        )
        self._workshop: Workshop | None = None
        self._books = Bookkeeper(self._engine, lambda: self.workshop, self.board)
        self._scheduler = Scheduler(self._books.count_missed)
        self._tasks: set[asyncio.Task[None]] = set()
        self._background: asyncio.Task[None] | None = None
        self.failed: asyncio.Future[None] | None = None

    @property
    def workshop(self) -> Workshop:
        """The tools for the catalogue as it was read last."""
        if self._workshop is None:
            raise ConservatorError("The service has not started yet.")
        return self._workshop

    async def start(self) -> None:
        """Read the catalogue, bring the state schema up to date, start the loop.

        Raises CatalogueError with everything that must be mended first, DatabaseUnavailableError.
        """
        self.failed = asyncio.get_running_loop().create_future()
        started = time.perf_counter()
        examination = await inspect(self._engine, self.settings)
        catalogue = require(examination, Blocks.COUNTING, Blocks.HEALING)
        self._workshop = build(self._engine, self.settings, examination, catalogue)
        await ensure_schema(self._engine, self._workshop.state)
        self.board.update(database_up=True, state_schema_current=True, leader=True)
        log.info("catalogue_read", form=census_form_sentence(catalogue, self.settings))
        self._wire()
        self._structure.publish(self._workshop, seconds=time.perf_counter() - started)
        await self._books.add({(CHECK_RUNS, "structure"): 1.0})
        await self._books.refresh()
        self._spawn("healer", self._healer.serve())
        self._scheduler.start()

    def _wire(self) -> None:
        settings = self.settings
        checks = settings.checks
        census_times = CheckTimes(
            "census", self._schedule(checks.census), self.board, checks.census.budget
        )
        self._structure = StructureRunner(
            CheckTimes(
                "structure", self._schedule(checks.structure), self.board, checks.structure.budget
            )
        )
        self._census_times = census_times
        self._census = CensusRunner(
            self._read_engine,
            lambda: self.workshop,
            self.board,
            census_times,
            keep=settings.healing.consecutive,
        )
        self._healer = Healer(
            lambda: self.workshop, self.board, self._publish_recount, self._books.refresh
        )
        self.desk = Desk(
            self._engine,
            lambda: self.workshop,
            self._healer,
            self._books.refresh,
            lambda: self._scheduler.wake("census"),
        )
        self._reconciler = Reconciler(lambda: self.workshop, self.board, self._census, self._healer)
        if checks.census.enabled:
            self._scheduler.add("census", census_times.schedule, self._tracked(self._census_job))
        if checks.structure.enabled:
            # It has just run; the next is due in an interval.
            self._scheduler.add(
                "structure",
                self._schedule(checks.structure),
                self._tracked(self._structure_job),
                at_once=False,
            )
        refresh = Schedule(timedelta(seconds=REFRESH_SECONDS), None, "UTC")
        self._scheduler.add("refresh", refresh, self._tracked(self._books.refresh), at_once=False)
        hourly = Schedule(timedelta(hours=1), None, "UTC")
        self._scheduler.add("history", hourly, self._tracked(self._books.prune))

    def _schedule(self, check: Check) -> Schedule:
        return Schedule(check.every, check.cron, self.settings.catalog.timezone)

    def _tracked(
        self, job: Callable[[], Coroutine[Any, Any, None]]
    ) -> Callable[[], Coroutine[Any, Any, None]]:
        """The same job, known to `stop` while it is under way."""

        async def run() -> None:
            task = asyncio.current_task()
            if task is not None:
                self._tasks.add(task)
            try:
                await job()
            finally:
                if task is not None:
                    self._tasks.discard(task)

        run.__name__ = job.__name__
        return run

    def _spawn(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name=name)
        self._background = task
        task.add_done_callback(self._background_ended)

    def _background_ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or self.failed is None or self.failed.done():
            return
        error = task.exception()
        log.error("task_failed", task=task.get_name(), error=repr(error), exc_info=error)
        self.failed.set_exception(
            ConservatorError(f"The background task {task.get_name()} failed: {error!r}.")
        )

    async def _census_job(self) -> None:
        await self._reconciler.run()
        seconds = self._census_times.status.duration_seconds
        if seconds is not None:
            interval = self._census_times.stretched(seconds)
            if interval is not None:
                self._scheduler.stretch("census", self._census_times.schedule, interval)

    async def _structure_job(self) -> None:
        started = time.perf_counter()
        added = {(CHECK_RUNS, "structure"): 1.0}
        try:
            examination = await inspect(self._engine, self.settings)
            catalogue = examination.catalogue
            if catalogue is None:
                require(examination, Blocks.COUNTING)
            else:
                self._workshop = build(self._engine, self.settings, examination, catalogue)
            self._structure.publish(self.workshop, seconds=time.perf_counter() - started)
        except ConservatorError as error:
            added[CHECK_ERRORS, "structure"] = 1.0
            self._structure.failed(error, seconds=time.perf_counter() - started)
        await self._books.add(added)

    def _publish_recount(self, census: Census) -> None:
        self._census.publish(census)

    async def stop(self) -> None:
        """Finish batches under way, put runs down, close the connections; at most 10 s.

        Harmless when repeated, and after a start that failed.
        """
        self._scheduler.stop()
        background, self._background = self._background, None
        if background is not None:
            self._healer.stop()
            await self._drain()
            background.cancel()
            await asyncio.gather(background, return_exceptions=True)
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._scheduler.close()
        await self._engine.dispose()
        if self._read_engine is not self._engine:
            await self._read_engine.dispose()
        log.info("stopped")

    async def _drain(self) -> None:
        deadline = time.monotonic() + SHUTDOWN_SECONDS
        said = False
        while self._healer.in_flight or self._tasks:
            if not said:
                names = sorted(task.get_name() for task in self._tasks)
                log.info("stopping", runs=self._healer.in_flight, jobs=names)
                said = True
            if time.monotonic() > deadline:
                log.warning("stop_not_waited_for", runs=self._healer.in_flight)
                return
            await asyncio.sleep(0.02)


async def ensure_schema(engine: AsyncEngine, state: StateStatements) -> bool:
    """Create or upgrade the state schema where the role may; True when something was done.

    Raises CatalogueError with what to run where it may not.
    """
    name = state.state_schema
    try:
        async with transaction(engine, timeout=timedelta(seconds=60)) as connection:
            if await schema.is_current(connection, name):
                return False
            return await schema.upgrade(connection, state.catalogue, name)
    except DatabaseUnavailableError:
        raise
    except CatalogueError:
        raise
    except ConservatorError as error:
        raise CatalogueError(
            f"The state schema {name} is not there or not current, and this role may not make it"
            f" so ({error}). Let a role that may run `conservator init`, or run the output of"
            " `conservator init --print-sql` as the owner."
        ) from error
