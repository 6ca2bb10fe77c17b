"""The service: wires the loop together, starts it, and takes it down in order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.census import Census
from checks.errors import ConservatorError, DatabaseUnavailableError
from monitor.alert_log import AlertLog
from monitor.bookkeeper import Bookkeeper
from monitor.check_times import CheckTimes
from monitor.config import Check, Settings
from monitor.counting import Counting
from monitor.crowd import Crowd
from monitor.database import create_engine
from monitor.desk import Desk
from monitor.expectations.validation import require_known_expectations
from monitor.expectations.worker_pool import WorkerPool
from monitor.healer import Healer
from monitor.jobs import CANCEL_SECONDS, Jobs, give_up
from monitor.leadership import Leadership
from monitor.opening import open_workshop, until_the_database_answers
from monitor.reading import ReadServer
from monitor.reconciler import Reconciler
from monitor.revision import revision
from monitor.routine import Routine
from monitor.routines import routines
from monitor.runner import CensusRunner, StructureRunner, core_facts
from monitor.scheduler import Schedule, Scheduler
from monitor.status import CheckFacts, Status, StatusBoard
from monitor.workshop import Workshop, census_form_sentence, process_name

log = structlog.get_logger(__name__)

CALLERS_SHARE = 3
"""A third of the connections for what callers read, a third for the users that they backfill; the
rest is left to census, healing and bookkeeping whatever they do."""
DRAIN_SECONDS = 7.0
"""How long a stop waits for batches under way; with all the rest it is done within 10 s."""


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
        self._workshop: Workshop | None = None
        self._background: dict[str, asyncio.Task[None]] = {}
        self.failed: asyncio.Future[None] | None = None
        self._leadership = Leadership(
            self._lease_engine,
            lambda: self.workshop.state,
            holder=name,
            lease=settings.lease,
            on_gained=self._lead_gained,
            on_lost=self._lead_lost,
            on_answer=self._lease_answered,
        )
        self._wire()

    @property
    def workshop(self) -> Workshop:
        """The tools for the catalogue as it was read last. Raises DatabaseUnavailableError before
        it could be read."""
        if self._workshop is None:
            why = self.board.current.database_error or "The database has not answered yet."
            raise DatabaseUnavailableError(why)
        return self._workshop

    def _wire(self) -> None:
        settings = self.settings
        self._books = Bookkeeper(
            self._engine,
            lambda: self.workshop,
            self.board,
            self._leadership,
            publish=lambda census, age: self._census.publish(census, age_seconds=age),
            wake=lambda: self._scheduler.wake("census"),
        )
        server = ReadServer(
            self._engine,
            self._read_engine,
            self.board,
            max_lag=settings.healing.pace.max_replica_lag,
        )
        entries = routines(settings, self._engine, server, lambda: self.workshop, self._worker)
        times = self._all_times(entries)
        full_every = settings.checks.census.full_every
        self._census = CensusRunner(
            Counting(server, lambda: self.workshop, full_every=full_every),
            lambda: self.workshop,
            self.board,
            times["census"],
            keep=settings.healing.consecutive,
        )
        self._scheduler = Scheduler(self._books.count_missed)
        self._healer = Healer(
            lambda: self.workshop, self.board, self._publish_recount, self._books.refresh
        )
        self._alert_log = AlertLog(
            self._engine, lambda: self.workshop, holder=self._leadership.holder
        )
        places = max(1, settings.database.pool_size // CALLERS_SHARE)
        self._readers, self._writers = Crowd(places), Crowd(places)
        self.desk = Desk(
            self._engine,
            lambda: self.workshop,
            self._healer,
            self._books.refresh,
            lambda: self._scheduler.wake("census"),
            lambda: self._leadership.leads,
            self._alert_log,
            readers=self._readers,
            writers=self._writers,
        )
        self._jobs = Jobs(
            settings,
            self._engine,
            scheduler=self._scheduler,
            leadership=self._leadership,
            books=self._books,
            alert_log=self._alert_log,
            reconciler=Reconciler(
                lambda: self.workshop, self.board, self._census, self._healer, self._leadership
            ),
            structure=StructureRunner(times["structure"]),
            routines=entries,
            times=times,
            workshop=lambda: self.workshop,
            replace_workshop=self._replace_workshop,
        )

    def _all_times(self, entries: tuple[Routine, ...]) -> dict[str, CheckTimes]:
        """Of every check, by name, in the order in which they are shown."""
        own = core_facts(self.settings)
        found = {name: self._times(name, check, facts) for name, check, facts in own}
        for entry in entries:
            for name, facts in entry.rows.items():
                found[name] = self._times(name, entry.settings, facts)
        return found

    def _times(self, name: str, check: Check, facts: CheckFacts) -> CheckTimes:
        return CheckTimes(
            name,
            Schedule(check.every, check.cron, self.settings.catalog.timezone),
            self.board,
            check.budget,
            facts=facts,
            keep=self._books.keep,
        )

    def _replace_workshop(self, workshop: Workshop) -> None:
        self._workshop = workshop

    def _publish_recount(self, census: Census) -> None:
        # A follower's comes back to it through the leader.
        if self._leadership.leads:
            self._census.publish(census)

    def _lead_gained(self) -> None:
        self._books.start_leading()
        self._census.newest.clear()  # somebody else may have counted since
        self._jobs.lead()

    def _lead_lost(self) -> None:
        self.board.update(leader=False, leader_name="")

    def _lease_answered(self, error: ConservatorError | None) -> None:
        if error is not None:
            self._books.trouble("lead_not_asked", error)
        elif not self.board.current.database_up:
            self._jobs.under_way.soon("refresh", self._books.refresh)

    async def start(self) -> None:
        """Read the catalogue, bring the state schema up to date, start the loop.

        A database that is away is waited for in the background, and everything that needs it is
        refused until then. Raises CatalogueError with everything that must be mended first,
        InvalidConfigError for expectations that Great Expectations doesn't know.
        """
        self.failed = asyncio.get_running_loop().create_future()
        await require_known_expectations(self.settings, self._worker)
        try:
            await self._open()
        except DatabaseUnavailableError as error:
            self._awaited(error)
            self._spawn("opening", until_the_database_answers(self._open, self._awaited))

    async def _open(self) -> None:
        started = time.perf_counter()
        workshop = await open_workshop(self._engine, self.settings, holder=self._leadership.holder)
        self._workshop = workshop
        self.board.update(database_up=True, database_error=None, state_schema_current=True)
        log.info("catalogue_read", form=census_form_sentence(workshop.catalogue, self.settings))
        seconds = time.perf_counter() - started
        # First what others found before us, then the lead, if it is free.
        await self._books.refresh()
        self._jobs.schedule()
        await self._leadership.attempt()
        await self._jobs.publish_structure(None, seconds=seconds)
        await self._books.refresh()
        self._spawn("healer", self._healer.serve())
        self._spawn("leadership", self._leadership.serve())
        self._scheduler.start()

    def _awaited(self, error: DatabaseUnavailableError) -> None:
        if self.board.current.database_error != str(error):
            log.warning("database_awaited", error=str(error))
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
        self._healer.stop()
        await self._drain()
        await give_up(self._background.values())
        await give_up((*self._jobs.under_way.tasks, *self._alert_log.tasks))
        await give_up((*self._readers.tasks, *self._writers.tasks))
        await self._worker.close()
        self._scheduler.close()
        release = asyncio.create_task(self._leadership.release(), name="release")
        await asyncio.wait({release}, timeout=CANCEL_SECONDS)
        await give_up([release])
        for engine in {self._engine, self._lease_engine, self._read_engine}:
            await engine.dispose()
        log.info("stopped")

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
            await asyncio.sleep(0.02)

    def _waits_for(self) -> dict[str, object]:
        """What a stop waits for: runs that finish their batch, and jobs; empty when nothing."""
        runs, jobs = self._healer.in_flight, self._jobs.under_way.names
        return {"runs": runs, "jobs": jobs} if runs or jobs else {}
