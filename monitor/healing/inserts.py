"""The rows of one batch; a single pair that the database refuses is put aside instead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import structlog
from sqlalchemy import Row
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.errors import StatementError
from monitor.database import sqlstate
from monitor.healing.refusals import refusal_sentence, refuses_row
from monitor.healing.statements import HealingStatements, Part
from monitor.healing.windows import Window
from monitor.state.runs import Run, RunKind

log = structlog.get_logger(__name__)

MAX_REFUSED = 100
"""Pairs of several users and artworks that a run puts aside without having written any; one more,
and it is the table that refuses."""
_KINDS = (RunKind.HEAL, RunKind.USER)

Values = Mapping[str, object]


class TableRefusesError(StatementError):
    """Nothing that a run tried could be written: looking for single pairs would take days."""


@dataclass(frozen=True, slots=True)
class Inserted:
    """What became of a window. `last_artwork` is the end of a split's part."""

    rows: int
    quarantined: int
    last_artwork: object | None
    ends_user: bool
    """Of a split: nothing is left of the user behind this part."""


class Inserts:
    """Writes windows inside the transactions of batches."""

    def __init__(self, statements: HealingStatements) -> None:
        both = (False, True)
        self._insert = {
            key: statements.batch_insert(key[0], key[1], quarantine=key[2])
            for key in product(_KINDS, Part, both)
        }
        self._next = {
            key: statements.quarantine_next(key[0], quarantine=key[1])
            for key in product(_KINDS, both)
        }
        self._put_text = statements.text("quarantine_put")
        self._new_text = statements.text("quarantine_new")

    async def write(
        self, connection: AsyncConnection, run: Run, begun: Row[Any], window: Window
    ) -> Inserted:
        """Insert what the window misses, and list it. Raises what the database refuses.

        A split of one pair is never refused: that pair is put aside, and the transaction goes on.
        """
        values = {
            "run_id": run.id,
            "legacy_until": run.legacy_until,
            "created_before": run.created_before,
            "position": begun.position,
            "until": window.until,
            "users": list(window.ids),
            "limit": window.limit if window.splits else None,
            "artwork_cursor": begun.artwork_cursor,
            "now": begun.now,
            "due_until": run.started_at,
        }
        if window.splits and window.limit == 1:
            return await self._write_pair(connection, run, begun, values)
        part = Part.SPLIT if window.splits else Part.USERS
        text = self._insert[run.kind, part, begun.quarantine]
        row = (await connection.exec_driver_sql(text, values)).one()
        # A part that came back smaller than asked for was the user's last.
        return Inserted(
            rows=row.inserted,
            quarantined=0,
            last_artwork=row.last_artwork,
            ends_user=window.splits and row.missing < window.limit,
        )

    async def _write_pair(
        self, connection: AsyncConnection, run: Run, begun: Row[Any], values: Values
    ) -> Inserted:
        insert = self._insert[run.kind, Part.PAIR, begun.quarantine]
        pair = await self._next_pair(connection, run, begun, values)
        while pair is not None:
            try:
                async with connection.begin_nested():
                    pinned = {**values, "artwork_cursor": pair.artwork_id}
                    row = (await connection.exec_driver_sql(insert, pinned)).one()
                    # A deferred constraint would speak up at the commit, and lose the batch.
                    await connection.exec_driver_sql("SET CONSTRAINTS ALL IMMEDIATE")
                return Inserted(row.inserted, 0, pair.artwork_id, ends_user=False)
            except DBAPIError as error:
                if not refuses_row(sqlstate(error)):
                    raise
                refused, refusal = pair, error
            # Was it only that the artwork or the user has gone? A new snapshot no longer sees it.
            pair = await self._next_pair(connection, run, begun, values)
            if pair == refused:
                await self._put_aside(connection, run, begun, pair, refusal)
                return Inserted(0, 1, pair.artwork_id, ends_user=False)
        return Inserted(0, 0, None, ends_user=True)

    async def _next_pair(
        self, connection: AsyncConnection, run: Run, begun: Row[Any], values: Values
    ) -> Row[Any] | None:
        text = self._next[run.kind, begun.quarantine]
        return (await connection.exec_driver_sql(text, dict(values))).one_or_none()

    async def _put_aside(
        self,
        connection: AsyncConnection,
        run: Run,
        begun: Row[Any],
        pair: Row[Any],
        refusal: DBAPIError,
    ) -> None:
        ids = {"run_id": run.id, "user_id": pair.user_id, "artwork_id": pair.artwork_id}
        sentence = refusal_sentence(refusal)
        await connection.exec_driver_sql(
            self._put_text, {**ids, "error": sentence, "now": begun.now}
        )
        log.warning("pair_quarantined", **ids, error=sentence)
        if begun.inserted:
            return
        new = (await connection.exec_driver_sql(self._new_text, {"run_id": run.id})).one()
        if new.pairs > MAX_REFUSED and min(new.users, new.artworks) > 1:
            raise TableRefusesError(
                f"{MAX_REFUSED} pairs of {new.users} users and {new.artworks} artworks were"
                f" refused and none was written, so it is the table that refuses: {sentence}."
                " Mend it, or catalog.impressions.defaults; a run by hand then tries all of them"
                " again."
            ) from None
