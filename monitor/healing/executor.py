"""Works a run to its end, batch by batch, or puts it down where it is.

States and edges stand in ARCHITECTURE.md. A run may be killed between any two statements: what is
committed is one whole batch with its ledger rows and its cursor, and whoever claims the run goes
on from there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.census import Census
from checks.errors import ConservatorError, DatabaseUnavailableError, StatementError
from monitor.database import RETRYABLE_STATES, sqlstate, transaction
from monitor.healing.attempts import ATTEMPTS, Attempts
from monitor.healing.batches import Batch, HoldError, LeaseLostError
from monitor.healing.crafts import Craft
from monitor.healing.pace import Pace, PaceSettings, after_batch, first_pace, rest_seconds
from monitor.healing.traffic import Traffic
from monitor.healing.waits import SHORT, Waited
from monitor.healing.yielding import Yielding
from monitor.state.runs import Run, RunKind, get_run
from monitor.state.statements import StateStatements

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands after a batch, or while it waits."""

    run: Run
    inserted: int
    batch: Batch | None
    size: int
    rows_per_second: float
    waiting_for: str | None

    @property
    def remaining(self) -> int:
        """Rows of the plan not yet written; others may meanwhile have written some of them."""
        return max(0, self.run.planned_rows - self.inserted)

    @property
    def eta_seconds(self) -> float | None:
        """Seconds to go at the rate so far; None while unknown."""
        return self.remaining / self.rows_per_second if self.rows_per_second > 0 else None


@dataclass(frozen=True, slots=True)
class Ended:
    """How work on a run ended: finished with a recount, or put down."""

    run: Run
    census: Census | None
    """The recount, where the run finished."""


OnProgress = Callable[[Progress], None]


class Executor:
    """Executes runs on one database. One instance works one run at a time."""

    def __init__(
        self,
        engine: AsyncEngine,
        state: StateStatements,
        crafts: Mapping[RunKind, Craft],
        *,
        pace: PaceSettings,
        lease: timedelta,
        traffic: Traffic,
        on_progress: OnProgress = lambda _: None,
    ) -> None:
        self._engine = engine
        self._state = state
        self._crafts = crafts
        self._pace_settings = pace
        self._lease = lease
        self._on_progress = on_progress
        self._stop = asyncio.Event()
        self._progress: Progress | None = None
        self._yielding = Yielding(
            engine, state, traffic, lease=lease, stop=self._stop, say=self._say_waiting
        )

    def stop(self) -> None:
        """Finish the current batch, then put the run down."""
        self._stop.set()

    async def work(self, run: Run) -> Ended:
        """Work `run`, whose lease this process holds, to its end or until it must be put down.

        Raises LeaseLostError when another process took it over; database errors that outlast the
        retries leave the run to be claimed once its lease has run out.
        """
        log.info("run_started", run_id=run.id, kind=run.kind, rows=run.planned_rows)
        async with self._heartbeat(run):
            return await self._work(run)

    @asynccontextmanager
    async def _heartbeat(self, run: Run) -> AsyncIterator[None]:
        """Keep the lease while a rest or the recount takes longer than the lease lasts."""
        task = asyncio.create_task(self._renew_for_ever(run), name=f"lease of run {run.id}")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _renew_for_ever(self, run: Run) -> None:
        third = self._lease / 3
        while True:
            await asyncio.sleep(third.total_seconds())
            try:
                async with transaction(self._engine, timeout=third, lock_timeout=third) as c:
                    await self._state.run(
                        c, "run_renew", {"run_id": run.id, "token": run.token, "lease": self._lease}
                    )
            except ConservatorError as error:
                # A batch holds the row, or the database is away: batches say what matters.
                log.debug("lease_not_renewed", run_id=run.id, error=str(error))

    async def _work(self, run: Run) -> Ended:
        craft = self._crafts[run.kind]
        try:
            while True:
                await self._batches(run, craft)
                conclusion = await craft.conclude(run)
                run = await self._reload(run)
                if conclusion is not None:
                    break
        except HoldError as error:
            return await self._hold(run, str(error))
        except (LeaseLostError, DatabaseUnavailableError):
            raise
        except StatementError as error:
            if sqlstate(error) in RETRYABLE_STATES:
                # Somebody's lock outlasted every attempt: the run is none the worse for it.
                return await self._hold(run, f"Put down after {ATTEMPTS} attempts: {error}")
            log.warning("run_failed", run_id=run.id, error=str(error))
            await craft.fail(run, str(error))
            return Ended(await self._reload(run), None)
        log.info(
            "run_ended",
            run_id=run.id,
            kind=run.kind,
            state=run.state,
            inserted=run.inserted,
            outcome=run.outcome,
        )
        return Ended(run, conclusion.census)

    async def _batches(self, run: Run, craft: Craft) -> None:
        """Write every batch of one pass; the pace and the time waited live here."""
        attempts = Attempts(craft, stop=self._stop, wait_or_stop=self._yielding.wait_or_stop)
        pace = first_pace(self._pace_settings)
        self._progress = Progress(run, run.inserted, None, pace.size, 0.0, None)
        waited = Waited()
        started = time.perf_counter()
        while True:
            waited = await self._yielding.until_free(run, waited)
            batch, size = await attempts.write(run, pace.size, waited)
            if batch is None:
                return
            pace = pace if size == pace.size else Pace(size)
            self._report(run, batch, pace, time.perf_counter() - started)
            if batch.blocked:
                log.info("batch_blocks_others", run_id=run.id, sessions=batch.blocked)
            pace = after_batch(
                pace,
                self._pace_settings,
                seconds=batch.seconds,
                inserted=batch.inserted,
                blocked=batch.blocked,
            )
            waited = await self._yielding.rest(
                rest_seconds(batch.seconds, self._pace_settings.duty)
            )

    def _report(self, run: Run, batch: Batch, pace: Pace, elapsed: float) -> None:
        self._progress = Progress(
            run=run,
            inserted=batch.total_inserted,
            batch=batch,
            size=pace.size,
            rows_per_second=(batch.total_inserted - run.inserted) / max(1e-6, elapsed),
            waiting_for=None,
        )
        self._on_progress(self._progress)

    def _say_waiting(self, waiting_for: str | None) -> None:
        if self._progress is not None and self._progress.waiting_for != waiting_for:
            self._progress = replace(self._progress, waiting_for=waiting_for)
            self._on_progress(self._progress)

    async def _hold(self, run: Run, why: str) -> Ended:
        async with transaction(self._engine, timeout=SHORT) as connection:
            await self._state.run(
                connection,
                "run_hold",
                {"run_id": run.id, "token": run.token, "outcome": why, "waited": 0.0},
            )
        log.info("run_held", run_id=run.id, reason=why)
        return Ended(await self._reload(run), None)

    async def _reload(self, run: Run) -> Run:
        async with transaction(self._engine, timeout=SHORT) as connection:
            found = await get_run(connection, self._state, run.id)
        return found if found is not None else run
