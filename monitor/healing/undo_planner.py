"""A new undo: everything checked, and the run, the suspension and the flags in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.database import snapshot, transaction
from monitor.healing.errors import (
    TYPES_CHANGED,
    ActiveRunError,
    NotUndoableError,
    unfinished_undo_sentence,
)
from monitor.healing.planner import RunOwner, begin_run, planned_run, read_unpaused
from monitor.healing.preview import UndoPreview, preflight, preview_undo
from monitor.healing.statements import HealingContext
from monitor.state import control
from monitor.state.runs import Run, RunKind, UnknownRunError, active_run, get_run
from monitor.state.statements import StateStatements
from monitor.state.transitions import Actor, claim, close_run

NO_FORM_ON_CITUS = (
    "The rows of this run are known by their whole content, and Citus takes no statement that looks"
    " them up by it: with the impressions in one table again (undistribute_table), it can be taken"
    " back."
)
NO_SUCH_RUN = "There is no run {}; `conservator runs` lists them."


@dataclass(frozen=True, slots=True)
class UndoPlan:
    """An undo that this process holds. `resumed`: it was begun before and goes on."""

    run: Run
    resumed: bool


class UndoPlanner:
    """Makes undos. One transaction each: a refusal leaves nothing behind."""

    def __init__(self, context: HealingContext) -> None:
        self._context = context
        self._statements = context.statements
        self._state = context.state
        self._rows = context.rows

    async def plan(self, owner: RunOwner, run_id: int, *, reason: str) -> UndoPlan | None:
        """An undo of the run `run_id`, or its unfinished undo, claimed; None where nothing is left
        to take back.

        A run that was put down is ended first, also where it has written nothing. Raises
        UnknownRunError, PausedError, ActiveRunError, NotUndoableError.
        """
        context = self._context
        async with transaction(
            context.engine, timeout=context.timeout, rows=self._rows
        ) as connection:
            await read_unpaused(connection, self._state)
            await self._require_types(connection)
            if context.on_citus and not self._state.catalogue.is_plain:
                raise NotUndoableError(NO_FORM_ON_CITUS)
            undone = await self._run_to_undo(connection, run_id)
            active = await active_run(connection, self._state)
            if active is not None and active.undoes == run_id:
                return UndoPlan(await self._claim(connection, owner, active), resumed=True)
            _refuse_others(run_id, undone, active)
            if undone is not None and undone.active:
                await self._close(connection, undone)
            if not await self._anything_left(connection, run_id, undone):
                return None
            await self._require_possible(connection)
            undo = await self._insert(connection, owner, run_id, reason)
            await self._switch_off(connection, undo, undone)
            return UndoPlan(undo, resumed=False)

    async def preview(self, run_id: int) -> UndoPreview:
        """What an undo would find now. Raises UnknownRunError, NotUndoableError for an undo, or
        where types have changed."""
        context = self._context
        async with snapshot(
            context.engine, timeout=context.timeout, rows=context.rows
        ) as connection:
            await self._require_types(connection)
            undone = await self._run_to_undo(connection, run_id)
            found = await preview_undo(connection, self._statements, run_id)
        if undone is None and not found.listed:
            raise UnknownRunError(NO_SUCH_RUN.format(run_id))
        return found

    async def _require_types(self, connection: AsyncConnection) -> None:
        """A moment of one type is not found among those of another."""
        if not (await self._statements.run(connection, "types_as_read")).scalar_one():
            raise NotUndoableError(TYPES_CHANGED)

    async def _run_to_undo(self, connection: AsyncConnection, run_id: int) -> Run | None:
        """The run, or None where only its ledger may be left."""
        run = await get_run(connection, self._state, run_id)
        if run is not None and run.kind is RunKind.UNDO:
            raise NotUndoableError(_undo_of_undo(run))
        return run

    async def _claim(self, connection: AsyncConnection, owner: RunOwner, active: Run) -> Run:
        claimed = await claim(
            connection, self._state, active.id, holder=owner.holder, lease=owner.lease
        )
        if claimed is None:
            raise ActiveRunError(
                f"Run {active.id} is taking run {active.undoes} back already:"
                f" {active.inserted} of {active.planned_rows} rows, held by {active.holder}."
            )
        return claimed

    async def _anything_left(
        self, connection: AsyncConnection, run_id: int, undone: Run | None
    ) -> bool:
        left = (await self._statements.run(connection, "undo_left", {"undoes": run_id})).one()
        if undone is None and not left.listed:
            raise UnknownRunError(NO_SUCH_RUN.format(run_id))
        return bool(left.something)

    async def _require_possible(self, connection: AsyncConnection) -> None:
        """Raises NotUndoableError where nothing can be taken back on these tables."""
        refusal = (await preflight(connection, self._statements)).refusal
        if refusal is not None:
            raise NotUndoableError(refusal)

    async def _close(self, connection: AsyncConnection, undone: Run) -> None:
        outcome = "Ended where it stood, to be taken back."
        if not await close_run(connection, self._state, undone.id, Actor.UNDO_PLANNER, outcome):
            raise ActiveRunError(_still_active(undone))

    async def _insert(
        self, connection: AsyncConnection, owner: RunOwner, run_id: int, reason: str
    ) -> Run:
        sized = await self._sized(connection, run_id)
        number = await begin_run(
            connection,
            self._state,
            RunKind.UNDO,
            owner,
            {"undoes": run_id, "reason": reason, **sized},
        )
        return await planned_run(connection, self._state, number)

    async def _sized(self, connection: AsyncConnection, run_id: int) -> Mapping[str, object]:
        """Rows and users that the ledger lists."""
        sized = await self._statements.run(connection, "undo_size", {"undoes": run_id})
        return dict(sized.one()._mapping)

    async def _switch_off(self, connection: AsyncConnection, undo: Run, undone: Run | None) -> None:
        """No automatic run writes again what is taken back; nothing counts as appeared for it; and
        its users may be backfilled anew."""
        await suspend_for(connection, self._state, undo)
        await self._statements.run(connection, "undo_unverified")
        subject = None if undone is None or undone.subject is None else str(undone.subject)
        flags = {"undoes": undo.undoes, "subject": subject}
        await self._statements.run(connection, "undo_user_flags", flags)


async def suspend_for(connection: AsyncConnection, state: StateStatements, undo: Run) -> None:
    """Switch automatic healing off, on behalf of an undo."""
    reason = f"run {undo.undoes} was taken back by undo run {undo.id}"
    await control.suspend(connection, state, reason)


def _refuse_others(run_id: int, undone: Run | None, active: Run | None) -> None:
    """Somebody works on the run itself, or another run is unfinished."""
    if undone is not None and undone.active and not undone.claimable:
        raise ActiveRunError(_still_active(undone))
    if active is None or active.id == run_id:
        return
    if active.kind is RunKind.UNDO:
        raise ActiveRunError(unfinished_undo_sentence(active))
    where = f"at {active.inserted} of {active.planned_rows} rows"
    if active.claimable:
        raise ActiveRunError(
            f"Run {active.id} was put down {where} and has to be finished first, with `conservator"
            f" {finishes(active)}`, or taken back, with `conservator undo {active.id}`."
        )
    raise ActiveRunError(
        f"Run {active.id} is active {where}, held by {active.holder}: wait for its end."
    )


def finishes(run: Run) -> str:
    """The command that goes on with a run which is no undo."""
    return "heal" if run.repair is None else f"repair {run.repair}"


def _still_active(run: Run) -> str:
    return (
        f"Run {run.id} is still active at {run.inserted} of {run.planned_rows} rows, held by"
        f" {run.holder}. Wait for its end, or put it down with `conservator pause` and, after"
        f" `conservator resume`, take back at once what it has written."
    )


def _undo_of_undo(run: Run) -> str:
    if run.active:
        return (
            f"Run {run.id} is an undo itself: `conservator undo {run.undoes}` goes on with it, and"
            " `conservator pause` holds it."
        )
    return (
        f"Run {run.id} is an undo itself and wrote nothing that could be taken back: `conservator"
        f" {finishes(run)}` writes what is missing."
    )
