"""What runs of one kind do: how they write a batch, and how they end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.census import Census
from monitor.database import transaction
from monitor.healing.batches import Batch, BatchWriter, LeaseLostError
from monitor.healing.verification import Recount, Verifier
from monitor.healing.waits import SHORT, Waited
from monitor.state.runs import Run, RunState
from monitor.state.statements import StateStatements

log = structlog.get_logger(__name__)

PASSES = 3
"""Walks over the work list before a run whose recount still finds pairs ends as partial."""


@dataclass(frozen=True, slots=True)
class Conclusion:
    """The run has been closed. `census` is the recount, where one was taken."""

    census: Census | None


class Craft(Protocol):
    """How runs of one kind are worked. The executor brings retries, pace, lease and waiting."""

    async def write(self, run: Run, *, size: int, waited: Waited) -> Batch | None:
        """The next batch of at most about `size` rows, one transaction; None at the end of a pass.

        Raises LeaseLostError, HoldError, or what the database refuses.
        """
        ...

    async def conclude(self, run: Run) -> Conclusion | None:
        """Close the run, or prepare another pass and return None."""
        ...

    async def fail(self, run: Run, why: str) -> None:
        """Close the run as failed, with the sentence that says why."""
        ...


class HealCraft:
    """Backfills: inserts what is missing, then counts again."""

    def __init__(
        self, engine: AsyncEngine, state: StateStatements, writer: BatchWriter, verifier: Verifier
    ) -> None:
        self._engine = engine
        self._state = state
        self._writer = writer
        self._verifier = verifier

    async def write(self, run: Run, *, size: int, waited: Waited) -> Batch | None:
        """The next impressions of the plan."""
        return await self._writer.write(run, size=size, waited=waited)

    async def conclude(self, run: Run) -> Conclusion | None:
        """Count again; walk once more while pairs of the plan are missing; then finish."""
        recount = await self._verifier.verify(run)
        if recount.remaining and recount.passes < PASSES and recount.rows_left > 0:
            log.info("run_next_pass", run_id=run.id, remaining=recount.remaining)
            await self._next_pass(run)
            return None
        state, outcome = _verdict(run, recount)
        await self._verifier.finish(run, state, outcome, recount)
        return Conclusion(recount.census)

    async def fail(self, run: Run, why: str) -> None:
        """Close the run as failed."""
        await self._verifier.fail(run, why)

    async def _next_pass(self, run: Run) -> None:
        async with transaction(self._engine, timeout=SHORT) as connection:
            changed = await self._state.run(
                connection, "run_next_pass", {"run_id": run.id, "token": run.token}
            )
            if changed.one_or_none() is None:
                raise LeaseLostError(f"Run {run.id} is no longer held by this process.")


def _verdict(run: Run, recount: Recount) -> tuple[RunState, str]:
    if not recount.quarantined:
        return _verdict_on_the_rest(run, recount)
    _, outcome = _verdict_on_the_rest(run, recount)
    outcome += (
        f" {recount.quarantined} pairs could not be written and are in quarantine, the first"
        f" because of {recount.refusal or 'an error that is no longer kept'}."
    )
    return RunState.PARTIAL, outcome


def _verdict_on_the_rest(run: Run, recount: Recount) -> tuple[RunState, str]:
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
