"""Counts again after the last batch of a pass, and what that says about the run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.census import Census, incomplete_few, parameters
from checks.errors import UnknownUserError
from checks.pairs import take_user_census
from checks.spec import Cutoffs, PoolsSpec
from monitor.database import side_by_side, snapshot
from monitor.healing.quarantine import count_unwritable_of_user
from monitor.healing.statements import HealingContext
from monitor.healing.strategy import RunEnd
from monitor.state.runs import Run, RunKind, RunState, first_refusal, get_run

log = structlog.get_logger(__name__)

MOST_RECOUNTS = 5
"""Counts on Citus, before the larger one of the last two is believed."""


@dataclass(frozen=True, slots=True)
class Recount:
    """What the recount found: pairs of the plan still missing, and a fresh census."""

    run: Run
    """As its row is by now."""
    remaining: int
    """Without pairs that the run has put into quarantine."""
    refusal: str | None
    """What the database said to the first of those."""
    census: Census | None
    """None for a per-user run, which says nothing about the others."""

    @property
    def rows_left(self) -> int:
        """What the plan still allows to be written."""
        return self.run.planned_rows - self.run.inserted


async def recount(context: HealingContext, run: Run) -> Recount:
    """Count what is left of the frozen plan, and everything anew, in one snapshot.

    Citus has no snapshot over several nodes: there it is counted until two counts agree.
    """
    if context.on_citus:
        return await recount_until_two_agree(lambda: _recount(context, run))
    return await _recount(context, run)


async def recount_until_two_agree(count: Callable[[], Awaitable[Recount]]) -> Recount:
    """Count until two counts in a row agree about the plan; if they never do, the larger one of
    the last two holds."""
    newest = await count()
    larger = newest.remaining
    for _ in range(MOST_RECOUNTS - 1):
        before, newest = newest, await count()
        if newest.remaining == before.remaining:
            return newest
        log.info(
            "recounts_differ",
            run_id=newest.run.id,
            first=before.remaining,
            then=newest.remaining,
        )
        larger = max(before.remaining, newest.remaining)
    return replace(newest, remaining=larger)


async def _recount(context: HealingContext, run: Run) -> Recount:
    async with snapshot(context.engine, timeout=context.timeout, rows=context.rows) as connection:
        current = await get_run(connection, context.state, run.id) or run
        refusal = await first_refusal(connection, context.state, run.id)
        if run.kind is RunKind.USER:
            return Recount(current, await _left_of_user(context, connection, run), refusal, None)
        both = partial(side_by_side, connection, timeout=context.timeout, rows=context.rows)
        census = await context.count_audience(connection, side_by_side=both)
        remaining = 0
        if context.on_citus or not _leaves_nothing_of(census, run, context.state.pools):
            remaining = await _left_of_plan(context, connection, run, census)
        return Recount(current, remaining, refusal, census)


def _leaves_nothing_of(census: Census, run: Run, pools: PoolsSpec) -> bool:
    """Whether a census without legacy pairs says as much of the run's plan: what was legacy by the
    plan's cutoffs is so by those of now."""
    return census.legacy_untracked == 0 and _covers(census, run, pools)


def _covers(census: Census, run: Run, pools: PoolsSpec) -> bool:
    """Whether what is legacy by the plan's cutoffs is so by the census's, too: not where the
    settings or the server have changed meanwhile."""
    now, latest = Cutoffs.at(census.as_of, pools), datetime.max.replace(tzinfo=UTC)
    return run.legacy_until <= now.legacy_until and (run.created_before or latest) <= (
        now.created_before or latest
    )


async def _left_of_plan(
    context: HealingContext, connection: AsyncConnection, run: Run, census: Census
) -> int:
    """The legacy pairs that planned users still have, by the plan's cutoff; `census` is of the same
    snapshot."""
    now, covers = census.as_of, _covers(census, run, context.state.pools)
    few = incomplete_few(census, context.state.catalogue) if covers else None
    frozen = Cutoffs(now, now, run.legacy_until, run.created_before)
    left = await context.statements.run(
        connection,
        "verify_plan",
        {
            **parameters(frozen, few=few),
            "run_id": run.id,
            "due_until": run.started_at,
        },
    )
    return int(left.scalar_one())


async def _left_of_user(context: HealingContext, connection: AsyncConnection, run: Run) -> int:
    now, user, state = await context.cutoffs(connection), str(run.subject), context.state
    frozen = Cutoffs(now.now, now.fresh_after, run.legacy_until, run.created_before)
    try:
        left = await take_user_census(connection, state.catalogue, state.pools, frozen, user)
    except UnknownUserError:
        return 0
    waiting = await count_unwritable_of_user(
        connection, context.statements, frozen, user, due_until=run.started_at
    )
    return left.legacy_untracked - waiting


def heal_end(recount: Recount) -> RunEnd:
    """What the recount says about a run that makes no further pass."""
    state, outcome = _judge(recount)
    if recount.run.quarantined:
        state = RunState.PARTIAL
        outcome += (
            f" {recount.run.quarantined} pairs could not be written and are in quarantine, the"
            f" first because of {recount.refusal or 'an error that is no longer kept'}."
        )
    census = recount.census
    return RunEnd(
        state,
        outcome,
        remaining=recount.remaining,
        legacy_after=recount.remaining if census is None else census.legacy_untracked,
        census=census,
    )


def _judge(recount: Recount) -> tuple[RunState, str]:
    run, remaining = recount.run, recount.remaining
    if remaining == 0 and run.quarantined:
        return RunState.PARTIAL, "All that could be written is written."
    if remaining == 0:
        return RunState.SUCCEEDED, "Nothing of the plan is left."
    if recount.rows_left <= 0:
        return (
            RunState.PARTIAL,
            f"All {run.planned_rows} planned rows are written; {remaining} pairs became"
            " legacy since they were planned, by an import or a loss, and are the next run's.",
        )
    return (
        RunState.PARTIAL,
        f"{remaining} pairs of the plan are still missing after {run.pass_} passes.",
    )
