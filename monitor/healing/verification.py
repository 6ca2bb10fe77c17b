"""Counts again after the last batch, and closes the run with what was found."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from checks.census import Census, take_census
from checks.errors import UnknownUserError
from checks.pairs import take_user_census
from checks.relations import Engine
from checks.spec import Cutoffs
from monitor.database import snapshot, transaction
from monitor.healing.planning import database_now
from monitor.healing.quarantine import count_aside_of_user, prune_quarantine
from monitor.healing.statements import HealingStatements
from monitor.state.control import mark_verified, read_control
from monitor.state.counters import HEAL_FAILURES, HEAL_RUNS, add_to_counters
from monitor.state.history import record_census
from monitor.state.quarantine import first_refusal
from monitor.state.runs import Run, RunKind, RunState, get_run

log = structlog.get_logger(__name__)

MOST_RECOUNTS = 5
"""Counts on Citus, before the larger one of the last two is believed."""


@dataclass(frozen=True, slots=True)
class Recount:
    """What the recount found: pairs of the plan still missing, and a fresh census."""

    remaining: int
    passes: int
    rows_left: int
    """What the plan still allows to be written."""
    quarantined: int
    """Pairs that the run has put aside; not among those still missing."""
    refusal: str | None
    """What the database said to the first of them."""
    census: Census | None
    """None for a per-user run, which says nothing about the others."""


class Verifier:
    """Recounts and finishes runs."""

    def __init__(
        self, engine: AsyncEngine, statements: HealingStatements, *, timeout: timedelta
    ) -> None:
        self._engine = engine
        self._statements = statements
        self._state = statements.state
        self._timeout = timeout

    async def verify(self, run: Run) -> Recount:
        """Count what is left of the frozen plan, and everything anew, in one snapshot.

        Citus has no snapshot over several nodes: there it is counted until two counts in a row
        agree about the plan, and if they never do, the larger one holds.
        """
        recount = await self._recount(run)
        if self._state.catalogue.engine is Engine.POSTGRESQL:
            return recount
        for _ in range(MOST_RECOUNTS - 1):
            again = await self._recount(run)
            if again.remaining == recount.remaining:
                return again
            log.info(
                "recounts_differ", run_id=run.id, first=recount.remaining, then=again.remaining
            )
            recount, larger = again, max(recount.remaining, again.remaining)
        return replace(recount, remaining=larger)

    async def _recount(self, run: Run) -> Recount:
        catalogue, pools = self._state.catalogue, self._state.pools
        async with snapshot(self._engine, timeout=self._timeout) as connection:
            current = await get_run(connection, self._state, run.id)
            current = run if current is None else current
            recount = Recount(
                remaining=0,
                passes=current.pass_,
                rows_left=current.planned_rows - current.inserted,
                quarantined=current.quarantined,
                refusal=await first_refusal(connection, self._state, run.id),
                census=None,
            )
            cutoffs = Cutoffs.at(await database_now(connection), pools)
            if run.kind is RunKind.USER:
                return replace(recount, remaining=await self._left_of(connection, run, cutoffs))
            result = await connection.exec_driver_sql(
                self._statements.text("verify_plan"),
                {
                    "run_id": run.id,
                    "legacy_until": run.legacy_until,
                    "created_before": run.created_before,
                    "due_until": run.started_at,
                },
            )
            control = await read_control(connection, self._state)
            census = await take_census(
                connection, catalogue, pools, cutoffs, verified_until=control.verified_until
            )
            return replace(recount, remaining=int(result.scalar_one()), census=census)

    async def _left_of(self, connection: AsyncConnection, run: Run, cutoffs: Cutoffs) -> int:
        """What a per-user run has left to do."""
        frozen = Cutoffs(cutoffs.now, cutoffs.fresh_after, run.legacy_until, run.created_before)
        user = str(run.subject)
        catalogue, pools = self._state.catalogue, self._state.pools
        try:
            left = await take_user_census(connection, catalogue, pools, frozen, user)
        except UnknownUserError:
            return 0
        aside = await count_aside_of_user(
            connection, self._statements, frozen, user, due_until=run.started_at
        )
        return left.legacy_untracked - aside

    async def finish(self, run: Run, state: RunState, outcome: str, recount: Recount) -> None:
        """Close the run; keep the recount as the newest census; move the verified cutoff."""
        async with transaction(self._engine, timeout=self._timeout) as connection:
            closed = await self._state.run(
                connection,
                "run_finish",
                {
                    "run_id": run.id,
                    "token": run.token,
                    "state": state.value,
                    "outcome": outcome,
                    "remaining": recount.remaining,
                    "legacy_after": (
                        recount.remaining
                        if recount.census is None
                        else recount.census.legacy_untracked
                    ),
                    "waited": 0.0,
                },
            )
            if closed.rowcount != 1:
                return
            await self._state.run(connection, "work_delete", {"run_id": run.id})
            cutoffs = Cutoffs.at(await database_now(connection), self._state.pools)
            await prune_quarantine(connection, self._statements, cutoffs)
            if recount.census is not None:
                await record_census(connection, self._state, recount.census)
            planned = run.planned_rows + run.aside
            whole = run.legacy_before is not None and planned >= run.legacy_before
            # Quarantined pairs have an alert of their own: one of them must not blind the other.
            if recount.remaining == 0 and run.kind is RunKind.HEAL and whole:
                await mark_verified(connection, self._state, run.legacy_until, run.started_at)
            if run.kind is RunKind.USER:
                await self._set_once_flag(connection, run)
            await add_to_counters(connection, self._state, {(HEAL_RUNS, ""): 1.0})

    async def fail(self, run: Run, why: str) -> None:
        """Close the run as failed, with the sentence that says why."""
        async with transaction(self._engine, timeout=self._timeout) as connection:
            closed = await self._state.run(
                connection,
                "run_finish",
                {
                    "run_id": run.id,
                    "token": run.token,
                    "state": RunState.FAILED.value,
                    "outcome": why,
                    "remaining": None,
                    "legacy_after": None,
                    "waited": 0.0,
                },
            )
            if closed.rowcount == 1:
                await self._state.run(connection, "work_delete", {"run_id": run.id})
                totals = {(HEAL_RUNS, ""): 1.0, (HEAL_FAILURES, ""): 1.0}
                await add_to_counters(connection, self._state, totals)

    async def _set_once_flag(self, connection: AsyncConnection, run: Run) -> None:
        current = await get_run(connection, self._state, run.id)
        if current is None or current.inserted == 0:
            return
        await self._state.run(
            connection,
            "backfilled_user_set",
            {"user_id": str(run.subject), "run_id": run.id, "inserted": current.inserted},
        )
