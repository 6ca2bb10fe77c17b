"""The rows of one heal batch; a single pair that the database refuses goes into quarantine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import structlog
from sqlalchemy import Row
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.healing.batch import BatchStart, Written, write_or_refusal
from monitor.healing.errors import TableRefusesError
from monitor.healing.slices import MAX_USERS, BatchSlice, WorkItem, next_slice
from monitor.healing.sqlstates import refusal_sentence
from monitor.healing.statements import HealingStatements, Part
from monitor.state.runs import Run, RunKind

log = structlog.get_logger(__name__)

MAX_REFUSED = 100
"""Pairs of several users and artworks that a run puts into quarantine without having written any;
one more, and it is the table that refuses."""
_KINDS = (RunKind.HEAL, RunKind.USER)

Values = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class _Inserted:
    """What became of a slice. `last_artwork` is the end of a split's part."""

    rows: int
    quarantined: int
    last_artwork: object | None
    ends_user: bool
    """Of a split: nothing is left of the user behind this part."""


class HealRows:
    """Inserts what slices of the work list miss, inside the transactions of batches."""

    def __init__(self, statements: HealingStatements) -> None:
        both = (False, True)
        self._state = statements.state
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
        self, connection: AsyncConnection, run: Run, start: BatchStart, size: int
    ) -> Written | None:
        """The impressions of the next slice; a single pair that is refused goes into quarantine."""
        part = await self._next_slice(connection, run, start, size)
        if part is None:
            return None
        done = await self._insert_slice(connection, run, start, part)
        # A part that fills the plan is the user's last, too.
        planned_left = run.planned_rows - start.inserted - done.rows
        unfinished = part.splits and not done.ends_user and planned_left > 0
        position = start.position if unfinished else part.until
        return Written(
            rows=done.rows,
            users=part.users,
            position=position,
            cursor={
                "position": position,
                "artwork_cursor": done.last_artwork if unfinished else None,
                "inserted": done.rows,
                "quarantined": done.quarantined,
            },
            quarantined=done.quarantined,
        )

    async def _next_slice(
        self, connection: AsyncConnection, run: Run, start: BatchStart, size: int
    ) -> BatchSlice | None:
        values = {"run_id": run.id, "position": start.position, "limit": MAX_USERS}
        rows = await self._state.run(connection, "work_slice", values)
        items = [WorkItem(int(row.position), int(row.planned), row.user_id) for row in rows]
        left = max(0, run.planned_rows - start.inserted)
        if start.artwork_cursor is not None and items and left:
            # The first user was taken in part: go on with it alone, whatever it has left.
            return BatchSlice(
                items[0].position, 1, min(size, left), splits=True, ids=(items[0].user,)
            )
        return next_slice(items, size, left)

    async def _insert_slice(
        self, connection: AsyncConnection, run: Run, start: BatchStart, part: BatchSlice
    ) -> _Inserted:
        values = {
            "run_id": run.id,
            "legacy_until": run.legacy_until,
            "created_before": run.created_before,
            "position": start.position,
            "until": part.until,
            "users": list(part.ids),
            "limit": part.limit if part.splits else None,
            "artwork_cursor": start.artwork_cursor,
            "now": start.now,
            "due_until": run.started_at,
        }
        if part.splits and part.limit == 1:
            return await self._insert_pair(connection, run, start, values)
        form = Part.SPLIT if part.splits else Part.USERS
        text = self._insert[run.kind, form, start.quarantine]
        row = (await connection.exec_driver_sql(text, values)).one()
        # A part that came back smaller than asked for was the user's last.
        ends_user = part.splits and row.missing < part.limit
        return _Inserted(row.inserted, 0, row.last_artwork, ends_user=ends_user)

    async def _insert_pair(
        self, connection: AsyncConnection, run: Run, start: BatchStart, values: Values
    ) -> _Inserted:
        insert = self._insert[run.kind, Part.PAIR, start.quarantine]
        pair = await self._next_pair(connection, run, start, values)
        while pair is not None:
            pinned = {**values, "artwork_cursor": pair.artwork_id}
            done = await write_or_refusal(
                connection, partial(connection.exec_driver_sql, insert, pinned)
            )
            if not isinstance(done, DBAPIError):
                return _Inserted(done.one().inserted, 0, pair.artwork_id, ends_user=False)
            # Was it only that the artwork or the user has gone? A new snapshot no longer sees it.
            refused, pair = pair, await self._next_pair(connection, run, start, values)
            if pair == refused:
                await self._quarantine(connection, run, start, pair, done)
                return _Inserted(0, 1, pair.artwork_id, ends_user=False)
        return _Inserted(0, 0, None, ends_user=True)

    async def _next_pair(
        self, connection: AsyncConnection, run: Run, start: BatchStart, values: Values
    ) -> Row[Any] | None:
        text = self._next[run.kind, start.quarantine]
        return (await connection.exec_driver_sql(text, dict(values))).one_or_none()

    async def _quarantine(
        self,
        connection: AsyncConnection,
        run: Run,
        start: BatchStart,
        pair: Row[Any],
        refusal: DBAPIError,
    ) -> None:
        ids = {"run_id": run.id, "user_id": pair.user_id, "artwork_id": pair.artwork_id}
        sentence = refusal_sentence(refusal)
        await connection.exec_driver_sql(
            self._put_text, {**ids, "error": sentence, "now": start.now}
        )
        log.warning("pair_quarantined", **ids, error=sentence)
        if start.inserted:
            return
        new = (await connection.exec_driver_sql(self._new_text, {"run_id": run.id})).one()
        if new.pairs > MAX_REFUSED and min(new.users, new.artworks) > 1:
            raise TableRefusesError(
                f"{MAX_REFUSED} pairs of {new.users} users and {new.artworks} artworks were"
                f" refused and none was written, so it is the table that refuses: {sentence}."
                " Mend it, or catalog.impressions.defaults; a run by hand then tries all of them"
                " again."
            )
