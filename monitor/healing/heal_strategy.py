"""Heal runs, over the audience or one user: insert what is missing. A single pair that the database
refuses goes into quarantine."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.errors import StatementError
from checks.pipeline import Statement
from checks.relations import Catalogue
from checks.row_security import guard_of
from monitor.config.types import MaintenanceWindow
from monitor.database_errors import RETRYABLE_STATES, TOO_SLOW, sqlstate
from monitor.healing.batch_size import FORESEEN_BATCHES, MAX_USERS, BatchSlice, WorkItem, next_slice
from monitor.healing.errors import (
    RowsDoNotCountError,
    TriggersInterfereError,
    breaker_sentence,
)
from monitor.healing.quarantine import prune_quarantine, put_in_quarantine
from monitor.healing.sqlstates import ALL_IMMEDIATE, write_or_refusal
from monitor.healing.statements import HealingContext, Part
from monitor.healing.strategy import (
    PASSES,
    DueBatch,
    OpenBatch,
    RunEnd,
    SingleWrite,
    Written,
)
from monitor.healing.verification import heal_end, recount
from monitor.policy.gates import window_closed
from monitor.state.control import mark_verified
from monitor.state.counters import HEAL_FAILURES, HEAL_IMPRESSIONS, HEAL_RUNS
from monitor.state.runs import Run, RunKind, RunState, get_run

log = structlog.get_logger(__name__)

Values = Mapping[str, object]

_NOW = re.compile(r"(?<!%)%\(now\)s")
"""The parameter, and not the operator's text."""


@dataclass(frozen=True, slots=True)
class _Inserted:
    """What became of a slice. `last_artwork` is the end of a split's part."""

    rows: int
    quarantined: int
    last_artwork: object | None
    ends_user: bool
    """Of a split: nothing is left of the user behind this part."""


