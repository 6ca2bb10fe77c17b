"""Runs as rows: states, leases, cursors. The edges between states stand in `transitions`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.errors import ConservatorError
from monitor.state.statements import SchemaStatements


class UnknownRunError(ConservatorError):
    """There is no run with this number."""

    code = "unknown_run"


class RunKind(StrEnum):
    """What a run heals."""

    HEAL = "heal"
    """Every affected user of the audience; one at a time, whoever starts it."""
    USER = "user"
    """One user, in the audience or not; beside a heal run too."""
    UNDO = "undo"
    """Takes back what another run wrote; in a heal run's place, never beside one."""


class Trigger(StrEnum):
    """Who started a run."""

    SCHEDULE = "schedule"
    API = "api"
    COMMAND = "command"


class RunState(StrEnum):
    """Where a run stands. Running and held are active; the others are ends."""

    RUNNING = "running"
    HELD = "held"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"


ACTIVE = frozenset({RunState.RUNNING, RunState.HELD})


@dataclass(frozen=True, slots=True)
class Run:
    """A run as its row says. Counts are pairs or rows, durations seconds.

    `inserted` counts the rows that an undo has taken back, where the run is one.
    """

    id: int
    kind: RunKind
    trigger: Trigger
    state: RunState
    reason: str
    outcome: str
    holder: str
    token: int
    lease_until: datetime
    leased: bool
    """The lease holds, by the database's clock."""
    started_at: datetime
    finished_at: datetime | None
    legacy_until: datetime
    created_before: datetime | None
    subject: object | None
    planned_users: int
    planned_rows: int
    pass_: int
    position: int
    artwork_cursor: object | None
    batches: int
    inserted: int
    writing_seconds: float
    waiting_seconds: float
    legacy_before: int | None
    legacy_after: int | None
    remaining: int | None
    undoes: int | None
    """The run that this undo takes back; None for all other kinds."""
    user_cursor: object | None
    """An undo's place in the ledger, together with `artwork_cursor`."""
    beyond_breaker: bool
    """A person has seen the numbers: the run goes on although the breaker is open."""
    quarantined: int
    """Pairs that this run could not write and has put aside."""
    aside: int
    """Legacy pairs that the quarantine kept out of its plan."""
    recurring: int
    """Planned pairs that had appeared behind the last verified cutoff."""
    waiting_for: str
    """What it waits for right now, in words; empty while it writes."""

    @property
    def active(self) -> bool:
        """Running or held."""
        return self.state in ACTIVE

    @property
    def claimable(self) -> bool:
        """Active, and nobody works on it: held, or its holder's lease ran out."""
        return self.state is RunState.HELD or (self.state is RunState.RUNNING and not self.leased)


@dataclass(frozen=True, slots=True)
class BatchRow:
    """One committed batch."""

    number: int
    started_at: datetime
    seconds: float
    users: int
    inserted: int


def run_from_row(row: Row[Any]) -> Run:
    """A Run from a row of the run table with `leased` beside it."""
    values = dict(row._mapping)
    values["pass_"] = values.pop("pass")
    for name, kind in (("kind", RunKind), ("trigger", Trigger), ("state", RunState)):
        values[name] = kind(str(values[name]))
    return Run(**values)


async def get_run(
    connection: AsyncConnection, statements: SchemaStatements, run_id: int
) -> Run | None:
    """The run with this number, or None."""
    row = (await statements.run(connection, "run_select", {"run_id": run_id})).one_or_none()
    return None if row is None else run_from_row(row)


async def active_run(connection: AsyncConnection, statements: SchemaStatements) -> Run | None:
    """The heal run or undo that is running or held, or None."""
    row = (await statements.run(connection, "run_active")).one_or_none()
    return None if row is None else run_from_row(row)


async def list_runs(
    connection: AsyncConnection,
    statements: SchemaStatements,
    *,
    limit: int,
    before: int | None = None,
) -> tuple[Run, ...]:
    """At most `limit` runs, newest first, with a number below `before`."""
    rows = await statements.run(connection, "run_list", {"limit": limit, "before": before})
    return tuple(run_from_row(row) for row in rows)


async def list_batches(
    connection: AsyncConnection,
    statements: SchemaStatements,
    run_id: int,
    *,
    limit: int,
    after: int = 0,
) -> tuple[BatchRow, ...]:
    """At most `limit` batches of a run, in order, after batch number `after`."""
    rows = await statements.run(
        connection, "run_batches", {"run_id": run_id, "limit": limit, "after": after}
    )
    return tuple(
        BatchRow(row.number, row.started_at, row.seconds, row.users, row.inserted) for row in rows
    )


async def seconds_since_last_finished(
    connection: AsyncConnection, statements: SchemaStatements
) -> float | None:
    """Seconds since the last heal run ended, by the database's clock; None before the first."""
    row = (await statements.run(connection, "last_finished")).one_or_none()
    return None if row is None else float(row.seconds_ago)
