"""POST /api/runs/{id}/undo: accepted, refused, or only looked at."""

from __future__ import annotations

import pytest

from checks.errors import ConservatorError
from monitor.healing.errors import ActiveRunError, NotUndoableError, PausedError
from monitor.state.runs import RunKind, UnknownRunError
from tests.support.builders import a_run
from tests.unit.exporters.serving import ADMIN, Served, bearer

UNDO = "/api/runs/12/undo"


async def post(
    served: Served, body: object = None, path: str = UNDO, headers: dict[str, str] = ADMIN
) -> tuple[int, dict[str, object]]:
    async with served.client.post(path, json=body, headers=headers) as response:
        return response.status, await response.json()


async def test_an_undo_is_accepted_and_goes_on_in_the_background(served: Served) -> None:
    assert await post(served) == (202, {"run_id": 13})
    async with served.client.post(UNDO, headers=ADMIN) as response:
        assert response.status == 202
    assert served.commands.asked == [("undo", 12), ("undo", 12)]


async def test_with_nothing_to_take_back_nothing_is_accepted(served: Served) -> None:
    served.commands.started_run = None
    assert await post(served, {}) == (200, {"undone": 0, "run_id": None})


async def test_a_dry_run_only_counts(served: Served) -> None:
    assert await post(served, {"dry_run": True}) == (
        200,
        {"would_undo": 6, "touched": 2, "gone": 1},
    )
    assert served.commands.asked == [("would_undo", 12)]


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (UnknownRunError("There is no run 12."), 404, "unknown_run"),
        (ActiveRunError("Run 12 is still active."), 409, "active_run"),
        (PausedError("Paused."), 409, "paused"),
        (NotUndoableError("Run 12 is an undo itself."), 409, "not_undoable"),
    ],
)
async def test_a_refusal_says_why(
    served: Served, error: ConservatorError, status: int, code: str
) -> None:
    served.commands.error = error
    for body in ({}, {"dry_run": True}):
        answer = (status, {"error": {"code": code, "message": str(error)}})
        assert await post(served, body) == answer


@pytest.mark.parametrize("body", [{"dry_run": "yes"}, {"force": True}, [], {"dry_run": None}])
async def test_a_body_that_is_none_is_refused(served: Served, body: object) -> None:
    assert (await post(served, body))[0] == 400
    assert served.commands.asked == []


@pytest.mark.parametrize("number", ["0", "x", "9" * 19])
async def test_what_can_not_be_a_run_is_not_found(served: Served, number: str) -> None:
    status, answer = await post(served, path=f"/api/runs/{number}/undo")
    assert (status, answer["error"]["code"]) == (404, "unknown_run")  # type: ignore[index]
    assert served.commands.asked == []


@pytest.mark.parametrize("caller", ["the-app", "the-alert", "the-reader", "wrong"])
async def test_only_the_admin_takes_back(served: Served, caller: str) -> None:
    for body in ({}, {"dry_run": True}):
        assert (await post(served, body, headers=bearer(caller)))[0] in {401, 403}
    assert served.commands.asked == []


async def test_an_undo_says_which_run_it_takes_back(served: Served) -> None:
    served.commands.found_runs = (a_run(id=13, kind=RunKind.UNDO, undoes=12), a_run(id=12))
    async with served.client.get("/api/runs", headers=ADMIN) as response:
        runs = (await response.json())["runs"]
    assert [(run["id"], run["undoes"]) for run in runs] == [(13, 12), (12, None)]