class HealStrategy:
    """Inserts what slices of the work list miss."""

    rows_counter = HEAL_IMPRESSIONS
    runs_counter: str | None = HEAL_RUNS
    failures_counter = HEAL_FAILURES
    counter_label = ""
    cursor_statement = "batch_advance"
    settings: Mapping[str, str] = MappingProxyType({})
    held_by = RETRYABLE_STATES

    def __init__(
        self, context: HealingContext, *, window: MaintenanceWindow | None, timezone: str
    ) -> None:
        """`window`: the hours, in `timezone`, in which runs over the audience heal; None: any."""
        self._context = context
        self._statements = context.statements
        self._state = context.state
        self.rows = guard_of(context.state.catalogue, writes=True)
        self._window = window
        self._timezone = timezone

    def opening(self, run: Run, size: int, batches: int) -> Sequence[Statement]:
        """The next users of the work list: of this batch, of those that are written at the same
        time, and, where users lack few rows, of some that are `ahead`."""
        if self._foresees and batches == 1:
            users = FORESEEN_BATCHES * size * run.planned_users // max(1, run.planned_rows)
            batches = max(1, min(FORESEEN_BATCHES, users // MAX_USERS))
        limit = {"run_id": run.id, "limit": MAX_USERS * batches}
        return [self._state.statement("work_slice", limit)]

    @property
    def _foresees(self) -> bool:
        """Whether batches may be written in one trip: where rows might be hidden from one, that is
        asked before anything is committed."""
        plain = self._state.catalogue.is_plain and not self._context.on_citus
        return plain and self.rows.off

    def ahead(self, batch: DueBatch) -> DueBatch | None:
        """The users behind those of this batch, where both take whole ones: no pair of the one is
        the other's. A trigger of the app might lock the same rows for both; and without a unique
        index two claimants of a run might write the same pair."""
        plain = self._state.catalogue.is_plain and not self._context.on_citus
        if batch.start.triggers or not plain:
            return None
        part = self._next_slice(batch)
        if part is None or part.splits:
            return None
        start = replace(
            batch.start,
            position=part.until,
            inserted=batch.start.inserted + part.planned,
            batches=batch.start.batches + 1,
        )
        (rows,) = batch.asked
        left = tuple(row for row in rows if row.position > part.until)
        behind = DueBatch(batch.run, start, batch.size, [left])
        next_part = self._next_slice(behind)
        return None if next_part is None or next_part.splits else behind

    def single_write(self, batch: DueBatch) -> SingleWrite | None:
        """The insert of whole users, but not of the last that were asked for where the plan has
        more: these may not fill a batch."""
        part = self._next_slice(batch)
        if part is None or part.splits or not self._foresees:
            return None
        (rows,) = batch.asked
        planned = batch.start.inserted + part.planned
        if part.until == rows[-1].position and planned < batch.run.planned_rows:
            return None
        # Nobody has been told yet by which clock the batch begins.
        text = self._text(batch, Part.USERS)
        text = _NOW.sub("now()", text)
        cursor = {"position": part.until, "artwork_cursor": None, "quarantined": 0}
        insert = Statement(text, self._values(batch, part))
        return SingleWrite(insert, part.planned, part.users, cursor)

    def hold_reason(self, batch: DueBatch) -> str | None:
        """The breaker holds every run, the window those over the audience."""
        if batch.start.breaker_open:
            return breaker_sentence(batch.start.breaker_reason)
        if batch.run.kind is not RunKind.HEAL:
            return None
        local = batch.start.now.astimezone(ZoneInfo(self._timezone)).time()
        closed = window_closed(self._window, local)
        return None if closed is None else closed.reason

    async def write(self, batch: OpenBatch) -> Written | None:
        """The impressions of the next slice; a single pair that is refused goes into quarantine."""
        part = self._next_slice(batch)
        if part is None:
            return None
        done = await self._insert_slice(batch, part)
        # A part that fills the plan is the user's last, too.
        planned_left = batch.run.planned_rows - batch.start.inserted - done.rows
        unfinished = part.splits and not done.ends_user and planned_left > 0
        return Written(
            rows=done.rows,
            # A user of whom somebody else wrote the rows since was looked through all the same.
            looked_at=max(done.rows, part.planned),
            users=part.users,
            cursor={
                "position": batch.start.position if unfinished else part.until,
                "artwork_cursor": done.last_artwork if unfinished else None,
                "quarantined": done.quarantined,
            },
        )

    def _next_slice(self, batch: DueBatch) -> BatchSlice | None:
        run, start = batch.run, batch.start
        (rows,) = batch.asked
        return next_slice(
            [
                WorkItem(int(row.position), int(row.planned), row.user_id)
                for row in rows[:MAX_USERS]
            ],
            batch.size,
            run.planned_rows - start.inserted,
            begun=start.artwork_cursor is not None,
        )

    def _values(self, batch: DueBatch, part: BatchSlice) -> Values:
        run, start = batch.run, batch.start
        return {
            "run_id": run.id,
            "legacy_until": run.legacy_until,
            "created_before": run.created_before,
            "position": start.position,
            "until": part.until,
            "users": list(part.ids),
            "limit": part.limit if part.splits else None,
            "most": part.limit,
            "artwork_cursor": start.artwork_cursor,
            "now": start.now,
            "due_until": run.started_at,
            "incomplete": run.artworks_to_walk,
        }

    async def _insert_slice(self, batch: OpenBatch, part: BatchSlice) -> _Inserted:
        values = self._values(batch, part)
        if part.splits and part.limit == 1:
            return await self._insert_pair(batch, values)
        form = Part.SPLIT if part.splits else Part.USERS
        row = await self._insert(batch, form, values)
        await self._read_back(batch, row)
        # A part that came back smaller than asked for was the user's last.
        ends_user = part.splits and row.missing < part.limit
        return _Inserted(row.inserted, 0, row.last_artwork, ends_user=ends_user)

    async def _insert_pair(self, batch: OpenBatch, values: Values) -> _Inserted:
        pair = await self._next_pair(batch, values)
        while pair is not None:
            pinned = {**values, "artwork_cursor": pair.artwork_id}
            done = await write_or_refusal(
                batch.connection, partial(self._insert, batch, Part.PAIR, pinned)
            )
            if not isinstance(done, psycopg.Error):
                await self._read_back(batch, done)
                return _Inserted(done.inserted, 0, pair.artwork_id, ends_user=False)
            # Was it only that the artwork or the user has gone? A new snapshot no longer sees it.
            refused, pair = pair, await self._next_pair(batch, values)
            if pair == refused:
                await put_in_quarantine(batch, self._statements, pair, done)
                return _Inserted(0, 1, pair.artwork_id, ends_user=False)
        return _Inserted(0, 0, None, ends_user=True)

    async def _insert(self, batch: OpenBatch, form: Part, values: Values) -> Any:
        ((row,),) = await batch.trips.ask(Statement(self._text(batch, form), values))
        return row

    def _text(self, batch: DueBatch, form: Part) -> str:
        return self._statements.batch_insert(
            batch.run.kind,
            form,
            quarantine=batch.start.quarantine,
            reads_back=self._sets_off_triggers(batch),
            few=batch.run.artworks_to_walk is not None,
        )

    def _sets_off_triggers(self, batch: DueBatch) -> bool:
        """Whether anything of the app's may change what is inserted: Citus takes no triggers on
        tables that it spreads, and a table with rules takes no batch."""
        impressions = self._state.catalogue.impressions
        return bool(batch.start.triggers) and impressions.distribution is None

    async def _read_back(self, batch: OpenBatch, row: Any) -> None:
        """See, before the batch is committed, that what it wrote is what is there, what the ledger
        lists and, where the configuration makes the row, what counts. Raises
        TriggersInterfereError, RowsDoNotCountError."""
        triggered = self._sets_off_triggers(batch)
        plain = self._state.catalogue.is_plain
        if not row.missing or not (triggered or not plain):
            return
        asked = {"run_id": batch.run.id, "users": row.users, "artworks": row.artworks}
        # Those that wait for the commit fire now, and may speak up as they would have then.
        first = [ALL_IMMEDIATE] if triggered else []
        if not plain:
            asked["listed"] = row.listed
        reading = self._statements.statement("batch_read_back", asked)
        (*_, (found,)) = await batch.trips.ask(*first, reading)
        if triggered:
            self._refuse_interference(batch, row, found)
        if not plain and found.uncounted:
            raise RowsDoNotCountError(_not_counting(self._state.catalogue, found.uncounted))

    def _refuse_interference(self, batch: OpenBatch, row: Any, found: Any) -> None:
        counted = (
            (found.vanished, "are not there"),
            (found.changed, "have another time of viewing than the ledger"),
            (found.unlisted, "were written by a trigger"),
        )
        if any(number for number, _ in counted):
            table = self._state.catalogue.impressions.configured
            told = ", ".join(f"{number} {what}" for number, what in counted if number)
            raise TriggersInterfereError(
                f"Triggers on {table} make something else of what is inserted"
                f" ({', '.join(batch.start.triggers)}): of {row.missing} impressions {told}, so"
                " that neither ledger nor undo would be right, and nothing of this batch is kept."
                f" Let them leave alone what role {self._state.catalogue.role} inserts."
            )

    async def _next_pair(self, batch: OpenBatch, values: Values) -> Any | None:
        text = self._statements.quarantine_next(
            batch.run.kind,
            quarantine=batch.start.quarantine,
            few=batch.run.artworks_to_walk is not None,
        )
        # With the proof that no row is hidden: what is not seen here is passed over.
        (found,) = await batch.trips.ask(Statement(text, values))
        return found[0] if found else None

    async def verify(self, run: Run) -> RunEnd | None:
        """Walk once more while pairs of the plan are missing that it may still write."""
        try:
            found = await recount(self._context, run)
        except StatementError as error:
            if sqlstate(error) != TOO_SLOW:
                raise
            # Whoever takes the run up would find it as slow, for ever, and plan nothing else.
            return RunEnd(RunState.PARTIAL, f"Written, and not counted again: {error}")
        if found.remaining and found.run.pass_ < PASSES and found.rows_left > 0:
            log.info("run_next_pass", run_id=run.id, remaining=found.remaining)
            return None
        return heal_end(found)

    async def settle(self, connection: AsyncConnection, run: Run, end: RunEnd) -> None:
        """The work list goes, and pairs in quarantine that need no healing any more; the verified
        cutoff moves; a user's once-flag is set."""
        await self._state.run(connection, "work_delete", {"run_id": run.id})
        if end.state is RunState.FAILED:
            return
        if end.remaining is not None:
            cutoffs = await self._context.cutoffs(connection)
            await prune_quarantine(connection, self._statements, cutoffs)
        planned = run.planned_rows + run.aside
        whole = run.legacy_before is not None and planned >= run.legacy_before
        # Quarantined pairs have an alert of their own: one of them must not blind the other.
        if end.remaining == 0 and run.kind is RunKind.HEAL and whole:
            await mark_verified(connection, self._state, run.legacy_until, run.started_at)
        if run.kind is RunKind.USER:
            await self._set_once_flag(connection, run)

    async def _set_once_flag(self, connection: AsyncConnection, run: Run) -> None:
        current = await get_run(connection, self._state, run.id)
        if current is None or current.inserted == 0:
            return
        await self._state.run(
            connection,
            "backfilled_user_set",
            {"user_id": str(run.subject), "run_id": run.id, "inserted": current.inserted},
        )


def _not_counting(catalogue: Catalogue, rows: int) -> str:
    """Why rows of ours are no impressions, in the words of the configuration."""
    spec, conditions = catalogue.spec.impressions, catalogue.spec.roles[2].conditions
    told = ", ".join(f"{setting} ({text})" for setting, text in conditions.items())
    made = "defaults and set make" if spec.set else "defaults make"
    return (
        f"{rows} of the rows that catalog.impressions.{made} in {catalogue.impressions.configured}"
        f" are no impressions by {told or 'what is read back'}, and would be written again in every"
        " run. Nothing of this batch is kept: say there what a row needs to be admitted and to"
        " count."
    )
