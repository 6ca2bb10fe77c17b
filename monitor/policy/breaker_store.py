"""The breaker in the database: what it looks at, how it opens, how a person resets it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.deadlines import LOOK_BACK
from monitor.policy.decision import BREAKER_CODES, Decision
from monitor.policy.inputs import FinishedRun
from monitor.policy.repairs import RepairSettings, too_large
from monitor.state.control import Control, mark_breaker_open, read_control, reset_breaker
from monitor.state.repairs import (
    RepairControl,
    RepairCount,
    read_repair_control,
    reset_repair_breaker,
)
from monitor.state.statements import SchemaStatements

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class BreakerReset:
    """What a reset of the breaker did: nothing where it `was_open` not."""

    was_open: bool
    code: str
    reason: str
    since: datetime | None
    accepted_share: float | None
    """The legacy share accepted until it has fallen; None where max_share was not exceeded."""


@dataclass(frozen=True, slots=True)
class RepairBreakerReset:
    """What a reset of a repair's breaker did: nothing where it `was_open` not."""

    repair: str
    was_open: bool
    code: str
    reason: str
    since: datetime | None
    accepted_rows: int | None
    """Accepted until `find` names few enough again; None where they were not too many."""


async def read_last_runs(
    connection: AsyncConnection, state: SchemaStatements, limit: int
) -> tuple[FinishedRun, ...]:
    """At most `limit` heal runs that ended since the breaker's last reset, the newest first."""
    return await state.list(connection, "runs_last_ended", FinishedRun, limit=limit)


async def read_most_audience(connection: AsyncConnection, state: SchemaStatements) -> int:
    """The largest audience of the last 24 hours' censuses."""
    found = await state.run(connection, "census_most_audience", {"window": LOOK_BACK})
    return int(found.scalar_one())


async def read_recurring(connection: AsyncConnection, state: SchemaStatements) -> int:
    """Pairs of the last 24 hours' runs that had appeared behind the last verified heal."""
    found = await state.run(connection, "runs_recurring", {"window": LOOK_BACK})
    return int(found.scalar_one())


async def open_breaker(
    connection: AsyncConnection, state: SchemaStatements, control: Control, refusal: Decision
) -> Control:
    """Open the breaker for `refusal`, in the connection's transaction; the control row after it.

    A breaker that is open keeps its first reason; a refusal that is not the breaker's is nothing.
    Once committed, `log_breaker_opened` tells the log.
    """
    if control.breaker_open or refusal.code not in BREAKER_CODES:
        return control
    reason = refusal.cause or refusal.reason
    await mark_breaker_open(connection, state, code=refusal.code.value, reason=reason)
    return await read_control(connection, state)


def log_breaker_opened(before: Control, after: Control, *, asked: bool = False) -> None:
    """A line in the log where the breaker has opened between the two; `asked`: somebody who asked
    for a heal is told so, too."""
    if after.breaker_open and not before.breaker_open:
        level = logging.INFO if asked else logging.WARNING
        log.log(level, "breaker_opened", code=after.breaker_code, reason=after.breaker_reason)


async def forget_fallen_share(
    connection: AsyncConnection,
    state: SchemaStatements,
    control: Control,
    *,
    share: float,
    max_share: float,
) -> Control:
    """An accepted share that has fallen to `max_share` is accepted no longer."""
    if control.accepted_share is None or share > max_share:
        return control
    await state.run(connection, "control_share_fallen")
    log.info("accepted_share_fallen", accepted=control.accepted_share, share=share)
    return await read_control(connection, state)


async def reset(
    connection: AsyncConnection, state: SchemaStatements, *, share: float | None, max_share: float
) -> BreakerReset:
    """A person has looked: close the breaker, and accept `share` where it is above `max_share`."""
    control = await read_control(connection, state)
    accepted = share if share is not None and share > max_share else None
    if not await reset_breaker(connection, state, accepted_share=accepted):
        return BreakerReset(False, "", "", None, control.accepted_share)
    log.info("breaker_reset", code=control.breaker_code, accepted_share=accepted)
    return BreakerReset(
        True, control.breaker_code, control.breaker_reason, control.breaker_at, accepted
    )


async def newest_share(connection: AsyncConnection, state: SchemaStatements) -> float | None:
    """The legacy share of the newest census on record; None before the first."""
    row = (await state.run(connection, "census_newest")).one_or_none()
    if row is None:
        return None
    pairs = row.tracked + row.fresh + row.storage + row.legacy_untracked
    return float(row.legacy_untracked / pairs) if pairs else 0.0


async def reset_repair(
    connection: AsyncConnection,
    state: SchemaStatements,
    settings: RepairSettings,
    count: RepairCount | None,
) -> RepairBreakerReset:
    """A person has looked: close the breaker of a repair, and accept what its `find` named last
    where that is too much."""
    name = settings.name
    own = await read_repair_control(connection, state, name)
    accepted = None
    if (
        count is not None
        and count.error is None
        and too_large(count.named, count.share, settings, RepairControl(name))
    ):
        accepted = count.named
    if not await reset_repair_breaker(connection, state, name, accepted_rows=accepted):
        return RepairBreakerReset(name, False, "", "", None, own.accepted_rows)
    log.info("repair_breaker_reset", repair=name, code=own.breaker_code, accepted_rows=accepted)
    return RepairBreakerReset(
        name, True, own.breaker_code, own.breaker_reason, own.breaker_at, accepted
    )
