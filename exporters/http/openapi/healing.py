"""The calls about healing: how it stands, the kill switch, the breaker."""

from __future__ import annotations

from aiohttp import hdrs

from exporters.http.models import EmptyBody, PauseBody
from exporters.http.openapi.parts import Body, Call, Calls, Reply, Tag
from exporters.http.openapi.replies import BAD_QUERY, BODY_REPLIES, DATABASE_REPLIES, INTERNAL
from exporters.http.shapes.healing import (
    Breaker,
    BreakerClosed,
    Decided,
    Healing,
    Paused,
    Resumed,
)
from monitor.policy import Code, Verdict

_MOMENT = "2026-01-31T12:00:00.000Z"
_NOTHING = Body(EmptyBody, "Nothing, or an empty object.", {"empty": {}})
_BROKEN = "60 % of the pairs are legacy, more than the 50 % of max_share."

CALLS: Calls = {
    (hdrs.METH_GET, "/api/healing"): Call(
        "getHealing",
        Tag.HEALING,
        "How healing stands",
        "From memory: the last decision with its reason, pause, suspension, breaker.",
        (
            Reply(
                200,
                "How it stands.",
                Healing,
                {
                    "breaker": Healing(
                        mode="heal",
                        decision=Decided(
                            kind=Verdict.REFUSED,
                            code=Code.MAX_SHARE,
                            reason=f"The breaker is open since 2026-01-31 12:00 UTC: {_BROKEN}",
                            decided_at=_MOMENT,
                        ),
                        paused=False,
                        paused_reason=None,
                        suspended=False,
                        suspended_reason=None,
                        breaker=Breaker(
                            open=True,
                            code="max_share",
                            reason=_BROKEN,
                            since=_MOMENT,
                            reset_at=None,
                            accepted_share=None,
                        ),
                        recurring=0,
                    )
                },
            ),
            BAD_QUERY,
            INTERNAL,
        ),
    ),
    (hdrs.METH_POST, "/api/healing/pause"): Call(
        "pause",
        Tag.HEALING,
        "The kill switch",
        "Nobody writes from now on: no automatic run, no run by hand, no undo. Every replica obeys"
        " before its next batch.",
        (
            Reply(200, "Paused.", Paused, {"paused": Paused(paused=True, reason="deploy")}),
            *BODY_REPLIES,
            *DATABASE_REPLIES,
        ),
        body=Body(PauseBody, "Why, for whoever asks.", {"deploy": {"reason": "deploy"}}),
    ),
    (hdrs.METH_POST, "/api/healing/resume"): Call(
        "resume",
        Tag.HEALING,
        "End a pause, and a suspension",
        "Healing goes on; the loop counts and decides at once.",
        (
            Reply(200, "Resumed.", Resumed, {"resumed": Resumed(paused=False, suspended=False)}),
            *BODY_REPLIES,
            *DATABASE_REPLIES,
        ),
        body=_NOTHING,
    ),
    (hdrs.METH_POST, "/api/healing/reset-breaker"): Call(
        "resetBreaker",
        Tag.HEALING,
        "Close the breaker",
        "For a person who has looked. The legacy share of the newest census is accepted until it"
        " has fallen.",
        (
            Reply(
                200,
                "Closed.",
                BreakerClosed,
                {
                    "closed": BreakerClosed(
                        breaker_open=False,
                        was_open=True,
                        code="max_share",
                        reason=_BROKEN,
                        since=_MOMENT,
                        accepted_share=0.6,
                    )
                },
            ),
            *BODY_REPLIES,
            *DATABASE_REPLIES,
        ),
        body=_NOTHING,
    ),
}
