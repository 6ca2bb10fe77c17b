"""The service: wires the loop together, starts it, and takes it down in order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import replace
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.doctor.findings import Examination
from checks.errors import ConservatorError, DatabaseUnavailableError, StatementError
from monitor.checking.expectations.check import require_known_expectations
from monitor.checking.expectations.worker import WorkerPool
from monitor.checking.registry import CheckRegistry
from monitor.config import Settings
from monitor.database import create_engine
from monitor.deadlines import CANCEL_SECONDS, DRAIN_LOOK_SECONDS, DRAIN_SECONDS
from monitor.loop.jobs import STATE_REFRESH, Jobs, cancel_and_wait
from monitor.loop.reconciler import Reconciler
from monitor.loop.run_queue import RunQueue
from monitor.loop.user_backfills import UserBackfills
from monitor.replicas.leadership import Leadership
from monitor.replicas.sync import ResultQueue, StateSync
from monitor.runtime import CurrentRuntime, Runtime, build, census_form_sentence
from monitor.scheduler import Scheduler
from monitor.service.bulkhead import Bulkhead
from monitor.service.commands import ServiceCommands
from monitor.service.startup import load_runtime, until_the_database_answers
from monitor.state.statements import SchemaStatements
from monitor.status import (
    CENSUS,
    REPAIRS,
    Status,
    StatusBoard,
    configured_repairs,
    process_name,
    revision,
)

log = structlog.get_logger(__name__)

CALLERS_SHARE = 3
"""A third of the connections for what callers read, a third for the users that they backfill; the
rest is left to census, healing and bookkeeping whatever they do."""
LEAST_BACKFILLS = 2
"""Transactions at a time for users who are backfilled: while one rests, another writes."""


class Service:
    """One process of conservator: scheduler, checks, policy, healing."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        name = process_name()
        self.board = StatusBoard(
            Status(
                started=datetime.now(UTC),
                version=metadata.version("conservator"),
                revision=revision(),
                replica=name,
                repairs=configured_repairs(settings),
            )
        )
        database = settings.database
        url, read_url = database.sqlalchemy_url, database.sqlalchemy_read_url
        self._engine = create_engine(url, pool_size=database.pool_size)
        self._lease_engine = create_engine(url, pool_size=1)
        self._read_engine: AsyncEngine = (
            self._engine
            if read_url is None
            else create_engine(read_url, pool_size=database.pool_size)
        )
        self._worker = WorkerPool()
        self._runtime = CurrentRuntime()
        self._background: dict[str, asyncio.Task[None]] = {}
        self.failed: asyncio.Future[None] | None = None
        self._leadership = Leadership(
            self._lease_engine,
            SchemaStatements(database.state_schema),
            holder=name,
            lease=settings.lease,
            on_gained=self._lead_gained,
            on_lost=self._lead_lost,
            on_answer=self._lease_answered,
        )
        self._wire()

    @property
    def runtime(self) -> Runtime:
        """The tools for the catalogue as it was read last. Raises DatabaseUnavailableError before
        it could be read."""
        return self._runtime.current

    def _wire(self) -> None:
        settings = self.settings
        self._scheduler = Scheduler()
        self._results = ResultQueue(self._leadership)
        self._registry = CheckRegistry(
            settings,
            self.board,
            self._engine,
            self._read_engine,
            self._worker,
            self._runtime,
            on_read=self._catalogue_read,
            keep=self._results.append,
        )
        census = self._registry.census
        self._sync = StateSync(
            self._runtime,
            self.board,
            self._leadership,
            self._scheduler,
            self._results,
            census.publish,
        )
        self._run_queue = RunQueue(
            self._runtime, self.board, self._sync.publish_recount, self._run_ended
        )
        places = max(1, settings.database.pool_size // CALLERS_SHARE)
        self._readers, self._writers = Bulkhead(places), Bulkhead(places)
        self._user_backfills = UserBackfills(
            self._runtime, self._sync.refresh, places=max(LEAST_BACKFILLS, places)
        )
        self.commands = ServiceCommands(
            self._runtime,
            self._run_queue,
            self._user_backfills,
            self._sync,
            self._scheduler,
            self._leadership,
            readers=self._readers,
            writers=self._writers,
        )
        self._jobs = Jobs(
            settings,
            scheduler=self._scheduler,
            leadership=self._leadership,
            sync=self._sync,
            reconciler=Reconciler(
                self._runtime, self.board, census, self._run_queue, self._leadership
            ),
            registry=self._registry,
        )

    def _catalogue_read(self, examination: Examination) -> None:
        before = self._runtime.current
        catalogue = examination.catalogue
        if catalogue is None:  # gone for now: the tools stay, and who would use them is refused
            runtime = replace(before, examination=examination)
        else:
            holder = self._leadership.holder
            runtime = build(self._engine, self.settings, examination, catalogue, holder=holder)
        self._runtime.replace(runtime)
        if runtime.blocked is not None:
            self._run_queue.stop_healing()
        if before.counting_blocked and not runtime.counting_blocked:
            self._scheduler.wake(CENSUS)

    async def _run_ended(self) -> None:
        """The totals first; then it is the next one's turn."""
        await self._sync.refresh()
        self._scheduler.wake(REPAIRS)

    def _lead_gained(self) -> None:
        self._results.clear()
        self._registry.census.newest.clear()  # somebody else may have counted since
        self._jobs.lead()

    def _lead_lost(self) -> None:
        self.board.update(leader=False, leader_name="")

    def _lease_answered(self, error: ConservatorError | None) -> None:
        if error is not None:
            self._sync.log_failure("lead_not_asked", error)
        elif not self.board.current.database_up:
            self._jobs.running_jobs.spawn(STATE_REFRESH, self._sync.refresh)

    async def start(self) -> None:
        """Read the catalogue, bring the state schema up to date, start the loop.

        A database that is away is waited for in the background, and everything that needs it is
        refused until then. Raises CatalogueError with everything that blocks counting,
        InvalidConfigError for expectations that Great Expectations doesn't know.
        """
        self.failed = asyncio.get_running_loop().create_future()
        try:
            await require_known_expectations(self.settings, self._worker)
        except StatementError as error:  # which each suite will say, and nothing else stops for
            log.warning("expectations_unknown", error=str(error))
        try:
            await self._open()
        except DatabaseUnavailableError as error:
            self._awaited(error)
            self._spawn("opening", until_the_database_answers(self._open, self._awaited))

    async def _open(self) -> None:
        started = time.perf_counter()
        runtime = await load_runtime(self._engine, self.settings, holder=self._leadership.holder)
        self._runtime.replace(runtime)
        self.board.update(
            database_up=True,
            database_error=None,
            state_schema_current=True,
            examination=runtime.examination,
        )
        if runtime.blocked is not None:
            log.warning("healing_blocked", reason=runtime.blocked.reason)
        log.info("catalogue_read", form=census_form_sentence(runtime.catalogue, self.settings))
        seconds = time.perf_counter() - started
        # First what others found before us, then the lead, if it is free.
        await self._sync.refresh()
        self._jobs.schedule()
        await self._leadership.attempt()
        await self._jobs.publish_structure(runtime.examination, seconds=seconds)
        await self._sync.refresh()
        self._spawn("run_queue", self._run_queue.serve())
        self._spawn("leadership", self._leadership.serve())
        self._scheduler.start()

    def _awaited(self, error: DatabaseUnavailableError) -> None:
        if self.board.current.database_error != str(error):
            log.warning("database_awaited", error=str(error))
        self._runtime.mark_unavailable(error)
        self.board.update(database_up=False, database_error=str(error))

    def _spawn(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name=name)
        self._background[name] = task
        task.add_done_callback(self._background_ended)

    def _background_ended(self, task: asyncio.Task[None]) -> None:
        self._background.pop(task.get_name(), None)
        if task.cancelled() or self.failed is None or self.failed.done():
            return
        error = task.exception()
        if error is None:
            return
        log.error("task_failed", task=task.get_name(), error=repr(error), exc_info=error)
        self.failed.set_exception(
            error
            if isinstance(error, ConservatorError)
            else ConservatorError(f"The background task {task.get_name()} failed: {error!r}.")
        )

    async def stop(self) -> None:
        """Finish batches under way, put runs down, lay the lead down, close the connections; done
        within 10 s.

        Harmless when repeated, and after a start that failed.
        """
        self._scheduler.stop()
        self._run_queue.stop()
        self._user_backfills.stop()
        await self._drain()
        await cancel_and_wait(self._background.values())
        await cancel_and_wait(self._jobs.running_jobs.tasks)
        await cancel_and_wait(self._callers_tasks)
        await self._worker.close()
        self._scheduler.close()
        release = asyncio.create_task(self._leadership.release(), name="release")
        await asyncio.wait({release}, timeout=CANCEL_SECONDS)
        await cancel_and_wait([release])
        for engine in {self._engine, self._lease_engine, self._read_engine}:
            await engine.dispose()
        log.info("stopped")

    @property
    def _callers_tasks(self) -> tuple[asyncio.Task[Any], ...]:
        return (*self._readers.tasks, *self._writers.tasks, *self._user_backfills.tasks)

    async def _drain(self) -> None:
        deadline = time.monotonic() + DRAIN_SECONDS
        said: object = None
        while waits_for := self._waits_for():
            if waits_for != said:
                log.info("stopping", **waits_for)
                said = waits_for
            if time.monotonic() > deadline:
                log.warning("stop_not_waited_for", **waits_for)
                return
            await asyncio.sleep(DRAIN_LOOK_SECONDS)

    def _waits_for(self) -> dict[str, object]:
        """What a stop waits for: runs that finish their batch, and jobs; empty when nothing."""
        runs = self._run_queue.in_flight + self._user_backfills.in_flight
        jobs = self._jobs.running_jobs.names
        return {"runs": runs, "jobs": jobs} if runs or jobs else {}
