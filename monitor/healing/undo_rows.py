"""The rows of one batch of an undo; a single row that the database refuses to delete is left."""

from __future__ import annotations

from collections.abc import Mapping

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.citus.forms import form_of
from checks.errors import StatementError
from checks.relations import Engine
from checks.statements import raw, render
from monitor.database import set_local
from monitor.healing.batch import BatchStart, Written, write_or_refusal
from monitor.healing.sqlstates import refusal_sentence
from monitor.healing.statements import PACKAGE, HealingStatements
from monitor.state.runs import Run

log = structlog.get_logger(__name__)

MAX_REFUSED = 100
"""Rows that the database may refuse to delete before one was deleted; one more, and it is the
table that refuses."""
_CURSOR = (
    "(b.user_id, b.artwork_id) > (%(user_cursor)s::{impression_user_type},"
    " %(artwork_cursor)s::{artwork_type}::{impression_artwork_type})"
)

Values = Mapping[str, object]


def undo_sql(statements: HealingStatements, name: str, *, begun: bool) -> str:
    """The statement `name` over the next ledger rows; `begun`: it goes on behind the cursor."""
    names = statements.fragments
    behind = raw(_CURSOR).format(**names) if begun else raw("TRUE")
    form = form_of(statements.state.catalogue.engine, name)
    return render(PACKAGE, form, {**names, "behind_cursor": behind})


class UndoRows:
    """Deletes what a run's ledger lists, inside the transactions of batches."""

    def __init__(self, statements: HealingStatements) -> None:
        both = (False, True)
        self._probes_indexes = statements.state.catalogue.engine is Engine.POSTGRESQL
        self._batch = {begun: undo_sql(statements, "undo_batch", begun=begun) for begun in both}
        self._next = {begun: undo_sql(statements, "undo_next", begun=begun) for begun in both}
        self._refused = 0
        self.refusal: str | None = None
        """What the database said to the last row that it refused to delete."""

    async def write(
        self, connection: AsyncConnection, run: Run, start: BatchStart, size: int
    ) -> Written | None:
        """The next `size` ledger rows: what is untouched is taken back. A single row that is
        refused stays where it is, listed, and the cursor passes it."""
        if self._probes_indexes:
            await set_local(connection, enable_hashjoin="off", enable_mergejoin="off")
        values = {
            "undoes": run.undoes,
            "user_cursor": start.user_cursor,
            "artwork_cursor": start.artwork_cursor,
            "limit": size,
        }
        if size > 1:
            return await self._delete(connection, start, values)
        done = await write_or_refusal(connection, lambda: self._delete(connection, start, values))
        if not isinstance(done, DBAPIError):
            return done
        self._note(run, start, done)
        return await self._step_over(connection, start, values)

    async def _delete(
        self, connection: AsyncConnection, start: BatchStart, values: Values
    ) -> Written | None:
        text = self._batch[start.user_cursor is not None]
        row = (await connection.exec_driver_sql(text, dict(values))).one_or_none()
        if row is None:
            return None
        place = {"user_cursor": row.last_user, "artwork_cursor": row.last_artwork}
        cursor = {**place, "cleared": row.cleared, "taken": row.taken}
        return Written(row.taken, row.users, start.position + row.cleared, cursor)

    async def _step_over(
        self, connection: AsyncConnection, start: BatchStart, values: Values
    ) -> Written | None:
        text = self._next[start.user_cursor is not None]
        row = (await connection.exec_driver_sql(text, dict(values))).one_or_none()
        if row is None:
            return None
        place = {"user_cursor": row.user_id, "artwork_cursor": row.artwork_id}
        return Written(0, 1, start.position, {**place, "cleared": 0, "taken": 0})

    def _note(self, run: Run, start: BatchStart, error: DBAPIError) -> None:
        self._refused += 1
        self.refusal = refusal_sentence(error)
        log.warning("impression_not_taken_back", run_id=run.id, error=self.refusal)
        if start.inserted == 0 and self._refused > MAX_REFUSED:
            raise StatementError(
                f"{MAX_REFUSED} impressions could not be deleted and none could, so it is the"
                f" table that refuses: {self.refusal}."
            ) from error
