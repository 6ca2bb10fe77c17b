"""One batch: the app's rows, ledger, cursor and counters, committed together or not at all.

It is tried as often as its error allows, and smaller where a row of it is refused. Several may be
written at the same time: each is committed behind the one before it, or not at all
(`docs/healing.md`, *Several at a time*)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace

import structlog
from tenacity import AsyncRetrying, RetryCallState, stop_after_attempt, wait_random_exponential

from checks.errors import ConservatorError, StatementError
from monitor.database import milliseconds, trips
from monitor.database_errors import sqlstate
from monitor.deadlines import LONGEST_RETRY_WAIT_SECONDS
from monitor.healing.batch_size import BatchSize, PaceReason
from monitor.healing.errors import (
    TYPES_CHANGED,
    LeaseLostError,
    OutOfTurnError,
    RunHeld,
    lease_lost,
    paused_sentence,
)
from monitor.healing.pauses import ATTEMPTS, Pauses, WaitTimes, keeping
from monitor.healing.sqlstates import is_row_error, is_worth_retrying
from monitor.healing.statements import HealingContext
from monitor.healing.strategy import Ahead, BatchStart, OpenBatch, RunStrategy, Written
from monitor.healing.throttle.throttler import BlockingWatch, free_connections
from monitor.pipeline import Rows, Statement, Trips
from monitor.state.counters import batch_observation
from monitor.state.runs import Run

log = structlog.get_logger(__name__)

_PATIENT = Statement("SELECT set_config('lock_timeout', '0', true)")
"""From here on a lock is waited for as long as the statement may take."""
_HERE = Statement("SELECT now() AS now, pg_backend_pid() AS backend")
"""What a batch has to know of its own transaction, where another one knows the rest."""


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


class _Handover:
    """What a batch tells the one behind it, where they are written at the same time."""

    def __init__(self) -> None:
        self.ahead: asyncio.Future[Ahead | None] = asyncio.get_running_loop().create_future()
        self.has_turn = asyncio.Event()
        """It has the lock of the run's row, or will never ask for it: the next one may."""
        self.recorded = 0.0
        """When its record was sent, by this process's clock."""

    def tell(self, ahead: Ahead | None) -> None:
        """Where the next one begins; None where it has nothing to do. The first word counts."""
        if not self.ahead.done():
            self.ahead.set_result(ahead)

    def give_up(self) -> None:
        """It says nothing more: whoever waits for a word of it has it."""
        self.tell(None)
        self.has_turn.set()


