"""/api/repairs: what is configured, what each would mend, how it was decided; and starting one.

Of the app's rows their keys alone are told, and only to who may start it.
"""

from __future__ import annotations

from typing import Literal

from exporters.current import pending_rows
from exporters.http.errors import ApiError
from exporters.http.healing import BreakerState, DecisionView
from exporters.http.requests import (
    MendBody,
    NoBody,
    RepairPage,
    RepairParameters,
)
from exporters.http.responses import Accepted, Answer, Count, Moment, Number, Seconds, TextOrNull
from exporters.http.routing import Call, PlainCall, Replied, Reply
from monitor.status import RepairStatus, Status


class RepairBreaker(BreakerState):
    """A repair stops by itself where `find` names too much, or nothing helps, until a person has
    looked."""

    accepted_rows: int | None
    """So many rows were accepted at the last reset, until `find` names few enough again."""


class Repair(Answer):
    """One repair, and how it stands."""

    name: str
    check: str
    """It may run by itself while this check fails."""
    action: Literal["insert", "update", "delete"]
    table: str
    mode: Literal["observe", "heal"]
    """`observe`: only a person starts it."""
    would_mend: Count | None
    """Rows that its `find` named when it was counted last; null where that could not be found out,
    or is too old."""
    share: Number | None
    """Of the table, 0 to 1."""
    counted_at: Moment | None
    """When `find` was counted last, whatever came of it."""
    seconds: Seconds | None
    """One evaluation of `find`."""
    error: TextOrNull
    """Why `find` could not be counted; null where it could."""
    decision: DecisionView | None
    """Null before the first."""
    suspended: bool
    """It does not start by itself until `resume`, as after an undo."""
    suspended_reason: TextOrNull
    breaker: RepairBreaker
    last_run: int | None
    """Its newest run."""


class Repairs(Answer):
    """What is configured, in the order of the configuration."""

    repairs: tuple[Repair, ...]


class RepairDecision(Answer):
    """What was decided about a repair, from this moment on."""

    decided_at: Moment
    kind: str
    code: str
    reason: str


class RepairPast(Answer):
    """One repair, and how the decisions about it changed."""

    repair: Repair
    decisions: tuple[RepairDecision, ...]
    """The newest first, at most `limit`."""


class WouldMend(Answer):
    """What a run would do now; nothing was changed."""

    would_mend: Count
    """Rows, at most `max_rows_per_run`."""
    named: Count
    """Rows that `find` names."""
    share: Number
    """Of the table, 0 to 1."""
    action: Literal["insert", "update", "delete"]
    table: str
    keys: tuple[dict[str, object], ...]
    """Of the first rows, column by column."""
    refused: TextOrNull
    """Why the breaker would refuse it; null where nothing does."""


class NothingToMend(Answer):
    """`find` names no row: no run was started."""

    mended: Literal[0] = 0
    run_id: None = None


def repair_answer(status: Status, one: RepairStatus, now: float) -> Repair:
    """A repair as it stands at `now` on the monotonic clock."""
    count, pending = one.count, pending_rows(status, one, now)
    decision = None
    if one.decision is not None:
        decision = DecisionView.model_validate(one.decision)
        decision = decision.model_copy(update={"decided_at": one.decided_at})
    return Repair.model_validate(
        {
            "name": one.name,
            "check": one.check,
            "action": one.action,
            "table": one.table,
            "mode": "heal" if one.heals else "observe",
            "would_mend": pending,
            "share": None if count is None or pending is None else count.share,
            "counted_at": one.counted_at,
            "seconds": None if count is None else count.seconds,
            "error": None if count is None else count.error,
            "decision": decision,
            "suspended": one.own.suspended,
            "suspended_reason": one.own.suspended_reason,
            "breaker": RepairBreaker.model_validate(one.own),
            "last_run": one.newest_run or None,
        }
    )


async def list_repairs(call: PlainCall) -> Repairs:
    """What is configured, and what each would mend now.

    From memory: what `find` named when the leader counted it last, which is after each run of the
    check.
    """
    status, now = call.context.board.current, call.context.clock()
    found = (repair_answer(status, one, now) for one in status.repairs.values())
    return Repairs(repairs=tuple(found))


async def get_repair(call: Call[RepairPage, NoBody]) -> RepairPast:
    """One repair with its history.

    How it stands, and how the decisions about it changed: one that stays the same is told once.
    """
    status = call.context.board.current
    one = known_repair(status, call.parameters.name)
    found = await call.context.commands.repair_decisions(one.name, limit=call.parameters.limit)
    return RepairPast.model_validate(
        {"repair": repair_answer(status, one, call.context.clock()), "decisions": found}
    )


async def mend(call: Call[RepairParameters, MendBody]) -> Replied:
    """Start a repair.

    Plans it and goes on in the background, whatever its mode and the outcome of its check; a
    breaker refuses it all the same. `dry_run` evaluates `find` and changes nothing.
    """
    one, commands = (
        known_repair(call.context.board.current, call.parameters.name),
        call.context.commands,
    )
    if call.body.dry_run:
        return WouldMend.model_validate(await commands.would_mend(one.name))
    started = await commands.mend(one.name)
    return NothingToMend() if started is None else Reply(Accepted(run_id=started), status=202)


def known_repair(status: Status, name: str) -> RepairStatus:
    """The configured repair. Raises ApiError 404."""
    if name not in status.repairs:
        raise ApiError("unknown_repair", f"There is no repair {name[:60]}; see /api/repairs.")
    return status.repairs[name]
