"""Every check once, as `check` and cron want it: nothing is scheduled, and nothing is kept."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from importlib import metadata

from sqlalchemy.ext.asyncio import AsyncEngine

from checks.doctor import Blocks
from checks.errors import ConservatorError
from checks.relations import Catalogue
from monitor.check_times import CheckTimes
from monitor.config import Check, Settings
from monitor.counting import Counting
from monitor.database import create_engine, snapshot
from monitor.expectations.validation import require_known_expectations
from monitor.expectations.worker_pool import WorkerPool
from monitor.reading import ReadServer
from monitor.revision import revision
from monitor.routine import Routine
from monitor.routines import routines
from monitor.runner import CensusRunner, StructureRunner, core_facts
from monitor.scheduler import Schedule
from monitor.shared import read_checks
from monitor.state import schema
from monitor.state.control import read_control
from monitor.state.counters import read_counters
from monitor.state.statements import SchemaStatements
from monitor.status import CheckFacts, CheckStatus, Status, StatusBoard
from monitor.workshop import Workshop, build, inspect, require

CENSUS = "census"
STRUCTURE = "structure"


def check_names(settings: Settings) -> tuple[str, ...]:
    """The checks that can be asked for: those that are enabled; a suite stands for its
    expectations."""
    checks = settings.checks
    own = [name for name in checks.built_in() if getattr(checks, name).enabled]
    sql = [one.name for one in checks.sql if one.enabled]
    suites = [one.name for one in checks.expectations if one.enabled]
    return (*own, *sql, *suites)


async def check_once(
    engine: AsyncEngine, settings: Settings, names: Collection[str]
) -> StatusBoard:
    """Run the checks `names` once; nothing is written anywhere."""
    async with AsyncExitStack() as stack:
        worker = WorkerPool()
        stack.push_async_callback(worker.close)
        read_engine = engine
        if settings.database.sqlalchemy_read_url is not None:
            read_engine = create_engine(settings.database.sqlalchemy_read_url, pool_size=2)
            stack.push_async_callback(read_engine.dispose)
        if any(suite.name in names for suite in settings.checks.expectations):
            await require_known_expectations(settings, worker)
        return await _Once(engine, read_engine, settings, worker).run(names)


class _Once:
    def __init__(
        self, engine: AsyncEngine, read_engine: AsyncEngine, settings: Settings, worker: WorkerPool
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._worker = worker
        self._workshop: Workshop | None = None
        self.board = StatusBoard(
            Status(
                started=datetime.now(UTC),
                version=metadata.version("conservator"),
                revision=revision(),
                leader=True,
                database_up=True,
            )
        )

        self._server = ReadServer(
            engine, read_engine, self.board, max_lag=settings.healing.pace.max_replica_lag
        )

    async def run(self, names: Collection[str]) -> StatusBoard:
        started = time.perf_counter()
        examination = await inspect(self._engine, self._settings)
        seconds = time.perf_counter() - started
        entries = [one for one in self._entries() if one.name in names]
        times = self._times(names, entries)
        known = await self._read_state()
        for name, one in times.items():
            self._take_since(one, known.get(name))
        if STRUCTURE in names:
            StructureRunner(times[STRUCTURE]).publish(examination, seconds=seconds)
        others = [one for name, one in times.items() if name != STRUCTURE]
        try:
            catalogue = require(examination, Blocks.COUNTING)
        except ConservatorError as error:
            for one in others:
                one.failed(str(error), seconds=None)
            return self.board
        self._workshop = build(self._engine, self._settings, examination, catalogue)
        await self._measure(catalogue, names, entries, times)
        return self.board

    async def _measure(
        self,
        catalogue: Catalogue,
        names: Collection[str],
        entries: list[Routine],
        times: dict[str, CheckTimes],
    ) -> None:
        workshop = self._workshop
        assert workshop is not None

        async def census() -> None:
            if CENSUS in names:
                counting = Counting(self._server, lambda: workshop, full_every=None)
                await CensusRunner(
                    counting, lambda: workshop, self.board, times[CENSUS], keep=1
                ).run()

        async def routine(entry: Routine) -> None:
            for result in await entry.run(None):
                times[result.name].publish(result)

        await asyncio.gather(census(), *(routine(entry) for entry in entries))

    def _entries(self) -> tuple[Routine, ...]:
        def workshop() -> Workshop:
            assert self._workshop is not None
            return self._workshop

        return routines(self._settings, self._engine, self._server, workshop, self._worker)

    def _times(self, names: Collection[str], entries: list[Routine]) -> dict[str, CheckTimes]:
        found: dict[str, CheckTimes] = {}

        def add(name: str, check: Check, facts: CheckFacts) -> None:
            schedule = Schedule(check.every, check.cron, self._settings.catalog.timezone)
            found[name] = CheckTimes(name, schedule, self.board, None, facts=facts)

        for name, check, facts in core_facts(self._settings):
            if name in names:
                add(name, check, facts)
        for entry in entries:
            for name, facts in entry.rows.items():
                add(name, entry.settings, facts)
        return found

    def _take_since(self, times: CheckTimes, known: CheckStatus | None) -> None:
        """Since when the outcome is what the service found last; it is compared with what is found
        now."""
        if known is not None:
            status = replace(times.status, outcome=known.outcome, since=known.since)
            self.board.update_check(status)

    async def _read_state(self) -> dict[str, CheckStatus]:
        """The last verified cutoff and the totals, and what the service found last, where there is
        a state schema."""
        database = self._settings.database
        async with snapshot(self._engine, timeout=database.statement_timeout) as connection:
            if not await schema.is_current(connection, database.state_schema):
                return {}
            statements = SchemaStatements(database.state_schema)
            self.board.update(
                control=await read_control(connection, statements),
                control_known=True,
                counters=await read_counters(connection, statements),
                state_schema_current=True,
            )
            return await read_checks(connection, statements)
