"""The rows of one batch of an undo; a single row that the database refuses to delete is left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import Row
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.citus.forms import form_of
from checks.errors import StatementError
from checks.statements import raw, render
from monitor.database import sqlstate
from monitor.healing.refusals import refusal_sentence, refuses_row
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


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of the next ledger rows, and where the cursor stands behind them."""

    rows: int
    """Impressions deleted."""
    cleared: int
    """Ledger rows removed: of deleted impressions, and of those that were gone already."""
    users: int
    last_user: object
    last_artwork: object


class Deletes:
    """Takes rows back inside the transactions of batches."""

    def __init__(self, statements: HealingStatements) -> None:
        both = (False, True)
        self._batch = {begun: undo_sql(statements, "undo_batch", begun=begun) for begun in both}
        self._next = {begun: undo_sql(statements, "undo_next", begun=begun) for begun in both}
        self._refused = 0
        self.refusal: str | None = None
        """What the database said to the last row that it refused to delete."""

    async def take(
        self, connection: AsyncConnection, run: Run, begun: Row[Any], size: int
    ) -> Taken | None:
        """Look at the next `size` ledger rows; None at the end. Raises what the database refuses.

        A single row is never refused: it stays where it is, listed, and the cursor passes it.
        """
        values = {
            "undoes": run.undoes,
            "user_cursor": begun.user_cursor,
            "artwork_cursor": begun.artwork_cursor,
        }
        if size > 1:
            return await self._delete(connection, begun, {**values, "limit": size})
        try:
            async with connection.begin_nested():
                taken = await self._delete(connection, begun, {**values, "limit": 1})
                # A deferred constraint would speak up at the commit, and lose the batch.
                await connection.exec_driver_sql("SET CONSTRAINTS ALL IMMEDIATE")
                return taken
        except DBAPIError as error:
            if not refuses_row(sqlstate(error)):
                raise
            refusal = error
        self._note(run, begun, refusal)
        text = self._next[begun.user_cursor is not None]
        row = (await connection.exec_driver_sql(text, values)).one_or_none()
        return None if row is None else Taken(0, 0, 1, row.user_id, row.artwork_id)

    async def _delete(
        self, connection: AsyncConnection, begun: Row[Any], values: Values
    ) -> Taken | None:
        text = self._batch[begun.user_cursor is not None]
        row = (await connection.exec_driver_sql(text, dict(values))).one_or_none()
        if row is None:
            return None
        return Taken(row.taken, row.cleared, row.users, row.last_user, row.last_artwork)

    def _note(self, run: Run, begun: Row[Any], error: DBAPIError) -> None:
        self._refused += 1
        self.refusal = refusal_sentence(error)
        log.warning("impression_not_taken_back", run_id=run.id, error=self.refusal)
        if begun.inserted == 0 and self._refused > MAX_REFUSED:
            raise StatementError(
                f"{MAX_REFUSED} impressions could not be deleted and none could, so it is the"
                f" table that refuses: {self.refusal}."
            ) from error
