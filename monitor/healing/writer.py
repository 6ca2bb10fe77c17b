"""One batch: the app's rows, ledger, cursor and counters, committed together or not at all.

It is tried as often as its error allows, and smaller where a row of it is refused. Several may be
written at the same time: each is committed behind the one before it, or not at all
(`docs/healing.md`, *Several at a time*)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import timedelta

import structlog
from tenacity import AsyncRetrying, RetryCallState, stop_after_attempt, wait_random_exponential

from checks.errors import ConservatorError, StatementError
from checks.pipeline import CLOCK, COMMIT, Rows, Statement, Trips
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
from monitor.healing.pauses import ATTEMPTS, Pauses, WaitTimes, keeping, throttled
from monitor.healing.sqlstates import is_row_error, is_worth_retrying
from monitor.healing.statements import HealingContext
from monitor.healing.strategy import BatchStart, DueBatch, OpenBatch, RunStrategy, Written
from monitor.healing.throttle.throttler import BlockingWatch, free_connections
from monitor.state.counters import (
    BATCH_BOUNDS,
    BATCH_SECONDS_BUCKET,
    BATCH_SECONDS_SUM,
    columns,
)
from monitor.state.runs import Run

log = structlog.get_logger(__name__)

_PATIENT = Statement("SELECT set_config('lock_timeout', '0', true)")
"""From here on a lock is waited for as long as the statement may take."""
_MOVED_ON = "22P02"
"""What `batch_foreseen` fails with. A row may, too; then the batch that is begun anew says so."""


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
    """From its begin to its commit, as this process saw it. The record in the database has what the
    server's clock said by then, from the begin of its transaction."""
    server_seconds: float
    """What the app could feel: from the first lock to the commit, by the server's clock, without
    the time that questions and answers were under way."""
    total_inserted: int
    """By the run so far."""
    blocked: int = 0
    """The most sessions of others that waited for this batch at one moment."""


class _Turn:
    """Of a batch, for the one behind it that is written at the same time."""

    def __init__(self) -> None:
        self.has_come = asyncio.Event()
        """It has the lock of the run's row, or will never ask for it: the next one may."""
        self.refused = False
        """The database refused a row of it."""


@dataclass(frozen=True, slots=True)
class _Behind:
    """Where a batch begins that is written at the same time as the one before it."""

    due: DueBatch
    before: _Turn
    writers: int
    """That may be at work from here on, this one included."""


