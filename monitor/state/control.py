"""Pause, suspension, breaker, and the last verified cutoff: one row, read before every batch."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.state.statements import SchemaStatements


@dataclass(frozen=True, slots=True)
class Control:
    """What people have switched, and what the last verified heal established."""

    paused: bool = False
    paused_reason: str = ""
    paused_at: datetime | None = None
    suspended: bool = False
    suspended_reason: str = ""
    suspended_at: datetime | None = None
    verified_until: datetime | None = None
    """The cutoff of the last verified heal; legacy artworks up to here were all healed once."""
    verified_at: datetime | None = None
    """When that heal was planned: who was enrolled by then has been healed up to the cutoff."""
    breaker_open: bool = False
    breaker_code: str = ""
    breaker_reason: str = ""
    breaker_at: datetime | None = None
    breaker_reset_at: datetime | None = None
    """When a person last reset the breaker: what was before is judged no more."""
    accepted_share: float | None = None
    """The legacy share, 0 to 1, that was accepted then, until it has fallen to max_share."""
    woken_at: datetime | None = None
    """When a replica that does not lead last asked the leader to count at once."""


async def read_control(connection: AsyncConnection, state: SchemaStatements) -> Control:
    """The control row as it is now."""
    row = (await state.run(connection, "control_read")).one()
    return Control(**row._mapping)


async def pause(connection: AsyncConnection, state: SchemaStatements, reason: str) -> None:
    """Stop everything that writes; `reason` is shown wherever healing is asked for."""
    await state.run(connection, "control_pause", {"reason": reason})


async def suspend(connection: AsyncConnection, state: SchemaStatements, reason: str) -> None:
    """Switch automatic healing off; runs by hand go on working."""
    await state.run(connection, "control_suspend", {"reason": reason})


async def resume(connection: AsyncConnection, state: SchemaStatements) -> None:
    """End a pause and a suspension."""
    await state.run(connection, "control_resume")


async def mark_verified(
    connection: AsyncConnection,
    state: SchemaStatements,
    legacy_until: datetime,
    planned_at: datetime,
) -> None:
    """A heal with this cutoff, planned at that moment, was verified."""
    values = {"legacy_until": legacy_until, "planned_at": planned_at}
    await state.run(connection, "control_verified", values)


async def begin_anew_where_others_count(
    connection: AsyncConnection, state: SchemaStatements, tallied: str
) -> None:
    """Forget the tally's base and the verified cutoff where they are of other settings than
    `tallied`, as `KeptCatalogue.tallied` has them."""
    await state.run(connection, "control_tallied", {"tallied": tallied})


async def mark_breaker_open(
    connection: AsyncConnection, state: SchemaStatements, *, code: str, reason: str
) -> None:
    """Healing stops until a person has looked. One that is open keeps its first reason."""
    await state.run(connection, "control_breaker_open", {"code": code, "reason": reason})


async def reset_breaker(
    connection: AsyncConnection, state: SchemaStatements, *, accepted_share: float | None
) -> bool:
    """A person has looked. False: it was not open, and nothing was changed."""
    changed = await state.run(
        connection, "control_breaker_reset", {"accepted_share": accepted_share}
    )
    return changed.rowcount == 1
