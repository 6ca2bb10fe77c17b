"""Works a run to its end, batch by batch, or puts it down where it is.

The edges stand in `monitor/state/transitions.py`. A run may be killed between any two statements:
what is committed is one whole batch with its ledger rows and its cursor, and whoever claims the run
goes on from there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import structlog

from checks.census import Census
from checks.errors import ConservatorError, DatabaseUnavailableError, StatementError
from monitor.database import at_once, transaction
from monitor.database_errors import TOO_SLOW, sqlstate
from monitor.healing.batch_size import (
    BatchTiming,
    Pace,
    PaceSettings,
    after_batch,
    after_timeout,
    first_pace,
    rest_seconds,
)
from monitor.healing.errors import LeaseLostError, RunHeld, lease_lost
from monitor.healing.pauses import Pauses, WaitTimes
from monitor.healing.statements import HealingContext
from monitor.healing.strategy import RunEnd, RunStrategy
from monitor.healing.throttle.throttler import Throttler
from monitor.healing.writer import Batch, BatchWriter
from monitor.state.counters import add_to_counters
from monitor.state.history import record_census
from monitor.state.runs import Run, RunKind, RunState, WaitReason, get_run
from monitor.state.transitions import finish_run, hold_run

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
class RunResult:
    """How work on a run ended: finished with a recount, or put down."""

    run: Run
    census: Census | None
    """The recount, where the run finished."""


OnProgress = Callable[[Progress], None]


class Executor:
    """Executes runs on one database. One instance works one run at a time."""

    def __init__(
        self,
        context: HealingContext,
        strategies: Mapping[RunKind, RunStrategy],
        throttler: Throttler,
        *,
        pace: PaceSettings,
        on_progress: OnProgress = lambda _: None,
    ) -> None:
        self._context = context
        self._engine = context.engine
        self._state = context.state
        self._strategies = strategies
        self._pace_settings = pace
        self._lease = context.lease
        self._on_progress = on_progress
        self._progress: Progress | None = None
        self._pauses = Pauses(context, throttler, self._report_waiting)
        self._writer = BatchWriter(context, self._pauses, pace.writers)

    def stop(self) -> None:
        """Finish the current batch, then put the run down."""
        self._pauses.stop()

    async def work(self, run: Run) -> RunResult:
        """Work `run`, whose lease this process holds, to its end or until it must be put down.

        Raises LeaseLostError when another process took it over; database errors that outlast the
        retries leave the run to be claimed once its lease has run out.
        """
        log.info("run_started", run_id=run.id, kind=run.kind, rows=run.planned_rows)
        async with self._heartbeat(run):
            return await self._work(run, self._strategies[run.kind])

    @asynccontextmanager
    async def _heartbeat(self, run: Run) -> AsyncIterator[None]:
        """Keep the lease while a rest or the recount takes longer than the lease lasts."""
        task = asyncio.create_task(self._renew_for_ever(run), name=f"lease of run {run.id}")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self._writer.close()
            await self._pauses.close()

    async def _renew_for_ever(self, run: Run) -> None:
        third = self._lease / 3
        values = {"run_id": run.id, "token": run.token, "lease": self._lease}
        renew = self._state.statement("run_renew", values)
        while True:
            await asyncio.sleep(third.total_seconds())
            try:
                # In one trip, so that a batch that begins meanwhile doesn't wait for another.
                await at_once(self._engine, renew, timeout=third, lock_timeout=third)
            except ConservatorError as error:
                # A batch holds the row, or the database is away: batches say what matters.
                log.debug("lease_not_renewed", run_id=run.id, error=str(error))

    async def _work(self, run: Run, strategy: RunStrategy) -> RunResult:
        try:
            return await self._finish(run, strategy, await self._passes(run, strategy))
        except RunHeld as held:
            return await self._hold(run, str(held))
        except (LeaseLostError, DatabaseUnavailableError):
            raise
        except StatementError as error:
            if sqlstate(error) in strategy.held_by:
                # Somebody's lock outlasted every attempt: the run is none the worse for it.
                return await self._hold(run, f"Put down, since no attempt succeeded: {error}")
            log.warning("run_failed", run_id=run.id, error=str(error))
            return await self._finish(run, strategy, RunEnd(RunState.FAILED, str(error)))

    async def _passes(self, run: Run, strategy: RunStrategy) -> RunEnd:
        """Write everything, as many times over as the strategy finds something left."""
        while True:
            await self._batches(run, strategy)
            end = await strategy.verify(run)
            if end is not None:
                return end
            run = await self._next_pass(run)

    async def _batches(self, run: Run, strategy: RunStrategy) -> None:
        """Write every batch of one pass; the pace and the time waited live here."""
        pace = first_pace(self._pace_settings)
        self._progress = Progress(run, run.inserted, None, pace.size, 0.0, None)
        waited = WaitTimes()
        started = time.perf_counter()
        while True:
            waited = await self._pauses.wait_while_throttled(run, waited)
            began = time.perf_counter()
            try:
                batches = await self._writer.write(run, strategy, pace.next_size, waited)
            except StatementError as error:
                pace = self._after_failure(run, pace, error)
                rest = rest_seconds(time.perf_counter() - began, self._pace_settings.duty)
                rested = await self._pauses.rest(rest)
                waited = waited.plus(WaitReason.DUTY, rested.total)
                continue
            if not batches:
                return
            for batch in batches:
                self._report(run, batch, time.perf_counter() - started)
            # The one that took longest is what the app could feel.
            longest = max(batches, key=lambda batch: batch.server_seconds)
            pace = self._paced(run, pace, longest, max(batch.blocked for batch in batches))
            rest = rest_seconds(longest.server_seconds, self._pace_settings.duty)
            waited = await self._pauses.rest(rest)
            is_heal = run.undoes is None and run.repair is None
            if is_heal and batches[-1].total_inserted >= run.planned_rows:
                # Else a batch would find that out, by two trips.
                self._pauses.hold_when_stopped()
                return

    def _paced(self, run: Run, pace: Pace, batch: Batch, blocked: int) -> Pace:
        """The pace after a batch."""
        timing = BatchTiming(batch.size, batch.looked_at, batch.server_seconds, blocked)
        return self._logged(run, pace, after_batch(pace, self._pace_settings, timing))

    def _after_failure(self, run: Run, pace: Pace, error: StatementError) -> Pace:
        """The pace after a batch that was not over in time; raises `error` where fewer rows would
        fail by it, too."""
        slower = after_timeout(pace) if sqlstate(error) == TOO_SLOW else None
        if slower is None:
            raise error
        return self._logged(run, pace, slower)

    def _logged(self, run: Run, pace: Pace, paced: Pace) -> Pace:
        """`paced`, after a word in the log where its size is another."""
        if paced.size != pace.size:
            log.info(
                "batch_size_changed",
                run_id=run.id,
                before=pace.size,
                after=paced.size,
                why=paced.why,
                floor=min(paced.floor, self._pace_settings.max_batch),
            )
        return paced

    def _report(self, run: Run, batch: Batch, elapsed: float) -> None:
        self._progress = Progress(
            run=run,
            inserted=batch.total_inserted,
            batch=batch,
            size=batch.size,
            rows_per_second=(batch.total_inserted - run.inserted) / max(1e-6, elapsed),
            waiting_for=None,
        )
        self._on_progress(self._progress)
        if batch.blocked:
            log.info("batch_blocks_others", run_id=run.id, sessions=batch.blocked)

    def _report_waiting(self, waiting_for: str | None) -> None:
        if self._progress is not None and self._progress.waiting_for != waiting_for:
            self._progress = replace(self._progress, waiting_for=waiting_for)
            self._on_progress(self._progress)

    async def _next_pass(self, run: Run) -> Run:
        async with transaction(self._engine) as connection:
            changed = await self._state.run(
                connection, "run_next_pass", {"run_id": run.id, "token": run.token}
            )
            if changed.one_or_none() is None:
                raise lease_lost(run)
        return await self._reload(run)

    async def _hold(self, run: Run, why: str) -> RunResult:
        async with transaction(self._engine) as connection:
            await hold_run(connection, self._state, run, why)
        log.info("run_held", run_id=run.id, reason=why)
        return RunResult(await self._reload(run), None)

    async def _finish(self, run: Run, strategy: RunStrategy, end: RunEnd) -> RunResult:
        """Write the end down with what follows from it; nothing where the run is ours no more."""
        counted = [strategy.runs_counter]
        counted += [strategy.failures_counter] if end.state is RunState.FAILED else []
        added = {(one, strategy.counter_label): 1.0 for one in counted if one is not None}
        # That a run failed is written down whatever is hidden from it.
        rows = None if end.state is RunState.FAILED else self._context.rows
        timeout = self._context.timeout
        async with transaction(self._engine, timeout=timeout, rows=rows) as connection:
            if await finish_run(
                connection,
                self._state,
                run,
                end.state,
                end.outcome,
                remaining=end.remaining,
                legacy_after=end.legacy_after,
            ):
                await strategy.settle(connection, run, end)
                if end.census is not None:
                    await record_census(connection, self._state, end.census)
                await add_to_counters(connection, self._state, added)
        ended = await self._reload(run)
        if end.state is not RunState.FAILED:
            log.info(
                "run_ended",
                run_id=run.id,
                kind=ended.kind,
                state=ended.state,
                inserted=ended.inserted,
                outcome=ended.outcome,
            )
        return RunResult(ended, end.census)

    async def _reload(self, run: Run) -> Run:
        async with transaction(self._engine) as connection:
            found = await get_run(connection, self._state, run.id)
        return run if found is None else found
