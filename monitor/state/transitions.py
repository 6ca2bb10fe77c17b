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

from monitor.state.runs import ACTIVE, Run, RunState, run_from_row
from monitor.state.statements import SchemaStatements


class Actor(StrEnum):
    """Who changes a run's state."""

    PLANNER = "planner"
    """Makes a heal run, or one for a user."""
    UNDO_PLANNER = "undo planner"
    """Makes an undo, and ends the run that it takes back."""
    HOLDER = "holder"
    """Its token stands in the row. An expired lease alone takes nothing from it."""
    SUCCESSOR = "successor"
    """Takes over what nobody holds, with a new token."""
    CLEANER = "cleaner"
    """Ends per-user runs whose process is gone: hourly, or before the same user's next one."""


@dataclass(frozen=True, slots=True)
class Transition:
    """An edge; `source` is None where there is no row yet."""

    source: RunState | None
    target: RunState
    actor: Actor
    statement: str
    reason: str
    lease_over: bool = False
    """Only once the lease has run out, by the database's clock."""


class IllegalTransitionError(Exception):
    """The program asks for an edge that does not exist."""


_RUNNING, _HELD = RunState.RUNNING, RunState.HELD
TRANSITIONS = (
    Transition(
        None,
        _RUNNING,
        Actor.PLANNER,
        "run_insert",
        "There are legacy pairs, and no other active run: a unique index holds that.",
    ),
    Transition(
        None,
        _RUNNING,
        Actor.UNDO_PLANNER,
        "run_insert_undo",
        "Something that a run wrote can be taken back, and there is no other active run.",
    ),
    Transition(
        _RUNNING,
        _HELD,
        Actor.HOLDER,
        "run_hold",
        "A pause, the breaker, the window, a stop, or a lock that outlasts every attempt.",
    ),
    Transition(
        _HELD,
        _RUNNING,
        Actor.SUCCESSOR,
        "run_claim",
        "Whatever held it is over, or a person sends it on.",
    ),
    Transition(
        _RUNNING,
        _RUNNING,
        Actor.SUCCESSOR,
        "run_claim",
        "Its process was killed, or lost the database: the cursor says where it stands.",
        lease_over=True,
    ),
    Transition(
        _RUNNING,
        RunState.SUCCEEDED,
        Actor.HOLDER,
        "run_finish",
        "The recount finds nothing of the plan left.",
    ),
    Transition(
        _RUNNING,
        RunState.PARTIAL,
        Actor.HOLDER,
        "run_finish",
        "Something of it is left after the last pass, or is in quarantine.",
    ),
    Transition(
        _RUNNING,
        RunState.FAILED,
        Actor.HOLDER,
        "run_finish",
        "An error that trying again does not mend.",
    ),
    Transition(
        _HELD,
        RunState.PARTIAL,
        Actor.UNDO_PLANNER,
        "run_close",
        "It is to be taken back, and nobody works on it.",
    ),
    Transition(
        _RUNNING,
        RunState.PARTIAL,
        Actor.UNDO_PLANNER,
        "run_close",
        "It is to be taken back, and its process is gone.",
        lease_over=True,
    ),
    Transition(
        _HELD,
        RunState.FAILED,
        Actor.CLEANER,
        "run_abandon",
        "Nobody takes up a per-user run: its ledger is kept, and the next call goes on.",
        lease_over=True,
    ),
    Transition(
        _RUNNING,
        RunState.FAILED,
        Actor.CLEANER,
        "run_abandon",
        "The process of a per-user run is gone; the next call goes on.",
        lease_over=True,
    ),
)


async def _change(
    connection: AsyncConnection,
    statements: SchemaStatements,
    actor: Actor,
    target: RunState,
    values: Mapping[str, object],
) -> CursorResult[Any]:
    """Send the statement of the edges of `actor` to `target`."""
    for edge in TRANSITIONS:
        if edge.actor is actor and edge.target is target:
            return await statements.run(connection, edge.statement, values)
    raise IllegalTransitionError(f"A {actor} never makes a run {target}.")


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
    statements: SchemaStatements,
    run_id: int,
    *,
    holder: str,
    lease: timedelta,
    beyond_breaker: bool = False,
) -> Run | None:
    """Take over a run whose lease is free; None when another process was first.

    `beyond_breaker`: from here on it goes on although the breaker is open.
    """
    values = {
        "run_id": run_id,
        "holder": holder,
        "lease": lease,
        "beyond_breaker": beyond_breaker,
    }
    result = await _change(connection, statements, Actor.SUCCESSOR, RunState.RUNNING, values)
    row = result.one_or_none()
    return None if row is None else run_from_row(row)


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


async def close_run(connection: AsyncConnection, statements: SchemaStatements, run_id: int) -> bool:
    """End a run that nobody works on, because it is to be taken back; False when somebody does."""
    values = {"run_id": run_id}
    result = await _change(connection, statements, Actor.UNDO_PLANNER, RunState.PARTIAL, values)
    return result.rowcount == 1


async def abandon_user_runs(
    connection: AsyncConnection, statements: SchemaStatements, subject: str | None = None
) -> None:
    """Close per-user runs whose process is gone: those of user `subject`, or all."""
    await _change(connection, statements, Actor.CLEANER, RunState.FAILED, {"subject": subject})
