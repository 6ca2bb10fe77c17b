"""Repair runs: mend what the frozen keys name. A single row that the database refuses is passed
over, and counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.errors import StatementError
from checks.pipeline import Rows, Statement
from monitor.config.types import MaintenanceWindow
from monitor.database import snapshot
from monitor.database_errors import RETRYABLE_STATES, TOO_SLOW
from monitor.healing.errors import (
    TriggersInterfereError,
    breaker_sentence,
)
from monitor.healing.refused_rows import RefusedRows
from monitor.healing.repair_statements import MENDS, RepairStatements
from monitor.healing.repair_table import TableNow
from monitor.healing.sqlstates import ALL_IMMEDIATE, write_or_refusal
from monitor.healing.statements import HealingContext
from monitor.healing.strategy import DueBatch, OpenBatch, RunEnd, Written
from monitor.healing.table_watch import require_same, table_now
from monitor.policy.gates import window_closed
from monitor.state.counters import REPAIR_FAILURES, REPAIR_ROWS, REPAIR_RUNS
from monitor.state.runs import Run, RunState, Trigger, get_run

HELD_BY = RETRYABLE_STATES - {TOO_SLOW}
"""What runs of repairs, and their undos, are put down for. No lock is waited for as long as a
statement may take: one that is too slow is so whoever takes the run up, and while it is taken up
again and again, nothing else may heal or mend."""


class RepairStrategy:
    """Mends the rows of frozen keys, as far as `find` still names them."""

    rows_counter = REPAIR_ROWS
    runs_counter: str | None = REPAIR_RUNS
    failures_counter = REPAIR_FAILURES
    cursor_statement = "batch_advance"
    # A few thousand keys that lie in order: a probe each costs far less than by default.
    settings: Mapping[str, str] = MappingProxyType({"random_page_cost": "1.1"})
    held_by = HELD_BY

    def __init__(
        self,
        context: HealingContext,
        statements: RepairStatements,
        *,
        window: MaintenanceWindow | None = None,
        timezone: str = "UTC",
    ) -> None:
        """`window`: the hours, in `timezone`, in which runs write that start by themselves."""
        self._window = window
        self._timezone = timezone
        self._context = context
        self._state = context.state
        self._statements = statements
        self._frozen = statements.frozen()
        self._repair = statements.repair
        self.counter_label = statements.repair.spec.name
        self.rows = statements.repair.rows
        self._table_now = table_now(context, statements)
        self._refused = RefusedRows("row_not_mended", "rows could not be mended")

    def opening(self, run: Run, size: int, batches: int) -> Sequence[Statement]:
        """How far the next frozen keys go, and the table as it is."""
        limit = {"run_id": run.id, "limit": size}
        return [self._state.statement("repair_slice", limit), self._table_now]

    def ahead(self, batch: DueBatch) -> None:
        """None: the next one begins where this one has looked."""

    def single_write(self, batch: DueBatch) -> None:
        """None is ever ahead."""

    def hold_reason(self, batch: DueBatch) -> str | None:
        """Healing's breaker; a person's run goes on at any hour."""
        if batch.start.breaker_open:
            return breaker_sentence(batch.start.breaker_reason)
        if batch.run.trigger is not Trigger.SCHEDULE:
            return None
        local = batch.start.now.astimezone(ZoneInfo(self._timezone)).time()
        closed = window_closed(self._window, local, f"repair {self._repair.spec.name}")
        return None if closed is None else closed.reason

    async def write(self, batch: OpenBatch) -> Written | None:
        """The next keys; a single row that is refused is passed over."""
        (due,), now = batch.asked
        if not due.keys:
            return None
        table = require_same(self._repair, now)
        mend = partial(self._mend, batch, due.last, table)
        if batch.size > 1:
            return self._written(due, await mend(), refused=0)
        done = await write_or_refusal(batch.connection, mend)
        if not isinstance(done, psycopg.Error):
            return self._written(due, done, refused=0)
        self._refused.note(batch, done)
        return self._written(due, 0, refused=1)

    def _written(self, due: Any, rows: int, *, refused: int) -> Written:
        cursor = {
            "position": due.last,
            "artwork_cursor": None,
            "quarantined": refused,
        }
        return Written(rows, looked_at=due.keys, users=0, cursor=cursor)

    async def _mend(self, batch: OpenBatch, last: int, table: TableNow) -> int:
        """Rows mended up to the position `last`. Raises what makes the batch void."""
        spec = self._repair.spec
        values = {
            "run_id": batch.run.id,
            "repair": spec.name,
            "position": batch.start.position,
            "last": last,
        }
        plan = batch.run.repair_plan or {}
        statements = self._statements if plan["asks_again"] else self._frozen
        sent = [statements.statement(MENDS[spec.action], values)]
        if table.triggers:
            # Those that wait for the commit fire now, and may speak up as they would have then.
            sent += [ALL_IMMEDIATE, self._statements.statement("repair_read_back", values)]
        if table.impressions:
            sent.append(self._context.statements.statement("undo_unverified", {}))
        (row,), *others, now = await batch.trips.ask(*sent, self._table_now)
        require_same(self._repair, now, table)
        self._refuse_doubled(row)
        self._refuse_interference(row, others[1] if table.triggers else (), table)
        return int(row.listed)

    def _refuse_doubled(self, row: Any) -> None:
        if row.doubled:
            raise StatementError(
                f"`find` of repair {self._repair.spec.name} names {row.doubled} keys more than once"
                " by now, and once when it was planned: group or number its rows, so that each"
                " comes once. Nothing of this batch is kept."
            )

    def _refuse_interference(self, row: Any, read_back: Rows, table: TableNow) -> None:
        undone = sum(one.undone for one in read_back)
        unlisted = sum(one.unlisted for one in read_back)
        counted = (
            (row.changed - row.listed, "have another key"),
            (undone, "are not as they were left"),
            (unlisted, "were written by a trigger"),
        )
        if any(number for number, _ in counted):
            name = self._repair.relation.configured
            told = ", ".join(f"{number} {what}" for number, what in counted if number)
            if not table.triggers:
                raise StatementError(
                    f"Of the rows that were written to {name}, {told} than `find` returns: their"
                    " columns round it. Round it in find, so that each row is found again. Nothing"
                    " of this batch is kept."
                )
            raise TriggersInterfereError(
                f"Triggers on {name} make something else of what is mended"
                f" ({', '.join(table.triggers)}): of its rows {told}, so that neither"
                " repaired_row nor undo would be right, and nothing of this batch is kept. Let"
                f" them leave alone what role {self._state.catalogue.role} does."
            )

    async def verify(self, run: Run) -> RunEnd | None:
        """Ask `find` once more about the frozen keys; there is no second pass, because what it
        still names is another row by now, or was refused."""
        context = self._context
        async with snapshot(
            context.engine, timeout=context.timeout, rows=self._repair.rows
        ) as connection:
            current = await get_run(connection, self._state, run.id) or run
            asked_for = {"run_id": run.id, "position": 0, "last": run.planned_rows}
            found = await self._statements.run(connection, "repair_left", asked_for)
            left = int(found.scalar_one())
        state = RunState.PARTIAL if left else RunState.SUCCEEDED
        return RunEnd(state, self._outcome(current, left), remaining=left)

    def _outcome(self, run: Run, left: int) -> str:
        others = run.planned_rows - run.inserted - run.quarantined
        said = [f"Mended {run.inserted} of {run.planned_rows} rows."]
        if others > 0:
            said.append(f"{others} were mended or changed by others meanwhile and left alone.")
        if run.quarantined:
            why = f", the first because of {self._refused.first}" if self._refused.first else ""
            said.append(f"{run.quarantined} were refused by the database{why}.")
        if left:
            said.append(f"`find` still names {left} of them: the next run's.")
        return " ".join(said)

    async def settle(self, connection: AsyncConnection, run: Run, end: RunEnd) -> None:
        """The frozen keys go."""
        await self._state.run(connection, "repair_work_delete", {"run_id": run.id})
