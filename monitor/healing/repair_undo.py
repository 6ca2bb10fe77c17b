"""Undo of repairs: give back, row by row, what a run changed and nobody has touched since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

import psycopg
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.pipeline import Statement
from monitor.database import snapshot
from monitor.healing.errors import NotUndoableError, TriggersInterfereError
from monitor.healing.preview import UndoPreview
from monitor.healing.refused_rows import RefusedRows
from monitor.healing.repair_statements import UNDOES, RepairStatements
from monitor.healing.repair_strategy import HELD_BY
from monitor.healing.repair_table import DELETE, TableNow
from monitor.healing.sqlstates import ALL_IMMEDIATE, write_or_refusal
from monitor.healing.statements import HealingContext
from monitor.healing.strategy import DueBatch, OpenBatch, RunEnd, Written
from monitor.healing.table_watch import require_same, table_now
from monitor.healing.undo_planner import NO_SUCH_RUN, UndoPlanner
from monitor.state.counters import REPAIR_FAILURES, REPAIR_UNDONE_ROWS
from monitor.state.repairs import suspend_repair
from monitor.state.runs import Run, RunState, UnknownRunError, get_run


@dataclass(frozen=True, slots=True)
class RepairUndoPreview(UndoPreview):
    """What has become of the rows that a repair's ledger lists: as they were left, changed since
    (of deleted ones: their key is taken), or gone."""

    keys: Sequence[str]
    """The first keys of those that are not gone, as JSON."""


async def preview_repair_undo(
    connection: AsyncConnection, statements: RepairStatements, run_id: int
) -> RepairUndoPreview:
    """Compare a run's ledger with the table; all zero for a run without one."""
    row = (await statements.run(connection, "repair_undo_survey", {"undoes": run_id})).one()
    return RepairUndoPreview(**row._mapping)


class RepairUndoPlanner(UndoPlanner):
    """Makes undos of one repair's runs."""

    def __init__(self, context: HealingContext, statements: RepairStatements) -> None:
        super().__init__(context)
        self._repair_statements = statements
        self._rows = statements.repair.rows

    async def preview(self, run_id: int) -> RepairUndoPreview:
        """What an undo would find now. Raises UnknownRunError."""
        context = self._context
        async with snapshot(context.engine, timeout=context.timeout, rows=self._rows) as connection:
            if await self._run_to_undo(connection, run_id) is None:
                raise UnknownRunError(NO_SUCH_RUN.format(run_id))
            return await preview_repair_undo(connection, self._repair_statements, run_id)

    @property
    def refusal(self) -> str | None:
        """Why nothing can be taken back on this table."""
        repair = self._repair_statements.repair
        return repair.consequences(repair.now)

    async def _require_types(self, connection: AsyncConnection) -> None:
        """The table has just been read, and each batch compares it."""

    async def _anything_left(
        self, connection: AsyncConnection, run_id: int, undone: Run | None
    ) -> bool:
        if undone is None:
            raise UnknownRunError(NO_SUCH_RUN.format(run_id))
        found = await preview_repair_undo(connection, self._repair_statements, run_id)
        return found.untouched > 0

    async def _require_possible(self, connection: AsyncConnection) -> None:
        if self.refusal is not None:
            raise NotUndoableError(self.refusal)

    async def _sized(self, connection: AsyncConnection, run_id: int) -> Mapping[str, object]:
        found = await preview_repair_undo(connection, self._repair_statements, run_id)
        return {"users": 0, "rows": found.listed}

    async def _switch_off(self, connection: AsyncConnection, undo: Run, undone: Run | None) -> None:
        await suspend_for_undo(connection, self._context, undo)


async def suspend_for_undo(connection: AsyncConnection, context: HealingContext, undo: Run) -> None:
    """The repair starts by itself no more, or it would do again what is taken back."""
    reason = f"run {undo.undoes} was taken back by undo run {undo.id}"
    await suspend_repair(connection, context.state, str(undo.repair), reason)


