"""How undos are worked: take back until nothing changes, then count again."""

from __future__ import annotations

from datetime import timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.census import Census, take_census
from checks.relations import Engine
from checks.spec import Cutoffs
from monitor.database import snapshot, transaction
from monitor.healing.batches import Batch, LeaseLostError
from monitor.healing.crafts import PASSES, Conclusion
from monitor.healing.planning import database_now
from monitor.healing.statements import HealingStatements
from monitor.healing.undo_batches import UndoWriter
from monitor.healing.undo_planning import suspend_for
from monitor.healing.undo_survey import UndoSurvey, survey_undo
from monitor.healing.waits import SHORT, Waited
from monitor.state.control import read_control
from monitor.state.counters import HEAL_FAILURES, add_to_counters
from monitor.state.history import record_census
from monitor.state.runs import Run, RunState, get_run

log = structlog.get_logger(__name__)

PASSES_ON_CITUS = 20
"""There a commit may be reported while a node has yet to be told of it: what one walk over the
ledger did not see, a later one does. The last walk is one that changes nothing, as a rule."""


class UndoCraft:
    """Takes back what a run wrote and the app has not touched since."""

    def __init__(
        self,
        engine: AsyncEngine,
        statements: HealingStatements,
        writer: UndoWriter,
        *,
        timeout: timedelta,
    ) -> None:
        """`timeout` bounds the statements that count."""
        self._engine = engine
        self._statements = statements
        self._state = statements.state
        self._writer = writer
        self._timeout = timeout

    async def write(self, run: Run, *, size: int, waited: Waited) -> Batch | None:
        """The next rows of the ledger."""
        return await self._writer.write(run, size=size, waited=waited)

    async def conclude(self, run: Run) -> Conclusion | None:
        """Walk again as long as a pass changes anything; then count again and finish."""
        current = await self._current(run)
        most = PASSES if self._state.catalogue.engine is Engine.POSTGRESQL else PASSES_ON_CITUS
        # `position` counts what this pass changed.
        if current.position and current.pass_ < most:
            await self._next_pass(run)
            return None
        left, census = await self._recount(run)
        await self._finish(current, left, census)
        return Conclusion(census)

    async def fail(self, run: Run, why: str) -> None:
        """Close the run as failed; automatic healing stays suspended."""
        async with transaction(self._engine, timeout=SHORT) as connection:
            closed = await self._state.run(
                connection, "run_finish", _end(run, RunState.FAILED, why, None, None)
            )
            if closed.rowcount == 1:
                await suspend_for(connection, self._state, run)
                await add_to_counters(connection, self._state, {(HEAL_FAILURES, ""): 1.0})

    async def _current(self, run: Run) -> Run:
        async with transaction(self._engine, timeout=SHORT) as connection:
            found = await get_run(connection, self._state, run.id)
        return run if found is None else found

    async def _next_pass(self, run: Run) -> None:
        async with transaction(self._engine, timeout=SHORT) as connection:
            changed = await self._state.run(
                connection, "run_next_pass", {"run_id": run.id, "token": run.token}
            )
            if changed.one_or_none() is None:
                raise LeaseLostError(f"Run {run.id} is no longer held by this process.")

    async def _recount(self, run: Run) -> tuple[UndoSurvey, Census]:
        catalogue, pools = self._state.catalogue, self._state.pools
        async with snapshot(self._engine, timeout=self._timeout) as connection:
            left = await survey_undo(connection, self._statements, run.undoes or 0)
            control = await read_control(connection, self._state)
            cutoffs = Cutoffs.at(await database_now(connection), pools)
            census = await take_census(
                connection, catalogue, pools, cutoffs, verified_until=control.verified_until
            )
        return left, census

    async def _finish(self, run: Run, left: UndoSurvey, census: Census) -> None:
        state = RunState.PARTIAL if left.untouched else RunState.SUCCEEDED
        outcome = outcome_sentence(run, left, self._writer.refusal)
        end = _end(run, state, outcome, left.untouched, census.legacy_untracked)
        async with transaction(self._engine, timeout=self._timeout) as connection:
            closed = await self._state.run(connection, "run_finish", end)
            if closed.rowcount != 1:
                return
            # A `resume` that ended a pause ended the suspension, too.
            await suspend_for(connection, self._state, run)
            await record_census(connection, self._state, census)


def outcome_sentence(run: Run, left: UndoSurvey, refusal: str | None) -> str:
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


def _end(
    run: Run, state: RunState, outcome: str, remaining: int | None, legacy: int | None
) -> dict[str, object]:
    return {
        "run_id": run.id,
        "token": run.token,
        "state": state.value,
        "outcome": outcome,
        "remaining": remaining,
        "legacy_after": legacy,
        "waited": 0.0,
    }
