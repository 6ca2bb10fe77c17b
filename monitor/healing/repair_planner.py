"""A new repair run: what `find` names, judged and frozen in one snapshot; and what it would be."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.errors import StatementError
from checks.pipeline import READ_ONLY
from monitor.database import database_now, transaction
from monitor.database_errors import NO_UTF8, sqlstate, translate
from monitor.healing.batch_size import START
from monitor.healing.errors import (
    ActiveRunError,
    RepairBreakerError,
    RepairRefusedError,
    active_sentence,
    breaker_sentence,
)
from monitor.healing.planner import (
    RunOwner,
    begin_run,
    planned_run,
    read_unpaused,
    refuse_suspended,
)
from monitor.healing.repair_statements import RepairStatements
from monitor.healing.repair_table import INSERT, RepairTable
from monitor.healing.sqlstates import refusal_sentence
from monitor.healing.statements import HealingContext
from monitor.policy.decision import Decision
from monitor.policy.repairs import RepairSettings, open_repair_refusal, too_large
from monitor.state.repairs import RepairControl, read_repair_control
from monitor.state.runs import Run, RunKind, active_run

SHOWN = 20
"""Rows of a plan that a person sees before agreeing."""
CHEAP = 20_000.0
"""Cost units of the planner, about a tenth of a second: no batch is the worse for so much."""
SHARE = 0.1
"""Of all of `find`, what asking for a batch's keys may cost at most."""
ESTIMATED_FROM = 1_000_000
"""So many rows are counted; the table's own statistics may say how many more there are."""


@dataclass(frozen=True, slots=True)
class RepairLimits:
    """The operator's bounds of one repair."""

    max_rows_per_run: int
    breaker: RepairSettings


@dataclass(frozen=True, slots=True)
class RepairCost:
    """What the planner says of `find`, in its units."""

    whole: float
    batch: float
    """Kept to the keys of one batch."""

    @property
    def asks_again(self) -> bool:
        """Whether batches can afford to ask `find` for their own keys."""
        return self.batch <= max(CHEAP, SHARE * self.whole)


@dataclass(frozen=True, slots=True)
class RepairPreview:
    """What `find` names now."""

    named: int
    table_rows: int
    share: float
    """Of the table, to be mended: 0 to 1."""
    seconds: float
    """One evaluation of `find`, with the first rows."""
    asks_again: bool
    """Batches ask `find` again; else row versions are frozen."""
    shown: Sequence[Mapping[str, Any]]
    """The first rows: key, before, after."""


class _NothingNamed(Exception):  # noqa: N818 - no failure: how a plan is rolled back
    """`find` names nothing."""


