"""What is kept of repairs beside their runs: what people have switched, what the leader found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.state.runs import Run, make_run
from monitor.state.statements import SchemaStatements, parameters


@dataclass(frozen=True, slots=True)
class RepairControl:
    """What people have switched for one repair, and its own breaker."""

    repair: str
    suspended: bool = False
    """It starts by itself no more; a person may start it."""
    suspended_reason: str = ""
    suspended_at: datetime | None = None
    breaker_open: bool = False
    breaker_code: str = ""
    breaker_reason: str = ""
    breaker_at: datetime | None = None
    breaker_reset_at: datetime | None = None
    """When a person last reset it: runs that ended before are judged no more."""
    accepted_rows: int | None = None
    """So many rows that `find` names were accepted then, until they are few enough again."""


@dataclass(frozen=True, slots=True)
class RepairCount:
    """What `find` named when it was counted last; or why it could not be."""

    seconds: float
    """One evaluation."""
    named: int = 0
    table_rows: int = 0
    share: float = 0.0
    """Of the table, 0 to 1."""
    error: str | None = None
    """Why it could not be planned: then the numbers say nothing."""


@dataclass(frozen=True, slots=True)
class RepairFound:
    """The row of a repair in `repair_status`. Ages are seconds."""

    repair: str
    decided_at: datetime
    kind: str
    code: str
    reason: str
    count: RepairCount | None
    counted_at: datetime | None
    counted_age: float | None
    newest_run: int
    """The number of its newest run; 0 before the first."""


@dataclass(frozen=True, slots=True)
class RepairEnds:
    """When runs of a repair ended last, in seconds before now; None where none did."""

    repair: str
    changed_age: float | None
    """A run of it, or an undo of one."""
    changed_run: int
    """The number of that one; 0 before the first, as below."""
    automatic_age: float | None
    """A run that had started by itself."""
    newest_run: int
    """The number of the newest run of it, ended or not."""


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """One change of what was decided about a repair."""

    decided_at: datetime
    kind: str
    code: str
    reason: str


async def read_repair_controls(
    connection: AsyncConnection, state: SchemaStatements
) -> dict[str, RepairControl]:
    """By name; a repair that nobody has switched is left out."""
    found = await state.list(connection, "repair_controls", RepairControl)
    return {one.repair: one for one in found}


async def read_repair_control(
    connection: AsyncConnection, state: SchemaStatements, repair: str
) -> RepairControl:
    """That of one repair."""
    controls = await read_repair_controls(connection, state)
    return controls.get(repair, RepairControl(repair))


async def suspend_repair(
    connection: AsyncConnection, state: SchemaStatements, repair: str, reason: str
) -> None:
    """No automatic run of it starts from here on."""
    await state.run(connection, "repair_suspend", {"repair": repair, "reason": reason})


async def resume_repair(connection: AsyncConnection, state: SchemaStatements, repair: str) -> bool:
    """End its suspension; False where there was none."""
    done = await state.run(connection, "repair_resume", {"repair": repair})
    return done.rowcount == 1


async def open_repair_breaker(
    connection: AsyncConnection, state: SchemaStatements, repair: str, *, code: str, reason: str
) -> None:
    """It stops until a person has looked. One that is open keeps its first reason."""
    values = {"repair": repair, "code": code, "reason": reason}
    await state.run(connection, "repair_breaker_open", values)


async def reset_repair_breaker(
    connection: AsyncConnection, state: SchemaStatements, repair: str, *, accepted_rows: int | None
) -> bool:
    """A person has looked. False: it was not open, and nothing was changed."""
    values = {"repair": repair, "accepted_rows": accepted_rows}
    return (await state.run(connection, "repair_breaker_reset", values)).rowcount == 1


async def last_runs(connection: AsyncConnection, state: SchemaStatements) -> dict[str, Run]:
    """The newest run of each repair that has any."""
    found = await state.list(connection, "repair_last_runs", make_run)
    return {str(run.repair): run for run in found}


async def read_ends(
    connection: AsyncConnection, state: SchemaStatements, names: Sequence[str]
) -> dict[str, RepairEnds]:
    """Of the repairs `names`, each by its name and in their order."""
    found = await state.list(connection, "repair_last_ended", RepairEnds, names=list(names))
    return {one.repair: one for one in found}


async def read_found(
    connection: AsyncConnection, state: SchemaStatements
) -> dict[str, RepairFound]:
    """What the leader found last, by repair."""
    return {one.repair: one for one in await state.list(connection, "repair_status_read", _found)}


def _found(
    *,
    named: int | None,
    table_rows: int | None,
    share: float | None,
    seconds: float | None,
    error: str | None,
    **columns: object,
) -> RepairFound:
    count = None
    if seconds is not None:
        count = RepairCount(seconds, named or 0, table_rows or 0, share or 0.0, error)
    return RepairFound(count=count, **columns)  # type: ignore[arg-type]


async def write_found(
    connection: AsyncConnection,
    state: SchemaStatements,
    *,
    repair: str,
    kind: str,
    code: str,
    reason: str,
    count: RepairCount | None,
    counted_age: float | None,
) -> bool:
    """Keep what was decided about a repair and what it was decided from; True where the decision is
    another one than the last."""
    nothing = dict.fromkeys(("seconds", "named", "table_rows", "share", "error"))
    counted = nothing if count is None else parameters(count)
    if count is not None and count.error is not None:
        counted |= dict.fromkeys(("named", "table_rows", "share"))
    values = {"repair": repair, "kind": kind, "code": code, "reason": reason, **counted}
    done = await state.run(connection, "repair_status_write", values | {"counted_age": counted_age})
    return int(done.scalar_one()) > 0


async def list_decisions(
    connection: AsyncConnection, state: SchemaStatements, repair: str, *, limit: int
) -> tuple[DecisionRow, ...]:
    """At most `limit` changes of what was decided about a repair, the newest first."""
    return await state.list(connection, "repair_decisions", DecisionRow, repair=repair, limit=limit)