class RepairUndoStrategy:
    """Gives back what a repair's ledger lists. Breakers are about writing and hold no undo."""

    rows_counter = REPAIR_UNDONE_ROWS
    runs_counter: str | None = None
    failures_counter = REPAIR_FAILURES
    cursor_statement = "batch_advance"
    # As in a repair. Without hash joins, as in other undos, rows that are put back would each be
    # compared with all.
    settings: Mapping[str, str] = MappingProxyType({"random_page_cost": "1.1"})
    held_by = HELD_BY

    def __init__(self, context: HealingContext, statements: RepairStatements) -> None:
        self._context = context
        self._state = context.state
        self._statements = statements
        self._repair = statements.repair
        self.counter_label = statements.repair.spec.name
        self.rows = statements.repair.rows
        self._table_now = table_now(context, statements)
        self._refused = RefusedRows("row_not_given_back", "rows could not be given back")

    def opening(self, run: Run, size: int, batches: int) -> Sequence[Statement]:
        """The table as it is; where the run goes on stands in its row."""
        return [self._table_now]

    def ahead(self, batch: DueBatch) -> None:
        """None: the next one begins where this one has looked."""

    def single_write(self, batch: DueBatch) -> None:
        """None is ever ahead."""

    def hold_reason(self, batch: DueBatch) -> str | None:
        """Nothing but a pause."""
        return None

    async def write(self, batch: OpenBatch) -> Written | None:
        """The next ledger rows: what is untouched is given back. A single row that is refused stays
        as it is, listed, and the cursor passes it."""
        (now,) = batch.asked
        take_back = partial(self._take_back, batch, require_same(self._repair, now))
        if batch.size > 1:
            return self._written(await take_back())
        done = await write_or_refusal(batch.connection, take_back)
        if not isinstance(done, psycopg.Error):
            return self._written(done)
        self._refused.note(batch, done)
        passed = self._statements.statement("repair_undo_next", self._window(batch))
        ((row,),) = await batch.trips.ask(passed)
        return self._written(row, refused=1)

    def _window(self, batch: OpenBatch) -> Mapping[str, object]:
        """The rows of the ledger that a batch is about."""
        start = batch.start.position
        return {"undoes": batch.run.undoes, "position": start, "limit": batch.size}

    async def _take_back(self, batch: OpenBatch, table: TableNow) -> Any:
        """What was taken back, and that it is so once all triggers have fired."""
        window = self._window(batch)
        done, _, settled, now = await batch.trips.ask(
            self._statements.statement(UNDOES[self._repair.spec.action], window),
            ALL_IMMEDIATE,
            self._statements.statement(
                "repair_undo_settle", {**window, "heeds": bool(table.triggers)}
            ),
            self._table_now,
        )
        require_same(self._repair, now, table)
        self._refuse_interference(done[0], settled[0], table)
        return done[0]

    def _written(self, row: Any, *, refused: int = 0) -> Written | None:
        if row.last_position is None:
            return None
        cursor = {
            "position": row.last_position,
            "artwork_cursor": None,
            "quarantined": refused,
        }
        return Written(row.taken, row.looked_at, users=0, cursor=cursor)

    def _refuse_interference(self, row: Any, settled: Any, table: TableNow) -> None:
        deletes = self._repair.does == DELETE
        counted = (
            (row.changed - row.taken, "have another key"),
            (0 if deletes else max(0, row.taken - settled.ours), "are not there"),
            (settled.ours - (0 if deletes else row.taken), "were written by a trigger"),
            (settled.otherwise, "do not have the values that they had"),
        )
        told = ", ".join(f"{number} {what}" for number, what in counted if number > 0)
        if told:
            raise TriggersInterfereError(
                f"Triggers on {self._repair.relation.configured} make something else of what is"
                f" given back ({', '.join(table.triggers)}): of its rows {told}, so that nothing of"
                " this batch is kept, and all of it is still listed. Let them leave alone what role"
                f" {self._state.catalogue.role} does."
            )

    async def verify(self, run: Run) -> RunEnd | None:
        """Compare the ledger with what is there, once: a row is as it was left, or it is not."""
        context = self._context
        async with snapshot(context.engine, timeout=context.timeout, rows=self.rows) as connection:
            current = await get_run(connection, self._state, run.id) or run
            left = await preview_repair_undo(connection, self._statements, run.undoes or 0)
        stuck = left.untouched
        if self._repair.spec.action == DELETE:
            stuck += left.touched
        state = RunState.PARTIAL if stuck else RunState.SUCCEEDED
        return RunEnd(state, self._outcome(current, left), remaining=stuck)

    def _outcome(self, run: Run, left: RepairUndoPreview) -> str:
        gone = max(0, run.planned_rows - run.inserted - left.untouched - left.touched)
        said = [f"Gave back {run.inserted} of {run.planned_rows} rows of run {run.undoes}."]
        if self._repair.spec.action == DELETE:
            said += self._not_as_before(run, left)
        else:
            said.append(f"{left.touched} have been touched since and stay, {gone} are gone.")
        if left.untouched:
            why = f" (the first: {self._refused.first})" if self._refused.first else ""
            said.append(f"{left.untouched} could not be given back{why}.")
        if left.keys:
            said.append(f"Still listed: {', '.join(left.keys)}.")
        said.append(f"The repair is suspended until `conservator resume {run.repair}`.")
        return " ".join(said)

    def _not_as_before(self, run: Run, left: RepairUndoPreview) -> list[str]:
        """Of deleted rows that are listed although their key is there: those that were given back
        and that triggers have made others, and those that somebody else has."""
        altered = max(0, run.inserted + left.untouched + left.touched - run.planned_rows)
        taken, said = left.touched - altered, []
        if altered:
            said.append(
                f"Triggers on {self._repair.relation.configured} have given {altered} of them other"
                " values than they had: repaired_row keeps those that they had."
            )
        return said + ([f"Of {taken} the key is taken."] if taken > 0 else [])

    async def settle(self, connection: AsyncConnection, run: Run, end: RunEnd) -> None:
        """The repair stays suspended: a `resume` meanwhile ended that, too."""
        await suspend_for_undo(connection, self._context, run)
