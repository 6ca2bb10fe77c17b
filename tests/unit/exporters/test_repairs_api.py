"""/api/repairs: what is shown of each, starting one, and what a refusal says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from checks.errors import ConservatorError, StatementError
from monitor.healing.errors import (
    ActiveRunError,
    PausedError,
    RepairBreakerError,
    RepairRefusedError,
)
from monitor.policy.decision import Code, Decision, Verdict
from monitor.state.repairs import RepairControl, RepairCount
from tests.support.builders import NOON, a_repair, at_work, board, repairs
from tests.unit.exporters.serving import ADMIN, Served, bearer, serving

PATH = "/api/repairs/orphans"
NOON_TEXT = "2026-01-31T12:00:00.000Z"
OWN = RepairControl(
    "orphans",
    suspended=True,
    suspended_reason="run 12 was taken back",
    breaker_open=True,
    breaker_code="max_rows",
    breaker_reason="Too many.",
    breaker_at=NOON,
)


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    """Over a service with one repair."""
    async with serving(shown=board(at_work(repairs=repairs(a_repair(own=OWN))))) as one:
        yield one


async def call(
    served: Served, method: str, path: str, body: object = None, token: str = "the-admin"
) -> tuple[int, Any]:
    async with served.client.request(method, path, json=body, headers=bearer(token)) as response:
        return response.status, await response.json()


async def test_each_repair_is_shown_with_its_decision_and_what_it_would_mend(
    served: Served,
) -> None:
    status, answer = await call(served, "GET", "/api/repairs", token="the-reader")
    assert (status, served.commands.asked) == (200, [])
    [one] = answer["repairs"]
    assert one == {
        "name": "orphans",
        "check": "census",
        "action": "delete",
        "table": "user_art_impressions",
        "mode": "observe",
        "would_mend": 6,
        "share": 0.01,
        "counted_at": NOON_TEXT,
        "seconds": 0.1,
        "error": None,
        "decision": {
            "kind": "paused",
            "code": "observe",
            "reason": "Its check census fails.",
            "decided_at": NOON_TEXT,
        },
        "suspended": True,
        "suspended_reason": "run 12 was taken back",
        "breaker": {
            "open": True,
            "code": "max_rows",
            "reason": "Too many.",
            "since": NOON_TEXT,
            "reset_at": None,
            "accepted_rows": None,
        },
        "last_run": 14,
    }


async def test_what_could_not_be_counted_or_is_too_old_is_null_and_never_zero(
    served: Served,
) -> None:
    served.clock.past_staleness()
    _, answer = await call(served, "GET", "/api/repairs")
    assert answer["repairs"][0]["would_mend"] is None
    served.clock.now = 1000.0
    why = Decision(Verdict.ERROR, Code.NOT_PLANNED, "`find` fails.")
    count = RepairCount(0.1, error="`find` fails.")
    served.board.update(repairs=repairs(a_repair(count=count, decision=why)))
    _, answer = await call(served, "GET", "/api/repairs")
    [one] = answer["repairs"]
    assert (one["would_mend"], one["share"], one["error"]) == (None, None, "`find` fails.")
    assert one["decision"]["kind"] == "error"


async def test_one_repair_comes_with_how_it_was_decided(served: Served) -> None:
    status, answer = await call(served, "GET", f"{PATH}?limit=3", token="the-reader")
    assert status == 200
    assert answer["repair"]["name"] == "orphans"
    assert [one["code"] for one in answer["decisions"]] == ["observe"]
    assert served.commands.asked == [("repair_decisions", "orphans", 3)]


async def test_a_check_names_the_repairs_beside_it(served: Served) -> None:
    _, answer = await call(served, "GET", "/api/checks")
    assert [one["repairs"] for one in answer["checks"]] == [["orphans"]]


async def test_it_is_started_in_the_background_and_a_dry_run_only_looks(served: Served) -> None:
    assert await call(served, "POST", PATH) == (202, {"run_id": 13})
    assert await call(served, "POST", PATH, {"dry_run": True}) == (
        200,
        {
            "would_mend": 6,
            "named": 7,
            "share": 0.01,
            "action": "delete",
            "table": "user_art_impressions",
            "keys": [{"id": "42"}],
            "refused": None,
        },
    )
    assert served.commands.asked == [("mend", "orphans"), ("would_mend", "orphans")]
    served.commands.started_run = None
    assert await call(served, "POST", PATH) == (200, {"mended": 0, "run_id": None})


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (ActiveRunError("Run 12 is still active."), 409, "active_run"),
        (PausedError("Paused."), 409, "paused"),
        (RepairRefusedError("The breaker is open."), 409, "repair_refused"),
        (
            RepairBreakerError(Decision(Verdict.REFUSED, Code.MAX_ROWS, "Too many.")),
            409,
            "breaker_open",
        ),
        (StatementError("`find` names 2 keys twice."), 500, "statement"),
    ],
)
async def test_a_refusal_says_why(
    served: Served, error: ConservatorError, status: int, code: str
) -> None:
    served.commands.error = error
    for body in ({}, {"dry_run": True}):
        answer = (status, {"error": {"code": code, "message": str(error)}})
        assert await call(served, "POST", PATH, body) == answer


async def test_nobody_but_the_admin_may_start_one_or_see_keys(served: Served) -> None:
    for token in ("the-reader", "the-app", "the-alert"):
        status, _ = await call(served, "POST", PATH, {"dry_run": True}, token=token)
        assert status == 403
    assert served.commands.asked == []


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/api/repairs/orphan", None),
        ("POST", "/api/repairs/orphan", {}),
        ("POST", "/api/healing/resume", {"repair": "orphan"}),
        ("POST", "/api/healing/reset-breaker", {"repair": "orphan"}),
    ],
)
async def test_an_unknown_repair_is_said_to_be_unknown(
    served: Served, method: str, path: str, body: object
) -> None:
    status, answer = await call(served, method, path, body)
    assert (status, answer["error"]["code"]) == (404, "unknown_repair")
    assert served.commands.asked == []


async def test_its_suspension_and_its_breaker_end_without_touching_healing(
    served: Served,
) -> None:
    assert await call(served, "POST", "/api/healing/resume", {"repair": "orphans"}) == (
        200,
        {"repair": "orphans", "suspended": False, "was_suspended": True},
    )
    _, answer = await call(served, "POST", "/api/healing/reset-breaker", {"repair": "orphans"})
    assert answer == {
        "repair": "orphans",
        "breaker_open": False,
        "was_open": True,
        "code": "max_rows",
        "reason": "Too many.",
        "since": NOON_TEXT,
        "accepted_rows": 600,
    }
    assert served.commands.asked == [
        ("resume_repair", "orphans"),
        ("reset_repair_breaker", "orphans"),
    ]


async def test_the_page_shows_it_beside_its_check_with_its_buttons(served: Served) -> None:
    async with served.client.get("/", headers=ADMIN) as response:
        html = await response.text()
    assert "Repair orphans" in html
    assert "left to a person" in html
    assert "6 rows to mend" in html
    assert "mode observe, suspended." in html
    for part in ("api/repairs/orphans", "api/runs/14/undo", "Resume…", "Reset its breaker…"):
        assert part in html, part


CLEAN = Decision(Verdict.CLEAR, Code.CLEAN, "Its check passes.")
NOTHING = Decision(Verdict.CLEAR, Code.NOTHING_NAMED, "Its check fails.")


@pytest.mark.parametrize(
    ("decision", "count", "word"),
    [
        (CLEAN, RepairCount(0.1), 'mark fine">nothing to mend'),
        (CLEAN, RepairCount(0.1, named=6), 'mark fine">its check does not fail</span> 6 rows'),
        (CLEAN, RepairCount(0.1, error="No."), 'mark unknown">its check does not fail</span> How'),
        (NOTHING, RepairCount(0.1), 'mark unknown">find names nothing'),
    ],
)
async def test_the_page_says_nothing_to_mend_only_where_that_is_known(
    served: Served, decision: Decision, count: RepairCount, word: str
) -> None:
    served.board.update(repairs=repairs(a_repair(decision=decision, count=count)))
    async with served.client.get("/", headers=ADMIN) as response:
        assert word in await response.text()