class BatchWriter:
    """Writes the batches of runs of every kind on one database.

    Locks, timeouts and lost connections are waited out with jitter. An error that speaks of a row
    halves the batch, until the strategy of a batch of one row either writes it or passes it over.
    """

    def __init__(self, context: HealingContext, pauses: Pauses, writers: int = 1) -> None:
        """`writers`: batches that are written at the same time, at most."""
        self._context = context
        self._pauses = pauses
        self._writers = writers
        self._watch = BlockingWatch(context.engine)

    async def close(self) -> None:
        """No batch follows."""
        await self._watch.close()

    async def write(
        self, run: Run, strategy: RunStrategy, size: BatchSize, waited: WaitTimes
    ) -> tuple[Batch, ...]:
        """Write the next batches of about so many rows each at most, in their order; none at the
        end of a pass.

        `waited` is what has yet to be kept. Raises LeaseLostError, RunHeld, or what the last
        attempt failed with.
        """
        together = await self._write_together(run, strategy, size, waited)
        if together:
            return together
        while True:
            try:
                batch = await self._write_patiently(run, strategy, size, waited)
            except StatementError as error:
                if size.rows == 1 or not is_row_error(sqlstate(error)):
                    raise
                # Ten of these for each refused pair, which is then told of by itself.
                log.debug("batch_halved", run_id=run.id, sqlstate=sqlstate(error), size=size.rows)
                size = size.halved()
            else:
                return () if batch is None else (batch,)

    async def _write_together(
        self, run: Run, strategy: RunStrategy, size: BatchSize, waited: WaitTimes
    ) -> tuple[Batch, ...]:
        """As many at the same time as may be, once; none where that is one, or the first failed.

        Nobody is tried again: where one of them fails, all that follow are written by themselves.
        """
        # One connection is left for the lease, and for the look who waits.
        writers = min(
            strategy.most_at_once(run, self._writers), free_connections(self._context.engine) - 1
        )
        if writers <= 1 or size.why is PaceReason.REFUSED:
            return ()
        self._pauses.hold_when_stopped()
        told = [_Handover() for _ in range(int(writers))]

        async def attempt(before: _Handover | None, behind: _Handover) -> Batch | None:
            try:
                kept = waited if before is None else WaitTimes()
                return await self._write_once(run, strategy, size, kept, behind, before)
            finally:
                behind.give_up()

        ended = await asyncio.gather(
            *(attempt(*pair) for pair in zip([None, *told], told, strict=False)),
            return_exceptions=True,
        )
        for error in ended:
            if not isinstance(error, BaseException):
                continue
            if not isinstance(error, (ConservatorError, RunHeld)):
                raise error
            # Whose run it is, and what holds it, the next one is told, too.
            if self._writers > 1 and not isinstance(error, (LeaseLostError, RunHeld)):
                log.info("batches_one_at_a_time", run_id=run.id, error=str(error))
                self._writers = 1
        return tuple(one for one in ended if isinstance(one, Batch))

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
                batch = await self._write_once(run, strategy, size, waited, _Handover())
        return batch

    async def _write_once(
        self,
        run: Run,
        strategy: RunStrategy,
        size: BatchSize,
        waited: WaitTimes,
        behind: _Handover,
        before: _Handover | None = None,
    ) -> Batch | None:
        """Where the run stands is read inside the transaction, so that a batch whose commit was
        answered by silence is neither lost nor repeated.

        `behind` is for the next one among several, `before` from the one before.
        """
        ahead = None
        if before is not None:
            ahead = await before.ahead
            if ahead is None:
                return None
        started = time.perf_counter()
        first: Sequence[Statement] = (_HERE,)
        if ahead is None:
            first = (self._begin(run), *strategy.opening(run, size.rows, self._writers))
        async with self._trips(strategy, first) as opened:
            start, asked = _start_of(run, opened, ahead)
            batch = OpenBatch(opened, run, start, size.rows, asked)
            _hold_where_told(strategy, batch)
            behind.tell(strategy.ahead(batch))
            if before is None:
                behind.has_turn.set()
            with self._watch.over(batch.start.backend):
                written = await strategy.write(batch)
                if written is None:
                    return None
                if before is not None:
                    await before.has_turn.wait()
                    batch = await self._in_turn(batch)
                    _hold_where_told(strategy, batch)
                    behind.has_turn.set()
                behind.recorded = time.perf_counter()
                seconds = behind.recorded - started
                since = started if before is None else max(started, before.recorded)
                await opened.commit(
                    *self._records(
                        batch, strategy, written, waited, seconds, behind.recorded - since, size.why
                    )
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

    async def _in_turn(self, batch: OpenBatch) -> OpenBatch:
        """The batch with where the run stands, once the one before it has been committed: its lock
        of the run's row is waited for. Raises OutOfTurnError where the run stands elsewhere."""
        begin = self._begin(batch.run)
        impatient = Statement(
            "SELECT set_config('lock_timeout', %(timeout)s, true)",
            {"timeout": milliseconds(self._context.lock_timeout)},
        )
        # Whoever has the row works as long as one may. What the first one reads beside that row is
        # of the moment when it began to wait.
        _, _, _, begun = await batch.trips.ask(_PATIENT, begin, impatient, begin)
        start = _start(batch.run, begun)
        if start.position != batch.start.position or start.artwork_cursor is not None:
            raise OutOfTurnError(
                f"The run was to stand at position {batch.start.position}, and stands at"
                f" {start.position}."
            )
        if start.triggers:
            raise OutOfTurnError("There are triggers now on the impressions.")
        return replace(batch, start=start)

    def _begin(self, run: Run) -> Statement:
        impressions = self._context.state.catalogue.impressions.beneath.oid
        values = {"run_id": run.id, "token": run.token, "impressions": impressions}
        return self._context.statements.statement("batch_begin", values)

    def _trips(
        self, strategy: RunStrategy, first: Sequence[Statement]
    ) -> AbstractAsyncContextManager[Trips]:
        """A transaction that begins with these statements."""
        context = self._context
        return trips(
            context.engine,
            first,
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
        added: float,
        why: PaceReason,
    ) -> list[Statement]:
        """`seconds` took the batch; `added` of them were nobody's before."""
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
            "seconds": added,
            "waited": waited.total,
            "lease": self._context.lease,
        }
        counted = (strategy.rows_counter, strategy.counter_label)
        observed = batch_observation(seconds) if batch.run.repair is None else {}
        totals = {counted: float(written.rows), **observed}
        return [
            statements.statement("batch_record", record),
            statements.statement(strategy.cursor_statement, cursor),
            *keeping(self._context.state, batch.run, waited, totals),
        ]


def _start_of(run: Run, trips: Trips, ahead: Ahead | None) -> tuple[BatchStart, Sequence[Rows]]:
    """Where a batch starts whose transaction was begun, with what its strategy has asked for: as
    the database says, or as was foreseen."""
    (begun, *asked) = trips.opened
    if ahead is None:
        return _start(run, begun), asked
    (here,) = begun
    return replace(ahead.start, **here._asdict()), ahead.asked


def _hold_where_told(strategy: RunStrategy, batch: OpenBatch) -> None:
    reason = strategy.hold_reason(batch)
    if reason is not None:
        raise RunHeld(reason)


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
