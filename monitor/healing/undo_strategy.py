"""Undo runs: take back what a run wrote and the app has not touched since. A single row that the
database refuses to delete is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import psycopg
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.pipeline import Statement
from checks.relations import Kind
from checks.row_security import guard_of
from monitor.database import snapshot
from monitor.database_errors import RETRYABLE_STATES
from monitor.healing.preview import UndoPreview, preview_undo
from monitor.healing.refused_rows import RefusedRows
from monitor.healing.sqlstates import write_or_refusal
from monitor.healing.statements import HealingContext
from monitor.healing.strategy import PASSES, DueBatch, OpenBatch, RunEnd, Written
from monitor.healing.undo_planner import suspend_for
from monitor.state.counters import HEAL_FAILURES, HEAL_UNDONE_IMPRESSIONS
from monitor.state.runs import Run, RunState, get_run

PASSES_ON_CITUS = 20
"""There a commit may be reported while a node has yet to be told of it: what one walk over the
ledger did not see, a later one does. The last one changes nothing, as a rule."""


class UndoStrategy:
    """Deletes what a run's ledger lists. Window and breaker are about healing and hold no undo."""

    rows_counter = HEAL_UNDONE_IMPRESSIONS
    runs_counter: str | None = None
    failures_counter = HEAL_FAILURES
    counter_label = ""
    cursor_statement = "undo_advance"
    settings: Mapping[str, str] = MappingProxyType(
        {"enable_hashjoin": "off", "enable_mergejoin": "off", "enable_sort": "off"}
    )
    held_by = RETRYABLE_STATES

    def __init__(self, context: HealingContext, present: HealingContext) -> None:
        """`context` has the catalogue of the run that is taken back, `present` the one by which
        is counted."""
        self._context = context
        if context.on_citus:
            self.settings = {}
        self._present = present
        self._statements = context.statements
        self._state = context.state
        self.rows = guard_of(context.state.catalogue, writes=True)
        self._refused = RefusedRows("impression_not_taken_back", "impressions could not be deleted")

    def opening(self, run: Run, size: int, batches: int) -> Sequence[Statement]:
        """Nothing: where it goes on stands in the run's row."""
        return ()

    def ahead(self, batch: DueBatch) -> None:
        """None: the next one begins where this one has looked."""

    def single_write(self, batch: DueBatch) -> None:
        """None is ever ahead."""

    def hold_reason(self, batch: DueBatch) -> str | None:
        """Nothing but a pause."""
        return None

    async def write(self, batch: OpenBatch) -> Written | None:
        """The next ledger rows: what is untouched is taken back. A single row that is refused
        stays where it is, listed, and the cursor passes it."""
        if batch.size > 1:
            return await self._walk(batch, "undo_batch")
        done = await write_or_refusal(batch.connection, lambda: self._walk(batch, "undo_batch"))
        if not isinstance(done, psycopg.Error):
            return done
        self._refused.note(batch, done)
        return await self._walk(batch, "undo_next")

    async def _walk(self, batch: OpenBatch, name: str) -> Written | None:
        """`undo_batch` takes the next rows back, `undo_next` steps over one."""
        start = batch.start
        values = {
            "undoes": batch.run.undoes,
            "user_cursor": start.user_cursor,
            "artwork_cursor": start.artwork_cursor,
            "limit": batch.size,
        }
        begun = start.user_cursor is not None
        if self._context.on_citus and name == "undo_batch":
            asking = self._statements.over_ledger("undo_users", begun=begun)
            (users,) = await batch.trips.ask(Statement(asking, values))
            values["users"] = [row.user_id for row in users]
        text = self._statements.over_ledger(name, begun=begun)
        (found,) = await batch.trips.ask(Statement(text, values))
        if not found:
            return None
        (row,) = found
        cursor = {
            "user_cursor": row.last_user,
            "artwork_cursor": row.last_artwork,
            "cleared": row.cleared,
        }
        return Written(row.taken, row.looked_at, row.users, cursor)

    async def verify(self, run: Run) -> RunEnd | None:
        """Walk again as long as a pass changes anything; then compare the ledger with what is."""
        context = self._context
        rows = context.rows.joined(self._present.rows)
        async with snapshot(context.engine, timeout=context.timeout, rows=rows) as connection:
            current = await get_run(connection, self._state, run.id) or run
            most = PASSES_ON_CITUS if context.on_citus else PASSES
            # `position` counts what this pass changed.
            if current.position and current.pass_ < most:
                return None
            left = await preview_undo(connection, self._statements, run.undoes or 0)
            # What the app was changing when this pass looked is looked at again.
            if left.untouched and self._refused.first is None and current.pass_ < most:
                return None
            census = await self._present.count_audience(connection)
        return RunEnd(
            RunState.PARTIAL if left.untouched else RunState.SUCCEEDED,
            undo_outcome(current, left, self._refused.first or self._alike()),
            remaining=left.untouched,
            legacy_after=census.legacy_untracked,
            census=census,
        )

    def _alike(self) -> str | None:
        """Why rows may be left that nobody refused and nobody changes."""
        impressions = self._state.catalogue.impressions
        if impressions.kind is not Kind.VIEW:
            return None
        return (
            f"through {impressions.configured}, a view, rows that are exactly alike can't be told"
            " apart: take them back in its table"
        )

    async def settle(self, connection: AsyncConnection, run: Run, end: RunEnd) -> None:
        """Healing stays suspended: a `resume` that ended a pause ended the suspension, too."""
        await suspend_for(connection, self._state, run)


def undo_outcome(run: Run, left: UndoPreview, refusal: str | None) -> str:
    """What became of every row that the ledger listed when the undo began.

    `left` is what it lists now; what it lists no more and was not taken back was gone already.
    """
    gone = max(0, run.planned_rows - run.inserted - left.untouched - left.touched)
    said = [
        f"Took back {run.inserted} of {run.planned_rows} impressions of run {run.undoes}:"
        f" {left.touched} were viewed again since and stay, {gone} were gone already."
    ]
    if left.untouched and refusal is None:
        said.append(
            f"{left.untouched} are still there, because the app was changing them: another"
            f" `conservator undo {run.undoes}` takes them back."
        )
    elif left.untouched:
        said.append(
            f"{left.untouched} are still there, because the database did not delete them"
            f" ({refusal})."
        )
    said.append("Automatic healing is suspended until `conservator resume`.")
    return " ".join(said)
