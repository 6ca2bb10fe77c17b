"""Every legal change of a run's state, as data, and the functions that carry them out.

The guard is each statement's own condition: it changes the row only from a state, and for an actor,
for which an edge stands here. What is asked for without an edge is not even sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import CursorResult
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.state.runs import ACTIVE, Run, RunState, make_run
from monitor.state.statements import SchemaStatements, StateStatements


class Actor(StrEnum):
    """Who changes a run's state."""

    PLANNER = "planner"
    """Makes a heal run, one for a user, or a repair."""
    UNDO_PLANNER = "undo planner"
    """Makes an undo, and ends the run that it takes back."""
    HOLDER = "holder"
    """Its token stands in the row. An expired lease alone takes nothing from it."""
    SUCCESSOR = "successor"
    """Takes over what nobody holds, with a new token, or ends it, where its own settings of what is
    counted or written are others than the run's."""
    CLEANER = "cleaner"
    """Ends per-user runs whose process is gone: hourly, or before the same user's next one."""


@dataclass(frozen=True, slots=True)
class Transition:
    """An edge; `source` is None where there is no row yet."""

    source: RunState | None
    target: RunState
    actor: Actor
    reason: str
    lease_over: bool = False
    """Only once the lease has run out, by the database's clock."""


class IllegalTransitionError(Exception):
    """The program asks for an edge that does not exist."""


_R, _H, _P, _F = RunState.RUNNING, RunState.HELD, RunState.PARTIAL, RunState.FAILED
TRANSITIONS = (
    Transition(None, _R, Actor.PLANNER, "Something is to be written, and no other run is active."),
    Transition(None, RunState.SUCCEEDED, Actor.PLANNER, "One user, whole, in one transaction."),
    Transition(None, _R, Actor.UNDO_PLANNER, "A run has left rows, and no other run is active."),
    Transition(_R, _H, Actor.HOLDER, "A pause, the breaker, the window, a stop, a lasting lock."),
    Transition(_H, _R, Actor.SUCCESSOR, "What held it is over, or a person sends it on."),
    Transition(_R, _R, Actor.SUCCESSOR, "Its process was killed, or is cut off.", lease_over=True),
    Transition(_R, RunState.SUCCEEDED, Actor.HOLDER, "Nothing of its plan is left."),
    Transition(_R, _P, Actor.HOLDER, "Something is left after its last pass, or in quarantine."),
    Transition(_R, _F, Actor.HOLDER, "An error that trying again does not mend."),
    Transition(_H, _P, Actor.SUCCESSOR, "Planned under other settings; or a repair may not go on."),
    Transition(_R, _P, Actor.SUCCESSOR, "The same; its process is gone.", lease_over=True),
    Transition(_H, _P, Actor.UNDO_PLANNER, "Nobody works on it, and it is to be taken back."),
    Transition(_R, _P, Actor.UNDO_PLANNER, "The same; its process is gone.", lease_over=True),
    Transition(_H, _F, Actor.CLEANER, "Nobody takes up a per-user run.", lease_over=True),
    Transition(_R, _F, Actor.CLEANER, "A per-user run whose process is gone.", lease_over=True),
)
STATEMENTS: Mapping[tuple[Actor, RunState], str] = {
    (Actor.PLANNER, RunState.RUNNING): "run_insert",
    (Actor.PLANNER, RunState.SUCCEEDED): "user_backfill",
    (Actor.UNDO_PLANNER, RunState.RUNNING): "run_insert_undo",
    (Actor.SUCCESSOR, RunState.RUNNING): "run_claim",
    (Actor.HOLDER, RunState.HELD): "run_hold",
    (Actor.HOLDER, RunState.SUCCEEDED): "run_finish",
    (Actor.HOLDER, RunState.PARTIAL): "run_finish",
    (Actor.HOLDER, RunState.FAILED): "run_finish",
    (Actor.SUCCESSOR, RunState.PARTIAL): "run_close",
    (Actor.UNDO_PLANNER, RunState.PARTIAL): "run_close",
    (Actor.CLEANER, RunState.FAILED): "run_abandon",
}
"""What each actor sends to make a run each state."""


async def _change(
    connection: AsyncConnection,
    statements: SchemaStatements,
    actor: Actor,
    target: RunState,
    values: Mapping[str, object],
) -> CursorResult[Any]:
    if not any(edge.actor is actor and edge.target is target for edge in TRANSITIONS):
        raise IllegalTransitionError(f"A {actor} never makes a run {target}.")
    return await statements.run(connection, STATEMENTS[actor, target], values)


async def insert_run(
    connection: AsyncConnection,
    statements: SchemaStatements,
    actor: Actor,
    values: Mapping[str, object],
) -> int:
    """A new run under its first lease; its number. A second active one raises IntegrityError."""
    result = await _change(connection, statements, actor, RunState.RUNNING, values)
    return int(result.scalar_one())


async def claim(
    connection: AsyncConnection,
    statements: StateStatements,
    run_id: int,
    *,
    holder: str,
    lease: timedelta,
    beyond_breaker: bool = False,
) -> Run | None:
    """Take over a run whose lease is free; None when another process was first.

    `beyond_breaker`: from here on it goes on although the breaker is open. What settings the run
    was planned under is for the caller to compare.
    """
    values = {
        "run_id": run_id,
        "holder": holder,
        "lease": lease,
        "beyond_breaker": beyond_breaker,
        "catalogue": statements.kept.as_json(),
    }
    result = await _change(connection, statements, Actor.SUCCESSOR, RunState.RUNNING, values)
    row = result.one_or_none()
    return None if row is None else make_run(**row._mapping)


async def hold_run(
    connection: AsyncConnection, statements: SchemaStatements, run: Run, why: str
) -> None:
    """Put a run down where it is; nothing when this process no longer holds it."""
    values = {"run_id": run.id, "token": run.token, "outcome": why}
    await _change(connection, statements, Actor.HOLDER, RunState.HELD, values)


async def finish_run(
    connection: AsyncConnection,
    statements: SchemaStatements,
    run: Run,
    state: RunState,
    outcome: str,
    *,
    remaining: int | None,
    legacy_after: int | None,
) -> bool:
    """End a run in `state`; False when this process no longer holds it.

    `remaining` counts what is left of its plan, `legacy_after` what is legacy now; None: unknown.
    """
    if state in ACTIVE:
        raise IllegalTransitionError(f"No run ends as {state}.")
    values = {
        "run_id": run.id,
        "token": run.token,
        "state": state.value,
        "outcome": outcome,
        "remaining": remaining,
        "legacy_after": legacy_after,
    }
    return (await _change(connection, statements, Actor.HOLDER, state, values)).rowcount == 1


async def close_run(
    connection: AsyncConnection,
    statements: SchemaStatements,
    run_id: int,
    actor: Actor,
    outcome: str,
) -> bool:
    """End a run that nobody works on where it stands, and let its work list go; False when
    somebody does."""
    values = {"run_id": run_id, "outcome": outcome}
    closed = await _change(connection, statements, actor, RunState.PARTIAL, values)
    if closed.rowcount != 1:
        return False
    for work in ("work_delete", "repair_work_delete"):
        await statements.run(connection, work, {"run_id": run_id})
    return True


async def abandon_user_runs(
    connection: AsyncConnection, statements: SchemaStatements, subject: str | None = None
) -> None:
    """Close per-user runs whose process is gone: those of user `subject`, or all."""
    await _change(connection, statements, Actor.CLEANER, RunState.FAILED, {"subject": subject})
