"""Works a run to its end, batch by batch, or puts it down where it is.

States and edges stand in ARCHITECTURE.md. A run may be killed between any two statements: what is
committed is one whole batch with its ledger rows and its cursor, and whoever claims the run goes
on from there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    wait_random_exponential,
)

from checks.census import Census
from checks.errors import ConservatorError, DatabaseUnavailableError, StatementError
from monitor.database import RETRYABLE_STATES, sqlstate, transaction
from monitor.healing.batches import Batch, BatchWriter, HoldError, LeaseLostError, Waited
from monitor.healing.pace import Pace, PaceSettings, after_batch, first_pace, rest_seconds
from monitor.healing.statements import HealingStatements
from monitor.healing.verification import Verifier
from monitor.state.runs import Run, RunState, get_run

log = structlog.get_logger(__name__)

ATTEMPTS = 8
"""Tries of one batch before the run is put down; with jitter they span about a minute."""
LONGEST_RETRY_WAIT_SECONDS = 10.0
PASSES = 3
"""Walks over the work list before a run whose recount still finds pairs ends as partial."""
FOREIGN_KEY_VIOLATION = "23503"
SAME_SIZE_ATTEMPTS = 2
"""A row was deleted meanwhile: once more the same, whose snapshot no longer sees it, then halve."""


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
        statements: HealingStatements,
        writer: BatchWriter,
        verifier: Verifier,
        *,
        pace: PaceSettings,
        lease: timedelta,
        on_progress: OnProgress = lambda _: None,
    ) -> None:
        self._engine = engine
        self._state = statements.state
        self._writer = writer
        self._verifier = verifier
        self._pace_settings = pace
        self._lease = lease
        self._on_progress = on_progress
        self._stop = asyncio.Event()

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
        try:
            run = await self._batches(run)
            return await self._end(run)
        except HoldError as error:
            return await self._hold(run, str(error))
        except (LeaseLostError, DatabaseUnavailableError):
            raise
        except StatementError as error:
            if sqlstate(error) in RETRYABLE_STATES:
                # Somebody's lock outlasted every attempt: the run is none the worse for it.
                return await self._hold(run, f"Put down after {ATTEMPTS} attempts: {error}")
            log.warning("run_failed", run_id=run.id, error=str(error))
            return await self._fail(run, str(error))

    async def _batches(self, run: Run) -> Run:
        """Write every batch of one pass; the pace and the time waited live here."""
        pace = first_pace(self._pace_settings)
        waited = Waited()
        started, first_inserted = time.perf_counter(), run.inserted
        while True:
            batch, pace = await self._write(run, pace, waited)
            if batch is None:
                return run
            elapsed = max(1e-6, time.perf_counter() - started)
            progress = Progress(
                run=run,
                inserted=batch.total_inserted,
                batch=batch,
                size=pace.size,
                rows_per_second=(batch.total_inserted - first_inserted) / elapsed,
                waiting_for=None,
            )
            self._on_progress(progress)
            pace = after_batch(
                pace, self._pace_settings, seconds=batch.seconds, inserted=batch.inserted
            )
            waited = await self._rest(rest_seconds(batch.seconds, self._pace_settings.duty))

    async def _write(self, run: Run, pace: Pace, waited: Waited) -> tuple[Batch | None, Pace]:
        """One batch, tried again as often as its error allows; the size halves on 23503."""
        size = pace.size
        retrying = AsyncRetrying(
            retry=retry_if_exception(_worth_another_try),
            wait=wait_random_exponential(multiplier=0.1, max=LONGEST_RETRY_WAIT_SECONDS),
            stop=stop_after_attempt(ATTEMPTS),
            sleep=self._wait_or_stop,
            before_sleep=lambda state: _log_retry(run, state),
            reraise=True,
        )
        async for attempt in retrying:
            with attempt:
                self._hold_when_stopping()
                number = attempt.retry_state.attempt_number
                violated = sqlstate_of(attempt.retry_state) == FOREIGN_KEY_VIOLATION
                # First the same again: the new snapshot no longer sees the deleted row.
                if violated and number > SAME_SIZE_ATTEMPTS:
                    size = max(1, size // 2)
                batch = await self._writer.write(run, size=size, waited=waited)
        return batch, replace(pace, size=size) if size != pace.size else pace

    def _hold_when_stopping(self) -> None:
        if self._stop.is_set():
            raise HoldError("The service is shutting down.")

    async def _rest(self, seconds: float) -> Waited:
        if seconds <= 0:
            return Waited()
        started = time.perf_counter()
        await self._wait_or_stop(min(seconds, self._lease.total_seconds() / 2))
        return Waited({"duty": time.perf_counter() - started})

    async def _wait_or_stop(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stop.wait(), timeout=max(seconds, 0.001))
        except TimeoutError:
            return

    async def _end(self, run: Run) -> Ended:
        """Count again; walk once more while pairs of the plan are missing; then finish."""
        while True:
            verdict = await self._verifier.verify(run)
            if verdict.remaining == 0 or verdict.passes >= PASSES or verdict.rows_left <= 0:
                break
            log.info("run_next_pass", run_id=run.id, remaining=verdict.remaining)
            run = await self._batches(await self._next_pass(run))
        if verdict.remaining == 0:
            state, outcome = RunState.SUCCEEDED, "Nothing of the plan is left."
        elif verdict.rows_left <= 0:
            state = RunState.PARTIAL
            outcome = (
                f"All {run.planned_rows} planned rows are written; {verdict.remaining} pairs became"
                " legacy since they were planned, by an import or a loss, and are the next run's."
            )
        else:
            state = RunState.PARTIAL
            outcome = (
                f"{verdict.remaining} pairs of the plan are still missing after"
                f" {verdict.passes} passes."
            )
        await self._verifier.finish(run, state, outcome, verdict)
        ended = await self._reload(run)
        log.info("run_ended", run_id=run.id, state=state, inserted=ended.inserted, outcome=outcome)
        return Ended(ended, verdict.census)

    async def _next_pass(self, run: Run) -> Run:
        async with transaction(self._engine, timeout=timedelta(seconds=10)) as connection:
            changed = await self._state.run(
                connection,
                "run_next_pass",
                {"run_id": run.id, "token": run.token},
            )
            if changed.one_or_none() is None:
                raise LeaseLostError(f"Run {run.id} is no longer held by this process.")
        return await self._reload(run)

    async def _hold(self, run: Run, why: str) -> Ended:
        async with transaction(self._engine, timeout=timedelta(seconds=10)) as connection:
            await self._state.run(
                connection,
                "run_hold",
                {"run_id": run.id, "token": run.token, "outcome": why, "waited": 0.0},
            )
        log.info("run_held", run_id=run.id, reason=why)
        return Ended(await self._reload(run), None)

    async def _fail(self, run: Run, why: str) -> Ended:
        await self._verifier.fail(run, why)
        return Ended(await self._reload(run), None)

    async def _reload(self, run: Run) -> Run:
        async with transaction(self._engine, timeout=timedelta(seconds=10)) as connection:
            found = await get_run(connection, self._state, run.id)
        return found if found is not None else run


def sqlstate_of(state: RetryCallState) -> str | None:
    """The SQLSTATE of the previous attempt, if it failed with one."""
    if state.outcome is None or not state.outcome.failed:
        return None
    error = state.outcome.exception()
    return None if error is None else sqlstate(error)


def _worth_another_try(error: BaseException) -> bool:
    if isinstance(error, HoldError | LeaseLostError) or not isinstance(error, ConservatorError):
        return False
    if isinstance(error, DatabaseUnavailableError):
        return True
    state = sqlstate(error)
    return state in RETRYABLE_STATES or state == FOREIGN_KEY_VIOLATION


def _log_retry(run: Run, state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome is not None else None
    log.warning(
        "batch_retried",
        run_id=run.id,
        attempt=state.attempt_number,
        sqlstate=sqlstate_of(state),
        error=str(error),
    )
