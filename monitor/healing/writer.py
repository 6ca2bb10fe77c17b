"""One batch: the app's rows, ledger, cursor and counters, committed together or not at all."""

from __future__ import annotations

import time

from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.database import transaction
from monitor.healing.batch import Batch, BatchSettings, BatchStart, Written
from monitor.healing.errors import RunHeld, lease_lost, paused_sentence
from monitor.healing.statements import HealingContext
from monitor.healing.strategies import RunStrategy
from monitor.healing.throttle.throttler import Throttler
from monitor.healing.wait_times import WaitTimes, keep_waits
from monitor.state.counters import add_to_counters, batch_observation
from monitor.state.runs import Run


class BatchWriter:
    """Writes the batches of runs of every kind on one database."""

    def __init__(
        self, context: HealingContext, settings: BatchSettings, throttler: Throttler
    ) -> None:
        self._context = context
        self._settings = settings
        self._throttler = throttler

    async def write(
        self, run: Run, strategy: RunStrategy, *, size: int, waited: WaitTimes
    ) -> Batch | None:
        """Write the next batch of at most about `size` rows; None at the end of a pass.

        Where the run stands is read inside the transaction, so that a batch whose commit was
        answered by silence is neither lost nor repeated. `waited` is what has yet to be kept.
        Raises LeaseLostError, RunHeld, or what the database refuses.
        """
        started = time.perf_counter()
        async with transaction(
            self._context.engine,
            timeout=self._settings.statement_timeout,
            lock_timeout=self._settings.lock_timeout,
            # Whoever takes the run over must not wait for a process that hangs inside a batch.
            idle=self._settings.lease,
            # A batch is as good as its cursor, which a crash of the server would take back with
            # it: the run repeats it. The end of a run waits for the disk, and so for every batch.
            waits_for_disk=False,
        ) as connection:
            start = await self._begin(connection, run, strategy)
            async with self._throttler.watch(start.backend) as blocked:
                written = await strategy.rows.write(connection, run, start, size)
                if written is None:
                    return None
                seconds = time.perf_counter() - started
                await self._record(connection, run, strategy, start, written, waited, seconds)
        return Batch(
            number=start.batches + 1,
            inserted=written.rows,
            users=written.users,
            position=written.position,
            seconds=time.perf_counter() - started,
            total_inserted=start.inserted + written.rows,
            at=start.now,
            blocked=blocked.most,
            quarantined=written.quarantined,
        )

    async def _begin(
        self, connection: AsyncConnection, run: Run, strategy: RunStrategy
    ) -> BatchStart:
        result = await connection.exec_driver_sql(
            self._context.statements.text("batch_begin"), {"run_id": run.id, "token": run.token}
        )
        row = result.one_or_none()
        if row is None:
            raise lease_lost(run)
        start = BatchStart(**row._mapping)
        if start.paused:
            raise RunHeld(paused_sentence(start.paused_reason))
        reason = strategy.hold_reason(run, start)
        if reason is not None:
            raise RunHeld(reason)
        return start

    async def _record(
        self,
        connection: AsyncConnection,
        run: Run,
        strategy: RunStrategy,
        start: BatchStart,
        written: Written,
        waited: WaitTimes,
        seconds: float,
    ) -> None:
        statements, state = self._context.statements, self._context.state
        await connection.exec_driver_sql(
            statements.text("batch_record"),
            {
                "run_id": run.id,
                "number": start.batches + 1,
                "started_at": start.now,
                "seconds": seconds,
                "users": written.users,
                "inserted": written.rows,
            },
        )
        await connection.exec_driver_sql(
            statements.text(strategy.cursor_statement),
            {
                "run_id": run.id,
                **written.cursor,
                "seconds": seconds,
                "waited": waited.total,
                "lease": self._settings.lease,
            },
        )
        await keep_waits(connection, state, run.id, waited)
        added = {(strategy.rows_counter, ""): float(written.rows), **batch_observation(seconds)}
        # Last, because other writers wait for these rows.
        await add_to_counters(connection, state, added)
