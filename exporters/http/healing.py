"""/api/healing: how healing stands, the kill switch, the breaker."""

from __future__ import annotations

from exporters.http.requests import EmptyBody, NoParameters, PauseBody
from exporters.http.responses import (
    Breaker,
    BreakerClosed,
    DecisionView,
    Healing,
    Paused,
    Resumed,
)
from exporters.http.routing import Call, PlainCall


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


async def resume(call: Call[NoParameters, EmptyBody]) -> Resumed:
    """End a pause, and a suspension.

    Healing goes on; the loop counts and decides at once.
    """
    await call.context.commands.resume()
    return Resumed()


async def reset_breaker(call: Call[NoParameters, EmptyBody]) -> BreakerClosed:
    """Close the breaker.

    For a person who has looked. The legacy share of the newest census is accepted until it has
    fallen.
    """
    return BreakerClosed.model_validate(await call.context.commands.reset_breaker())
