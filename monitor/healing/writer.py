"""One batch: the app's rows, ledger, cursor and counters, committed together or not at all.

It is tried as often as its error allows, and smaller where a row of it is refused."""

from __future__ import annotations

import time
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import structlog
from tenacity import AsyncRetrying, RetryCallState, stop_after_attempt, wait_random_exponential

from checks.errors import StatementError
from monitor.database import trips
from monitor.database_errors import sqlstate
from monitor.deadlines import LONGEST_RETRY_WAIT_SECONDS
from monitor.healing.batch_size import BatchSize, PaceReason
from monitor.healing.errors import TYPES_CHANGED, RunHeld, lease_lost, paused_sentence
from monitor.healing.pauses import ATTEMPTS, Pauses, WaitTimes, keeping
from monitor.healing.sqlstates import is_row_error, is_worth_retrying
from monitor.healing.statements import HealingContext
from monitor.healing.strategy import BatchStart, OpenBatch, RunStrategy, Written
from monitor.healing.throttle.throttler import BlockingWatch
from monitor.pipeline import Rows, Statement, Trips
from monitor.state.counters import batch_observation
from monitor.state.runs import Run

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Batch:
    """A committed batch."""

    number: int
    size: int
    """Rows asked for: halved, maybe more than once, where the database refused a row."""
    inserted: int
    looked_at: int
    """Rows that it worked through, written or not."""
    users: int
    seconds: float
    """From its begin to its commit, as this process saw it. The record in the database has what was
    over before the last trip."""
    server_seconds: float
    """What the app could feel: from the first lock to the commit, by the server's clock, without
    the time that questions and answers were under way."""
    total_inserted: int
    """By the run so far."""
    blocked: int = 0
    """The most sessions of others that waited for this batch at one moment."""


class BatchWriter:
    """Writes the batches of runs of every kind on one database.

    Locks, timeouts and lost connections are waited out with jitter. An error that speaks of a row
    halves the batch, until the strategy of a batch of one row either writes it or passes it over.
    """

    def __init__(self, context: HealingContext, pauses: Pauses) -> None:
        self._context = context
        self._pauses = pauses
        self._watch = BlockingWatch(context.engine)

    async def close(self) -> None:
        """No batch follows."""
        await self._watch.close()

    async def write(
        self, run: Run, strategy: RunStrategy, size: BatchSize, waited: WaitTimes
    ) -> Batch | None:
        """Write the next batch of about so many rows at most; None at the end of a pass.

        `waited` is what has yet to be kept. Raises LeaseLostError, RunHeld, or what the last
        attempt failed with.
        """
        while True:
            try:
                return await self._write_patiently(run, strategy, size, waited)
            except StatementError as error:
                if size.rows == 1 or not is_row_error(sqlstate(error)):
                    raise
                # Ten of these for each refused pair, which is then told of by itself.
                log.debug("batch_halved", run_id=run.id, sqlstate=sqlstate(error), size=size.rows)
                size = size.halved()

    async def _write_patiently(
        self, run: Run, strategy: RunStrategy, size: BatchSize, waited: WaitTimes
    ) -> Batch | None:
        """One size, again and again as long as only others are in the way."""
        retrying = AsyncRetrying(
            retry=_worth_another_try,
            wait=wait_random_exponential(multiplier=0.1, max=LONGEST_RETRY_WAIT_SECONDS),
            stop=stop_after_attempt(ATTEMPTS),
            sleep=self._pauses.wait_or_stop,
            before_sleep=lambda state: _log_retry(run, state),
            reraise=True,
        )
        async for attempt in retrying:
            with attempt:
                self._pauses.hold_when_stopped()
                batch = await self._write_once(run, strategy, size, waited)
        return batch

    async def _write_once(
        self, run: Run, strategy: RunStrategy, size: BatchSize, waited: WaitTimes
    ) -> Batch | None:
        """Where the run stands is read inside the transaction, so that a batch whose commit was
        answered by silence is neither lost nor repeated."""
        started = time.perf_counter()
        async with self._trips(run, strategy, size) as opened:
            (begun, *asked) = opened.opened
            batch = OpenBatch(opened, run, _start(run, begun), size.rows, asked)
            reason = strategy.hold_reason(batch)
            if reason is not None:
                raise RunHeld(reason)
            with self._watch.over(batch.start.backend):
                written = await strategy.write(batch)
                if written is None:
                    return None
                seconds = time.perf_counter() - started
                await opened.commit(
                    *self._records(batch, strategy, written, waited, seconds, size.why)
                )
        took = time.perf_counter() - started
        return Batch(
            number=batch.start.batches + 1,
            size=size.rows,
            inserted=written.rows,
            looked_at=written.looked_at,
            users=written.users,
            seconds=took,
            # The server's clock may be set meanwhile.
            server_seconds=min(max(0.0, opened.server_seconds), took),
            total_inserted=batch.start.inserted + written.rows,
            blocked=self._watch.seen(),
        )

    def _trips(
        self, run: Run, strategy: RunStrategy, size: BatchSize
    ) -> AbstractAsyncContextManager[Trips]:
        """A transaction that has asked where the run stands, and what the strategy asks for."""
        context = self._context
        impressions = context.state.catalogue.impressions.beneath.oid
        values = {"run_id": run.id, "token": run.token, "impressions": impressions}
        return trips(
            context.engine,
            (
                context.statements.statement("batch_begin", values),
                *strategy.opening(run, size.rows),
            ),
            timeout=context.timeout,
            lock_timeout=context.lock_timeout,
            # Whoever takes the run over must not wait for a process that hangs inside a batch.
            idle=context.lease,
            rows=strategy.rows,
            cluster=context.on_citus,
            settings=strategy.settings,
        )

    def _records(
        self,
        batch: OpenBatch,
        strategy: RunStrategy,
        written: Written,
        waited: WaitTimes,
        seconds: float,
        why: PaceReason,
    ) -> list[Statement]:
        run_id, statements = batch.run.id, self._context.statements
        record = {
            "run_id": run_id,
            "number": batch.start.batches + 1,
            "started_at": batch.start.now,
            "seconds": seconds,
            "users": written.users,
            "inserted": written.rows,
            "size": batch.size,
            "size_reason": why,
        }
        cursor = {
            "run_id": run_id,
            **written.cursor,
            "seconds": seconds,
            "waited": waited.total,
            "lease": self._context.lease,
        }
        counted = (strategy.rows_counter, strategy.counter_label)
        observed = batch_observation(seconds) if batch.run.repair is None else {}
        added = {counted: float(written.rows), **observed}
        return [
            statements.statement("batch_record", record),
            statements.statement(strategy.cursor_statement, cursor),
            *keeping(self._context.state, batch.run, waited, added),
        ]


def _start(run: Run, begun: Rows) -> BatchStart:
    if not begun:
        raise lease_lost(run)
    (row,) = begun
    if row.paused:
        raise RunHeld(paused_sentence(row.paused_reason))
    if not row.types_as_read:
        raise RunHeld(TYPES_CHANGED)
    return BatchStart(**row._asdict())


def _worth_another_try(state: RetryCallState) -> bool:
    error = state.outcome.exception() if state.outcome is not None else None
    return error is not None and is_worth_retrying(error, state.attempt_number)


def _log_retry(run: Run, state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome is not None else None
    log.warning(
        "batch_retried",
        run_id=run.id,
        attempt=state.attempt_number,
        sqlstate=None if error is None else sqlstate(error),
        error=str(error),
    )
