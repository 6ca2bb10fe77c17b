"""What runs of one kind write, how they are verified, and what follows from their end.

A strategy is all that a new kind of run needs: the writer brings transaction, fencing and records,
the executor retries, pace, lease, waiting, passes and the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.census import Census, take_census
from checks.spec import Cutoffs
from monitor.database import database_now, snapshot
from monitor.healing.batch import BatchSettings, BatchStart, RowWriter
from monitor.healing.errors import breaker_sentence
from monitor.healing.heal_rows import HealRows
from monitor.healing.preview import UndoPreview, preview_undo
from monitor.healing.quarantine import prune_quarantine
from monitor.healing.statements import HealingContext
from monitor.healing.undo_planner import suspend_for
from monitor.healing.undo_rows import UndoRows
from monitor.healing.verification import Recount, Verifier
from monitor.state.control import mark_verified, read_control
from monitor.state.counters import HEAL_IMPRESSIONS, HEAL_RUNS, HEAL_UNDONE_IMPRESSIONS
from monitor.state.runs import Run, RunKind, RunState, get_run

log = structlog.get_logger(__name__)

PASSES = 3
"""Walks over what was planned before a run that still finds something left ends as partial."""
PASSES_ON_CITUS = 20
"""Of an undo there, where a commit may be reported while a node has yet to be told of it: what one
walk over the ledger did not see, a later one does. The last one changes nothing, as a rule."""


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How a run ends, with what was counted; None where nothing was."""

    state: RunState
    outcome: str
    remaining: int | None = None
    """Of its plan."""
    legacy_after: int | None = None
    census: Census | None = None
    """Kept and published as the newest one."""


class RunStrategy(Protocol):
    """How runs of one kind are worked."""

    @property
    def rows(self) -> RowWriter:
        """What a batch writes."""
        ...

    rows_counter: str
    """The total that each row written adds to."""
    runs_counter: str | None
    """The total that each run that ended adds to, if any."""
    cursor_statement: str
    """Moves the run's cursor by a batch; binds its `Written.cursor`."""

    def hold_reason(self, run: Run, start: BatchStart) -> str | None:
        """Why the run must be put down here, beside a pause; None to go on."""
        ...

    async def verify(self, run: Run) -> RunEnd | None:
        """Count again after a pass: how the run ends, or None for another pass."""
        ...

    async def settle(self, connection: AsyncConnection, run: Run, end: RunEnd) -> None:
        """What follows from the end, in the transaction that writes it down."""
        ...


class HealStrategy:
    """Backfills, the audience or one user: inserts what is missing."""

    rows_counter = HEAL_IMPRESSIONS
    runs_counter: str | None = HEAL_RUNS
    cursor_statement = "batch_advance"

    def __init__(self, context: HealingContext, settings: BatchSettings) -> None:
        self._context = context
        self._state = context.state
        self._settings = settings
        self.rows = HealRows(context.statements)
        self._verifier = Verifier(context)

    def hold_reason(self, run: Run, start: BatchStart) -> str | None:
        """The breaker holds every run, the window those over the audience."""
        if start.breaker_open:
            return breaker_sentence(start.breaker_reason)
        window = self._settings.window
        if run.kind is not RunKind.HEAL or window is None:
            return None
        local = start.now.astimezone(ZoneInfo(self._settings.timezone))
        if window.contains(local.time()):
            return None
        return f"It is {local:%H:%M}; the window for healing is {window}."

    async def verify(self, run: Run) -> RunEnd | None:
        """Walk once more while pairs of the plan are missing that it may still write."""
        recount = await self._verifier.recount(run)
        if recount.remaining and recount.passes < PASSES and recount.rows_left > 0:
            log.info("run_next_pass", run_id=run.id, remaining=recount.remaining)
            return None
        return heal_end(run, recount)

    async def settle(self, connection: AsyncConnection, run: Run, end: RunEnd) -> None:
        """The work list goes, and pairs in quarantine that need no healing any more; the verified
        cutoff moves; a user's once-flag is set."""
        await self._state.run(connection, "work_delete", {"run_id": run.id})
        if end.state is RunState.FAILED:
            return
        cutoffs = Cutoffs.at(await database_now(connection), self._state.pools)
        await prune_quarantine(connection, self._context.statements, cutoffs)
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


def heal_end(run: Run, recount: Recount) -> RunEnd:
    """What the recount says about a run that makes no further pass."""
    state, outcome = _judge(run, recount)
    if recount.quarantined:
        state = RunState.PARTIAL
        outcome += (
            f" {recount.quarantined} pairs could not be written and are in quarantine, the first"
            f" because of {recount.refusal or 'an error that is no longer kept'}."
        )
    census = recount.census
    return RunEnd(
        state,
        outcome,
        remaining=recount.remaining,
        legacy_after=recount.remaining if census is None else census.legacy_untracked,
        census=census,
    )


def _judge(run: Run, recount: Recount) -> tuple[RunState, str]:
    if recount.remaining == 0 and recount.quarantined:
        return RunState.PARTIAL, "All that could be written is written."
    if recount.remaining == 0:
        return RunState.SUCCEEDED, "Nothing of the plan is left."
    if recount.rows_left <= 0:
        return (
            RunState.PARTIAL,
            f"All {run.planned_rows} planned rows are written; {recount.remaining} pairs became"
            " legacy since they were planned, by an import or a loss, and are the next run's.",
        )
    return (
        RunState.PARTIAL,
        f"{recount.remaining} pairs of the plan are still missing after {recount.passes} passes.",
    )


class UndoStrategy:
    """Takes back what a run wrote and the app has not touched since. Window and breaker are about
    healing and hold no undo."""

    rows_counter = HEAL_UNDONE_IMPRESSIONS
    runs_counter: str | None = None
    cursor_statement = "undo_advance"

    def __init__(self, context: HealingContext) -> None:
        self._context = context
        self._state = context.state
        self.rows = UndoRows(context.statements)

    def hold_reason(self, run: Run, start: BatchStart) -> str | None:
        """Nothing but a pause."""
        return None

    async def verify(self, run: Run) -> RunEnd | None:
        """Walk again as long as a pass changes anything; then compare the ledger with what is."""
        context, pools = self._context, self._state.pools
        async with snapshot(context.engine, timeout=context.timeout) as connection:
            current = await get_run(connection, self._state, run.id) or run
            most = PASSES_ON_CITUS if context.on_citus else PASSES
            # `position` counts what this pass changed.
            if current.position and current.pass_ < most:
                return None
            left = await preview_undo(connection, context.statements, run.undoes or 0)
            control = await read_control(connection, self._state)
            cutoffs = Cutoffs.at(await database_now(connection), pools)
            census = await take_census(
                connection,
                self._state.catalogue,
                pools,
                cutoffs,
                verified_until=control.verified_until,
            )
        return RunEnd(
            RunState.PARTIAL if left.untouched else RunState.SUCCEEDED,
            undo_outcome(current, left, self.rows.refusal),
            remaining=left.untouched,
            legacy_after=census.legacy_untracked,
            census=census,
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
    if left.untouched:
        why = "" if refusal is None else f" ({refusal})"
        said.append(
            f"{left.untouched} are still there, because the database did not delete them{why}."
        )
    said.append("Automatic healing is suspended until `conservator resume`.")
    return " ".join(said)
