"""Runs as rows, and what is kept of each: batches, waits, quarantined pairs, users' once-flags.

The edges between a run's states stand in `transitions`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from checks.errors import ConservatorError
from monitor.state.statements import SchemaStatements

QUARANTINED_SHOWN = 20
"""So many pairs with their errors tell what is wrong."""


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
    REPAIR = "repair"
    """Mends rows that a configured repair finds; in a heal run's place, too."""


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


class WaitReason(StrEnum):
    """The closed set of reasons: labels of a metric, so a new one is a new member here."""

    DUTY = "duty"
    """The rest that `healing.pace.duty` asks for after each batch."""
    REPLICA_LAG = "replica_lag"
    """A replica is further behind in time than `max_replica_lag`."""
    REPLICA_LAG_BYTES = "replica_lag_bytes"
    """A replica has more left to replay than `max_replica_lag_bytes`."""
    REPLICA_MISSING = "replica_missing"
    """Fewer replicas are connected than `expected_replicas`."""
    REPLICA_UNKNOWN = "replica_unknown"
    """How far the replicas are can't be read."""
    WAIT_WHILE = "wait_while"
    """The operator's SQL says to wait."""
    WAIT_WHILE_UNKNOWN = "wait_while_unknown"
    """The operator's SQL says neither yes nor no."""
    PROMQL = "promql"
    """The Prometheus query's value is above its limit."""
    PROMQL_UNKNOWN = "promql_unknown"
    """The Prometheus query has no value."""


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
    catalogue: Mapping[str, object] | None = None
    """The settings by which it counts and writes (`checks.kept_catalogue`), as they were when it
    was planned; None for a run from before they were kept."""
    impressions_oid: int | None = None
    """The table that it wrote to (pg_class.oid), whatever that is called by now."""
    users_oid: int | None = None
    """The same of the table of its users."""
    artworks: tuple[str, ...] | None = field(default=None, repr=False)
    """The artworks that its plan is about, as text, until it ends; None: all legacy ones."""
    repair: str | None = None
    """The name of the repair, of its runs and of their undos."""
    repair_plan: Mapping[str, Any] | None = field(default=None, repr=False)
    """How it was configured when it was planned, and how its batches go about it."""
    repair_oid: int | None = None
    """The table that it changes (pg_class.oid), whatever that is called by now."""

    @property
    def artworks_to_walk(self) -> list[str] | None:
        """The artworks whose pairs this pass writes; None: whatever is legacy. A later pass also
        finds what planned users lost elsewhere meanwhile."""
        return None if self.artworks is None or self.pass_ > 1 else list(self.artworks)

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
    size: int | None = None
    """Rows asked for; None where an older version wrote it."""
    size_reason: str | None = None
    """Why so many, a `PaceReason`."""


@dataclass(frozen=True, slots=True)
class QuarantinedPair:
    """A pair with what the database said when it was tried last. Ids as text."""

    user_id: str
    artwork_id: str
    run_id: int
    error: str
    attempts: int
    first_at: datetime
    last_at: datetime
    retry_at: datetime


@dataclass(frozen=True, slots=True)
class Backfilled:
    """The backfill that set a user's once-flag."""

    run_id: int
    inserted: int
    """Rows written."""
    backfilled_at: datetime


def make_run(**columns: Any) -> Run:
    """A Run from the columns of the run table with `leased` beside them."""
    columns["pass_"] = columns.pop("pass")
    artworks = columns.pop("artworks")
    columns["artworks"] = None if artworks is None else tuple(artworks)
    for name, kind in (("kind", RunKind), ("trigger", Trigger), ("state", RunState)):
        columns[name] = kind(str(columns[name]))
    if columns.get("repair") is not None:
        columns["kind"] = RunKind.REPAIR if columns["undoes"] is None else RunKind.UNDO
    # A newer version, at work beside this one, may have added columns.
    return Run(**{one.name: columns[one.name] for one in fields(Run) if one.name in columns})


async def get_run(connection: AsyncConnection, state: SchemaStatements, run_id: int) -> Run | None:
    """The run with this number, or None."""
    return await state.find(connection, "run_select", make_run, run_id=run_id)


async def active_run(connection: AsyncConnection, state: SchemaStatements) -> Run | None:
    """The heal run, repair or undo that is running or held, or None."""
    return await state.find(connection, "run_active", make_run)


async def list_runs(
    connection: AsyncConnection,
    state: SchemaStatements,
    *,
    limit: int,
    before: int | None = None,
) -> tuple[Run, ...]:
    """At most `limit` runs, newest first, with a number below `before`."""
    return await state.list(connection, "run_list", make_run, limit=limit, before=before)


async def list_batches(
    connection: AsyncConnection,
    state: SchemaStatements,
    run_id: int,
    *,
    limit: int,
    after: int = 0,
) -> tuple[BatchRow, ...]:
    """At most `limit` batches of a run, in order, after batch number `after`."""
    return await state.list(
        connection, "run_batches", BatchRow, run_id=run_id, limit=limit, after=after
    )


async def list_waits(
    connection: AsyncConnection, state: SchemaStatements, run_id: int
) -> Mapping[str, float]:
    """Seconds that a run waited, by reason, the longest first."""
    rows = await state.run(connection, "run_waits", {"run_id": run_id})
    return {str(row.reason): float(row.seconds) for row in rows}


async def seconds_since_last_finished(
    connection: AsyncConnection, state: SchemaStatements
) -> float | None:
    """Seconds since the last heal run ended, by the database's clock; None before the first."""
    found = await state.run(connection, "last_finished")
    seconds: float | None = found.scalar_one_or_none()
    return seconds


async def first_refusal(
    connection: AsyncConnection, state: SchemaStatements, run_id: int
) -> str | None:
    """What the database said to the first pair that this run has put aside."""
    found = await state.run(connection, "quarantine_first", {"run_id": run_id})
    refusal: str | None = found.scalar_one_or_none()
    return refusal


async def count_quarantined(connection: AsyncConnection, state: SchemaStatements) -> int:
    """All pairs in quarantine, due or not."""
    return int((await state.run(connection, "quarantine_size")).scalar_one())


async def list_quarantined(
    connection: AsyncConnection, state: SchemaStatements, *, run_id: int | None
) -> tuple[QuarantinedPair, ...]:
    """At most 20 pairs, those put aside last first; only those of one run, or of all."""
    return await state.list(
        connection, "quarantine_list", QuarantinedPair, run_id=run_id, limit=QUARANTINED_SHOWN
    )


async def read_backfilled(
    connection: AsyncConnection, state: SchemaStatements, user_id: str
) -> Backfilled | None:
    """The user's flag, or None where there is none. The id must be one that the column can hold."""
    return await state.find(connection, "backfilled_user_read", Backfilled, user_id=user_id)