class RepairPlanner:
    """Plans runs of one repair. One transaction each: a refusal leaves nothing behind."""

    def __init__(self, context: HealingContext, repair: RepairTable, limits: RepairLimits) -> None:
        self._context = context
        self._state = context.state
        self._repair = repair
        self._limits = limits

    def _statements(self, *, asks_again: bool) -> RepairStatements:
        return RepairStatements(self._repair, self._state.state_schema, asks_again=asks_again)

    async def preview(self, connection: AsyncConnection) -> RepairPreview:
        """What a run would be about, in a read-only snapshot. Needs no table of ours.

        Raises StatementError where `find` could not be evaluated, or named a key twice or none.
        """
        cost = await self._cost(connection)
        statements = self._statements(asks_again=cost.asks_again)
        started = time.perf_counter()
        found = await self._evaluated(connection, statements, "repair_preview", {"shown": SHOWN})
        seconds = time.perf_counter() - started
        rows = await self._table_rows(connection, statements, found.named)
        return RepairPreview(
            named=found.named,
            table_rows=rows,
            share=self._share(found.named, rows),
            seconds=seconds,
            asks_again=cost.asks_again,
            shown=found.shown,
        )

    async def plan(
        self, owner: RunOwner, *, reason: str, max_rows: int, beyond_breaker: bool = False
    ) -> Run | None:
        """A run over what `find` names, at most `max_rows` rows; None where that is nothing.

        `beyond_breaker`: whatever the breakers say, the repair's own and healing's. Raises
        ActiveRunError, PausedError, RepairRefusedError, StatementError as `preview`.
        """
        try:
            return await self._plan(owner, reason, max_rows, beyond_breaker)
        except _NothingNamed:
            return None

    async def _plan(self, owner: RunOwner, reason: str, max_rows: int, beyond_breaker: bool) -> Run:
        context, timeout = self._context, self._context.timeout
        async with transaction(
            context.engine, timeout=timeout, idle=timeout, one_snapshot=True, rows=self._repair.rows
        ) as connection:
            control = await read_unpaused(connection, self._state)
            active = await active_run(connection, self._state)
            if active is not None:
                raise ActiveRunError(active_sentence(active))
            if control.breaker_open and not beyond_breaker:
                raise RepairRefusedError(breaker_sentence(control.breaker_reason))
            own = await read_repair_control(connection, self._state, self._repair.spec.name)
            refuse_suspended(owner, own)
            cost = await self._cost(connection)
            statements = self._statements(asks_again=cost.asks_again)
            run_id = await self._begin(connection, owner, reason, cost, beyond_breaker)
            values = {"run_id": run_id, "max_rows": max_rows}
            found = await self._evaluated(connection, statements, "repair_freeze", values)
            if found.named == 0:
                raise _NothingNamed
            rows = await self._table_rows(connection, statements, found.named)
            refusal = self.refusal(found.named, self._share(found.named, rows), own)
            if refusal is not None and not beyond_breaker:
                raise RepairBreakerError(refusal)
            sized = {"run_id": run_id, "planned": found.planned}
            await self._state.run(connection, "run_planned_repair", sized)
            return await planned_run(connection, self._state, run_id)

    def refusal(self, named: int, share: float, own: RepairControl) -> Decision | None:
        """Why the repair's own breaker refuses, or None."""
        return open_repair_refusal(own) or too_large(named, share, self._limits.breaker, own)

    async def _begin(
        self,
        connection: AsyncConnection,
        owner: RunOwner,
        reason: str,
        cost: RepairCost,
        beyond_breaker: bool,
    ) -> int:
        spec, now = self._repair.spec, self._repair.now
        how = {
            "asks_again": cost.asks_again,
            "columns": now.columns,
            "keyed_by": list(self._repair.key),
            "found": list(self._repair.found),
            "impressions": now.impressions,
        }
        values = {
            "repair": spec.name,
            "repair_plan": json.dumps({**spec.kept, **how}, ensure_ascii=False),
            "repair_oid": self._repair.relation.oid,
            "legacy_until": await database_now(connection),
            "created_before": None,
            "subject": None,
            "legacy_before": None,
            "recurring": 0,
            "artworks": None,
            "reason": reason,
            "beyond_breaker": beyond_breaker,
            **dict.fromkeys(("catalogue", "impressions_oid", "users_oid")),
        }
        return await begin_run(connection, self._state, RunKind.REPAIR, owner, values)

    async def _cost(self, connection: AsyncConnection) -> RepairCost:
        """What `find` costs as a whole, and kept to a batch's keys."""
        statements = self._statements(asks_again=True)
        size = min(START, self._limits.max_rows_per_run)
        keys = [json.dumps(dict.fromkeys(self._repair.key), ensure_ascii=False)] * size
        nothing = [None] * size
        asked = {"positions": [0] * size, "keys": keys, "versions": nothing, "changes": nothing}
        return RepairCost(
            whole=await _explained(connection, statements.text("repair_whole"), {}),
            batch=await _explained(connection, statements.text("repair_restricted"), asked),
        )

    async def _evaluated(
        self,
        connection: AsyncConnection,
        statements: RepairStatements,
        name: str,
        values: Mapping[str, object],
    ) -> Any:
        """The one row of a statement that evaluates all of `find`. Raises StatementError."""
        repair = self._repair.spec.name
        try:
            found = (await statements.run(connection, name, values)).one()
        except DBAPIError as error:
            # Elsewhere this says that a failover left us on a standby.
            if sqlstate(error) == READ_ONLY and name == "repair_preview":
                told = "`find` wants to write or to lock. Expected one that reads."
                raise StatementError(_not_planned(repair, told)) from error
            if error.connection_invalidated or not isinstance(error.orig, psycopg.Error):
                raise
            told = str(translate(error))
            # But for a text that can't be shown, which is no fault of what reads it.
            if isinstance(error.orig, psycopg.DataError) and sqlstate(error) != NO_UTF8:
                told = f"`find` fails on a value that it meets ({refusal_sentence(error.orig)})."
            raise StatementError(_not_planned(repair, told)) from error
        if found.doubled:
            told = f"`find` names {found.doubled:,} keys more than once: group or number its rows"
            raise StatementError(_not_planned(repair, f"{told}, so that each comes once."))
        if found.nulls:
            told = f"`find` returns {found.nulls:,} rows with a NULL in their key."
            raise StatementError(_not_planned(repair, told))
        return found

    async def _table_rows(
        self, connection: AsyncConnection, statements: RepairStatements, named: int
    ) -> int:
        """How many rows it has: exactly, unless there are enough for the breaker. Statistics may be
        of a time when there were more, and then say how large it is, but not that it is."""
        enough = max(ESTIMATED_FROM, math.ceil(named / self._limits.breaker.max_share))
        counted = await statements.run(connection, "repair_rows", {"enough": enough})
        rows = int(counted.scalar_one())
        relation = self._repair.relation
        return rows if rows < enough else max(rows, relation.estimated_rows)

    def _share(self, named: int, rows: int) -> float:
        """Of the table as it is; of what is inserted, of the table as it would be."""
        whole = rows + named if self._repair.spec.action == INSERT else max(rows, named)
        return named / whole if whole else 0.0


async def _explained(
    connection: AsyncConnection, statement: str, values: Mapping[str, object]
) -> float:
    """The planner's total cost of a statement that is not run."""
    text = f"EXPLAIN (FORMAT JSON) {statement}"
    try:
        found = (await connection.exec_driver_sql(text, dict(values))).scalar_one()
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
        raise translate(error) from error
    return float(found[0]["Plan"]["Total Cost"])


def _not_planned(repair: str, why: str) -> str:
    return f"Repair {repair} could not be planned: {why}"
