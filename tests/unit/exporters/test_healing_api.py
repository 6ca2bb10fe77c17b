"""/api/healing: how healing stands, and the breaker."""

from __future__ import annotations

from monitor.policy.decision import Code, Decision, Verdict
from monitor.state.control import Control
from tests.support.builders import NOON
from tests.unit.exporters.serving import ADMIN, Served

OPEN = Control(
    breaker_open=True,
    breaker_code="loss",
    breaker_reason="All of it vanished.",
    breaker_at=NOON,
    accepted_share=0.7,
)
NOON_TEXT = "2026-01-31T12:00:00.000Z"


async def test_an_open_breaker_says_why_and_since_when(served: Served) -> None:
    decision = Decision(Verdict.REFUSED, Code.LOSS, "The breaker is open.")
    served.board.update(control=OPEN, decision=decision, decided_at=NOON, recurring=36)
    async with served.client.get("/api/healing", headers=ADMIN) as response:
        answer = await response.json()
    assert response.status == 200
    assert answer["breaker"] == {
        "open": True,
        "code": "loss",
        "reason": "All of it vanished.",
        "since": NOON_TEXT,
        "reset_at": None,
        "accepted_share": 0.7,
    }
    assert answer["decision"] == {
        "kind": "refused",
        "code": "loss",
        "reason": "The breaker is open.",
        "decided_at": NOON_TEXT,
    }
    assert (answer["mode"], answer["paused"], answer["recurring"]) == ("heal", False, 36)


async def test_before_the_first_decision_there_is_none_to_show(served: Served) -> None:
    served.board.update(control=Control(), decision=None)
    async with served.client.get("/api/healing", headers=ADMIN) as response:
        answer = await response.json()
    assert answer["decision"] is None
    assert answer["breaker"]["open"] is False
    assert answer["breaker"]["reason"] is None


async def test_a_reset_is_passed_on_and_says_what_was_accepted(served: Served) -> None:
    async with served.client.post("/api/healing/reset-breaker", headers=ADMIN) as response:
        assert await response.json() == {
            "breaker_open": False,
            "was_open": True,
            "code": "max_share",
            "reason": "Too much.",
            "since": NOON_TEXT,
            "accepted_share": 0.6,
        }
    assert served.commands.asked == [("reset_breaker",)]