@dataclass(frozen=True, slots=True)
class Foreseen:
    """The batch behind one that was written."""

    due: DueBatch
    asked: float
    """When the database was asked for the clock in it, by this process's."""

    @property
    def now(self) -> DueBatch:
        """With what the database's clock says by now, about."""
        passed = timedelta(seconds=time.perf_counter() - self.asked)
        return replace(self.due, start=replace(self.due.start, now=self.due.start.now + passed))


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
        self._watch = BlockingWatch(context.engine, context.state.state_schema)
        self._foreseen: Foreseen | None = None

    async def close(self) -> None:
        """No batch of this run follows."""
        self._foreseen = None
        await self._watch.close()

    async def write(
        self, run: Run, strategy: RunStrategy, size: BatchSize, waited: WaitTimes
    ) -> tuple[Batch, ...]:
        """Write the next batches of about so many rows each at most, in their order; none at the
        end of a pass.

        `waited` is what has yet to be kept. Raises LeaseLostError, RunHeld, or what the last
        attempt failed with: where that is a timeout, fewer rows may be over in time.
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
    ) -> tuple[Batch, ...]:
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
                batches = await self._write_at_once(run, strategy, size, waited)
                if not batches:
                    batches = await self._write_once(run, strategy, size, waited)
        return batches

    async def _write_at_once(
        self, run: Run, strategy: RunStrategy, size: BatchSize, waited: WaitTimes
    ) -> tuple[Batch, ...]:
        """The batch behind the last one, begun, written and committed in one trip; none where that
        can't be, or where the run stands elsewhere by now."""
        foreseen, self._foreseen = self._foreseen, None
        if foreseen is None:
            return ()
        due = replace(foreseen.now, run=run, size=size.rows)
        single = strategy.single_write(due)
        if single is None or strategy.hold_reason(due) is not None:
            return ()
        begin = self._begin(run, "batch_foreseen", due.start)
        records = self._records(due, strategy, single.users, single.cursor, None, waited, size.why)
        # The batch has no connection yet.
        self._pauses.look_ahead(beside=1)
        started = time.perf_counter()
        whole = (begin, CLOCK, single.statement, *records, COMMIT, CLOCK)
        try:
            with self._watch.over():
                async with self._trips(strategy, whole) as trip:
                    begun, (since,), (found,), *_, (until,) = trip.opened
        except StatementError as error:
            if sqlstate(error) != _MOVED_ON:
                raise
            log.debug("batch_begun_anew", run_id=run.id)
            return ()
        written = Written(
            found.inserted, max(found.inserted, single.planned), single.users, single.cursor
        )
        batch = replace(due, start=_start(run, begun))
        # Behind the users that were chosen by what was foreseen.
        seen = replace(due, start=replace(due.start, now=batch.start.now))
        self._foresee(strategy, seen, started)
        felt = (until.now - since.now).total_seconds()
        return (self._done(batch, written, time.perf_counter() - started, felt),)

    def _foresee(self, strategy: RunStrategy, batch: DueBatch, asked: float) -> None:
        due = strategy.ahead(batch)
        self._foreseen = None if due is None else Foreseen(due, asked)

    def _done(self, batch: DueBatch, written: Written, took: float, felt: float) -> Batch:
        return Batch(
            number=batch.start.batches + 1,
            size=batch.size,
            inserted=written.rows,
            looked_at=written.looked_at,
            users=written.users,
            seconds=took,
            # The server's clock may be set meanwhile.
            server_seconds=min(max(0.0, felt), took),
            total_inserted=batch.start.inserted + written.rows,
            blocked=self._watch.seen(),
        )

    async def _write_once(
        self,
        run: Run,
        strategy: RunStrategy,
        size: BatchSize,
        waited: WaitTimes,
        behind: _Behind | None = None,
    ) -> tuple[Batch, ...]:
        """A batch, and those that could be written behind it at the same time. Where the run stands
        is read inside the transaction, so that a batch whose commit was answered by silence is
        neither lost nor repeated."""
        started = time.perf_counter()
        turn, following = _Turn(), None
        try:
            async with self._trips(strategy, self._first(run, strategy, size, behind)) as opened:
                batch = _opened(opened, run, size, behind)
                _hold_where_told(strategy, batch)
                writers = self._writers if behind is None else behind.writers
                following = self._follow(strategy, batch, size, turn, writers)
                if behind is None:
                    turn.has_come.set()
                with self._watch.over():
                    written = await strategy.write(batch)
                    if written is None:
                        return ()
                    if behind is not None:
                        await behind.before.has_come.wait()
                        batch = await self._in_turn(batch, strategy)
                        turn.has_come.set()
                    self._pauses.look_ahead()
                    users, cursor, rows = written.users, written.cursor, written.rows
                    await opened.commit(
                        *self._records(batch, strategy, users, cursor, rows, waited, size.why)
                    )
            took = time.perf_counter() - started
        except StatementError as error:
            turn.refused = is_row_error(sqlstate(error))
            raise
        except asyncio.CancelledError:
            if following is not None:
                following.cancel()
            raise
        finally:
            turn.has_come.set()
            followed = () if following is None else await following
        if behind is None and self._writers == 1 and not followed:
            self._foresee(strategy, batch, started)
        return (self._done(batch, written, took, opened.server_seconds), *followed)

    def _follow(
        self, strategy: RunStrategy, batch: OpenBatch, size: BatchSize, turn: _Turn, writers: int
    ) -> asyncio.Task[tuple[Batch, ...]] | None:
        """Begin the batch behind this one, where it may be written at the same time."""
        # One connection is left for the lease, and for the look who waits.
        spare = free_connections(self._context.engine) > 1
        if writers <= 1 or not spare or size.why is PaceReason.REFUSED:
            return None
        due = strategy.ahead(batch)
        if due is None:
            return None
        behind = _Behind(due, turn, writers - 1)
        return asyncio.create_task(self._write_behind(batch.run, strategy, size, behind))

    async def _write_behind(
        self, run: Run, strategy: RunStrategy, size: BatchSize, behind: _Behind
    ) -> tuple[Batch, ...]:
        """It is not tried again: where it fails by more than a row, all that follow are written one
        at a time."""
        try:
            return await self._write_once(run, strategy, size, WaitTimes(), behind)
        except (LeaseLostError, RunHeld):
            # Whose run it is, and what holds it, the next one is told, too.
            return ()
        except ConservatorError as error:
            if self._writers > 1 and not (behind.before.refused or is_row_error(sqlstate(error))):
                log.info("batches_one_at_a_time", run_id=run.id, error=str(error))
                self._writers = 1
            return ()

    def _first(
        self, run: Run, strategy: RunStrategy, size: BatchSize, behind: _Behind | None
    ) -> Sequence[Statement]:
        """What a batch is begun with."""
        if behind is not None:
            return (self._context.statements.statement("batch_behind", {"run_id": run.id}),)
        begin = self._begin(run, "batch_begin")
        return (begin, *strategy.opening(run, size.rows, self._writers))

    async def _in_turn(self, batch: OpenBatch, strategy: RunStrategy) -> OpenBatch:
        """The batch with where the run stands, once the one before it has been committed: its lock
        of the run's row is waited for. Raises RunHeld, or OutOfTurnError where the run stands
        elsewhere."""
        begin = self._begin(batch.run, "batch_begin")
        impatient = Statement(
            "SELECT set_config('lock_timeout', %(timeout)s, true)",
            {"timeout": milliseconds(self._context.lock_timeout)},
        )
        # Whoever has the row works as long as one may. What the first one reads beside that row is
        # of the moment when it began to wait.
        _, _, _, begun = await batch.trips.ask(_PATIENT, begin, impatient, begin)
        foreseen, start = batch.start, _start(batch.run, begun)
        batch = replace(batch, start=start)
        _hold_where_told(strategy, batch)
        if start.position != foreseen.position or start.artwork_cursor is not None:
            raise OutOfTurnError(
                f"The run was to stand at position {foreseen.position}, and stands at"
                f" {start.position}."
            )
        if start.triggers:
            raise OutOfTurnError("There are triggers now on the impressions.")
        return batch

    def _begin(self, run: Run, name: str, foreseen: BatchStart | None = None) -> Statement:
        impressions = self._context.state.catalogue.impressions.beneath.oid
        values: dict[str, object] = {
            "run_id": run.id,
            "token": run.token,
            "impressions": impressions,
        }
        if foreseen is not None:
            values |= {"position": foreseen.position, "batches": foreseen.batches}
            values |= {"now": foreseen.now, "quarantine": foreseen.quarantine}
        return self._context.statements.statement(name, values)

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
        batch: DueBatch,
        strategy: RunStrategy,
        users: int,
        cursor: Mapping[str, object],
        inserted: int | None,
        waited: WaitTimes,
        why: PaceReason,
    ) -> list[Statement]:
        """What is kept of a batch; `inserted` None: what its write has told the transaction."""
        run, statements = batch.run, self._context.statements
        which = {"run_id": run.id, "number": batch.start.batches + 1}
        record = {"users": users, "inserted": inserted, "size": batch.size, "size_reason": why}
        moved = {**which, **cursor, "waited": waited.total, "lease": self._context.lease}
        observes = run.repair is None
        totals = {
            **columns(throttled(run, waited)),
            "rows": strategy.rows_counter,
            "label": strategy.counter_label,
            "sum": BATCH_SECONDS_SUM if observes else None,
            "bucket": BATCH_SECONDS_BUCKET if observes else None,
            "bounds": list(BATCH_BOUNDS),
        }
        return [
            statements.statement("batch_record", {**which, **record}),
            statements.statement(strategy.cursor_statement, moved),
            *keeping(self._context.state, run, waited),
            statements.statement("batch_count", {**which, **totals}),
        ]


def _opened(trips: Trips, run: Run, size: BatchSize, behind: _Behind | None) -> OpenBatch:
    """The batch of a transaction that was begun: where the database says, or where was foreseen."""
    (begun, *asked) = trips.opened
    if behind is None:
        return OpenBatch(run, _start(run, begun), size.rows, asked, trips)
    (here,) = begun
    start = replace(behind.due.start, now=here.now)
    return OpenBatch(run, start, size.rows, behind.due.asked, trips)


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
