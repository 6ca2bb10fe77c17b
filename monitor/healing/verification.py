"""Counts again after the last batch of a pass: what is left of the plan, and everything anew."""

from __future__ import annotations

from dataclasses import dataclass, replace

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.census import Census, take_census
from checks.errors import UnknownUserError
from checks.pairs import take_user_census
from checks.spec import Cutoffs
from monitor.database import database_now, snapshot
from monitor.healing.quarantine import count_in_quarantine_of_user
from monitor.healing.statements import HealingContext
from monitor.state.control import read_control
from monitor.state.runs import Run, RunKind, first_refusal, get_run

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
    """Pairs that the run has put into quarantine; not among those still missing."""
    refusal: str | None
    """What the database said to the first of them."""
    census: Census | None
    """None for a per-user run, which says nothing about the others."""


class Verifier:
    """Recounts runs that heal."""

    def __init__(self, context: HealingContext) -> None:
        self._context = context
        self._statements = context.statements
        self._state = context.state

    async def recount(self, run: Run) -> Recount:
        """Count what is left of the frozen plan, and everything anew, in one snapshot.

        Citus has no snapshot over several nodes: there it is counted until two counts in a row
        agree about the plan, and if they never do, the larger one holds.
        """
        recount = await self._recount(run)
        if not self._context.on_citus:
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
        async with snapshot(self._context.engine, timeout=self._context.timeout) as connection:
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
        waiting = await count_in_quarantine_of_user(
            connection, self._statements, frozen, user, due_until=run.started_at
        )
        return left.legacy_untracked - waiting
