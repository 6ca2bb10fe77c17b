"""/api/healing: how healing stands, the kill switch, the breaker. And POST /api/alerts,
Alertmanager's webhook: an alert only wakes the loop, which counts for itself.

Whatever a notification says, no number of it is believed, and nothing of it is kept: pause, breaker
and cooldown are obeyed by whoever decides.
"""

from __future__ import annotations

from typing import Literal

import structlog
from pydantic import Field

from exporters.http.errors import ApiError
from exporters.http.requests import (
    AlertBody,
    AlertsBody,
    AnyParameters,
    NoParameters,
    PauseBody,
    SwitchBody,
)
from exporters.http.responses import Answer, Count, Moment, Number, TextOrNull
from exporters.http.routing import Call, PlainCall, Replied
from monitor.policy.decision import Code, Verdict

log = structlog.get_logger(__name__)

FIRING = "firing"
WAKING = "ConservatorLegacyUntracked"
"""The alert that healing answers."""


class DecisionView(Answer):
    """The last decision."""

    kind: Verdict
    code: Code
    """Why, as a word."""
    reason: str
    """Why, as a sentence."""
    decided_at: Moment | None = None


class BreakerState(Answer):
    """Open or closed, and why."""

    open: bool = Field(validation_alias="breaker_open")
    code: TextOrNull = Field(validation_alias="breaker_code")
    reason: TextOrNull = Field(validation_alias="breaker_reason")
    since: Moment | None = Field(validation_alias="breaker_at")
    reset_at: Moment | None = Field(validation_alias="breaker_reset_at")
    """When a person last reset it."""


class Breaker(BreakerState):
    """Healing stops by itself where the numbers look wrong, until a person has looked."""

    accepted_share: Number | None
    """The legacy share, 0 to 1, that was accepted then, until it has fallen."""


class Healing(Answer):
    """How healing stands."""

    mode: Literal["observe", "heal"]
    """`observe`: only a person heals."""
    decision: DecisionView | None
    """Null before the first."""
    paused: bool
    """The kill switch: nobody writes."""
    paused_reason: TextOrNull
    suspended: bool
    """Automatic healing is off; runs by hand work."""
    suspended_reason: TextOrNull
    breaker: Breaker
    recurring: Count
    """Pairs that appeared within 24 hours although their users had been healed: impressions vanish,
    or are not recorded."""


class Paused(Answer):
    """Nobody writes from now on."""

    paused: Literal[True] = True
    reason: str


class Resumed(Answer):
    """Pause and suspension have ended."""

    paused: Literal[False] = False
    suspended: Literal[False] = False


class BreakerClosed(Answer):
    """The breaker is closed."""

    breaker_open: Literal[False] = False
    was_open: bool
    """False: it was closed, and nothing was changed."""
    code: TextOrNull
    """What it had opened for."""
    reason: TextOrNull
    since: Moment | None
    accepted_share: Number | None
    """The legacy share that is accepted until it has fallen; null where it was not too large."""


class RepairResumed(Answer):
    """The repair is not suspended."""

    repair: str
    suspended: Literal[False] = False
    was_suspended: bool
    """False: nothing was changed."""


class RepairBreakerClosed(Answer):
    """The repair's breaker is closed."""

    repair: str
    breaker_open: Literal[False] = False
    was_open: bool
    """False: it was closed, and nothing was changed."""
    code: TextOrNull
    """What it had opened for."""
    reason: TextOrNull
    since: Moment | None
    accepted_rows: int | None
    """So many rows are accepted until `find` names few enough again; null where they were not too
    many."""


class Received(Answer):
    """What became of a notification."""

    woken: bool
    """The leader counts and decides now; where it is another replica, within five seconds."""
    firing: Count
    """Alerts of it that fire."""
    resolved: Count


async def get_healing(call: PlainCall) -> Healing:
    """How healing stands.

    From memory: the last decision with its reason, pause, suspension, breaker.
    """
    status = call.context.board.current
    control, decision = status.control, None
    if status.decision is not None:
        decision = DecisionView.model_validate(status.decision)
        decision = decision.model_copy(update={"decided_at": status.decided_at})
    return Healing(
        mode="observe" if call.context.observe else "heal",
        decision=decision,
        paused=control.paused,
        paused_reason=control.paused_reason,
        suspended=control.suspended,
        suspended_reason=control.suspended_reason,
        breaker=Breaker.model_validate(control),
        recurring=status.recurring,
    )


async def pause(call: Call[NoParameters, PauseBody]) -> Paused:
    """The kill switch.

    Nobody writes from now on: no automatic run, no run by hand, no undo. Every replica obeys before
    its next batch.
    """
    await call.context.commands.pause(call.body.reason)
    return Paused(reason=call.body.reason)


async def resume(call: Call[NoParameters, SwitchBody]) -> Replied:
    """End a pause, and a suspension.

    Healing goes on; the loop counts and decides at once. With `repair`, only the suspension of that
    repair ends.
    """
    name = _repair_of(call)
    if name is None:
        await call.context.commands.resume()
        return Resumed()
    return RepairResumed(repair=name, was_suspended=await call.context.commands.resume_repair(name))


async def reset_breaker(call: Call[NoParameters, SwitchBody]) -> Replied:
    """Close the breaker.

    For a person who has looked. The legacy share of the newest census is accepted until it has
    fallen. With `repair`, it is that repair's own breaker, and what its `find` named last is
    accepted.
    """
    name = _repair_of(call)
    if name is not None:
        done = await call.context.commands.reset_repair_breaker(name)
        return RepairBreakerClosed.model_validate(done)
    return BreakerClosed.model_validate(await call.context.commands.reset_breaker())


def _repair_of(call: Call[NoParameters, SwitchBody]) -> str | None:
    """The repair that is named, if one is. Raises ApiError 404."""
    name = call.body.repair
    if name is not None and name not in call.context.board.current.repairs:
        raise ApiError("unknown_repair", f"There is no repair {name[:60]}; see /api/repairs.")
    return name


async def notify(call: Call[AnyParameters, AlertsBody]) -> Received:
    """Alertmanager's webhook.

    Takes a notification, version 4. A firing `ConservatorLegacyUntracked` makes the leader count
    and decide now; whatever else it says is logged and not believed.
    """
    alerts = call.body.alerts
    woken = any(map(_wakes, alerts)) and await call.context.commands.wake_loop()
    for alert in alerts:
        log.info(
            "alert_received",
            alert=alert.name,
            status=alert.status,
            fingerprint=alert.fingerprint,
            starts_at=alert.starts_at.isoformat(),
            woken=woken and _wakes(alert),
        )
    firing = sum(alert.status == FIRING for alert in alerts)
    return Received(woken=woken, firing=firing, resolved=len(alerts) - firing)


def _wakes(alert: AlertBody) -> bool:
    return alert.status == FIRING and alert.name == WAKING
