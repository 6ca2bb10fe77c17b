"""/api/artworks: counts from memory and live, backfills, refusals."""

from __future__ import annotations

import pytest

from checks.errors import (
    CatalogueError,
    DatabaseUnavailableError,
    RefusedError,
    StatementError,
    UnknownUserError,
)
from monitor.commands import UserBackfill
from monitor.healing.errors import ActiveRunError, HealRefusedError, PausedError
from monitor.policy.decision import Code, Decision, Verdict
from tests.support.builders import a_census, a_suspicion, an_examination
from tests.unit.exporters.serving import ADMIN, BACKFILL, Served

STATS = "/api/artworks/stats"


async def get(served: Served, path: str) -> tuple[int, dict[str, object]]:
    async with served.client.get(path, headers=ADMIN) as response:
        return response.status, await response.json()


async def post(served: Served, body: object) -> tuple[int, dict[str, object]]:
    async with served.client.post(BACKFILL, json=body, headers=ADMIN) as response:
        return response.status, await response.json()


def code(answer: dict[str, object]) -> object:
    error = answer["error"]
    assert isinstance(error, dict)
    return error["code"]


async def test_the_counts_are_those_of_the_last_census(served: Served) -> None:
    assert await get(served, STATS) == (
        200,
        {
            "fresh": 1,
            "storage": 2,
            "legacy_untracked": 6,
            "tracked": 41,
            "as_of": "2026-01-31T12:00:00.000Z",
            "suspicions": [],
        },
    )
    assert served.commands.asked == []


@pytest.mark.parametrize("query", ["", "?user_id=U"])
async def test_counts_are_told_with_what_is_suspected_of_them(served: Served, query: str) -> None:
    other = a_suspicion(accepted_as="some_are_unread")
    served.board.update(
        examination=an_examination(a_suspicion(), a_suspicion(subject="art"), other)
    )
    status, answer = await get(served, f"{STATS}{query}")
    assert status == 200
    assert answer["suspicions"] == ["nobody_crosses_studio_id", "some_are_unread"]


async def test_there_are_no_counts_before_the_first_census(served: Served) -> None:
    served.board.update(census=None, census_monotonic=None)
    status, answer = await get(served, STATS)
    assert (status, code(answer)) == (503, "no_census")


async def test_stale_counts_are_not_given_away(served: Served) -> None:
    served.clock.past_staleness()
    status, answer = await get(served, STATS)
    assert (status, code(answer)) == (503, "stale_census")


async def test_one_users_counts_are_live_even_when_the_census_is_stale(served: Served) -> None:
    served.clock.past_staleness()
    status, answer = await get(served, f"{STATS}?user_id=a%20b")
    assert (status, answer["legacy_untracked"], answer["tracked"]) == (200, 2, 3)
    assert served.commands.asked == [("user_census", "a b")]


async def test_an_unknown_user_has_no_counts(served: Served) -> None:
    served.commands.error = UnknownUserError("No user has the id 'U'.")
    status, answer = await get(served, f"{STATS}?user_id=U")
    assert (status, answer) == (
        404,
        {"error": {"code": "unknown_user", "message": "No user has the id 'U'."}},
    )


@pytest.mark.parametrize(
    "query", ["user_id=", "user_id=a&user_id=b", "userid=U", "user_id=" + "x" * 2701]
)
async def test_a_query_that_may_be_misread_is_refused(served: Served, query: str) -> None:
    status, answer = await get(served, f"{STATS}?{query}")
    assert (status, code(answer)) == (400, "bad_request")
    assert served.commands.asked == []


async def test_a_backfill_says_what_it_wrote_and_in_which_run(served: Served) -> None:
    assert await post(served, {"user_id": "U"}) == (200, {"updated": 6, "run_id": 12})
    assert served.commands.asked == [("backfill_user", "U", False)]


async def test_a_repeated_backfill_is_skipped(served: Served) -> None:
    served.commands.done = UserBackfill(0, None, skipped=True)
    assert await post(served, {"user_id": "U"}) == (200, {"updated": 0, "skipped": True})


async def test_a_backfill_with_nothing_to_write_has_no_run(served: Served) -> None:
    served.commands.done = UserBackfill(0, None, skipped=False)
    assert await post(served, {"user_id": "U"}) == (200, {"updated": 0, "run_id": None})


async def test_force_and_dry_run_are_handed_on(served: Served) -> None:
    await post(served, {"user_id": "U", "force": True, "all": False})
    assert await post(served, {"user_id": "U", "dry_run": True}) == (200, {"would_update": 6})
    assert served.commands.asked == [("backfill_user", "U", True), ("would_backfill_user", "U")]


@pytest.mark.parametrize(
    ("given", "asked"), [(7, "7"), (-1, "-1"), (10**30, "1" + "0" * 30), (" ", " "), ("ü", "ü")]
)
async def test_ids_may_be_text_or_integers(served: Served, given: object, asked: str) -> None:
    assert (await post(served, {"user_id": given}))[0] == 200
    assert served.commands.asked == [("backfill_user", asked, False)]


async def test_everyone_is_backfilled_in_the_background(served: Served) -> None:
    assert await post(served, {"all": True}) == (202, {"run_id": 13})
    assert served.commands.asked == [("backfill_all",)]


async def test_without_anything_to_heal_no_run_is_started(served: Served) -> None:
    served.commands.started_run = None
    assert await post(served, {"all": True}) == (200, {"updated": 0, "run_id": None})


async def test_a_dry_run_over_everyone_reads_the_last_census(served: Served) -> None:
    served.board.update(census=a_census(legacy_untracked=777))
    body = {"all": True, "dry_run": True}
    assert await post(served, body) == (200, {"would_update": 777})
    served.clock.past_staleness()
    status, answer = await post(served, body)
    assert (status, code(answer)) == (503, "stale_census")
    assert served.commands.asked == []


@pytest.mark.parametrize(
    ("error", "status", "expected"),
    [
        (UnknownUserError("No such user."), 404, "unknown_user"),
        (PausedError("Paused: fire."), 409, "paused"),
        (ActiveRunError("Run 3 is active."), 409, "active_run"),
        (
            HealRefusedError(Decision(Verdict.REFUSED, Code.MAX_SHARE, "Too much.")),
            409,
            "breaker_open",
        ),
        (
            HealRefusedError(Decision(Verdict.REFUSED, Code.CATALOGUE, "No unique index.")),
            409,
            "healing_blocked",
        ),
        (RefusedError("No."), 409, "refused"),
        (DatabaseUnavailableError("Gone."), 503, "database_unavailable"),
        (StatementError("Refused (42501)."), 500, "statement"),
        (CatalogueError("No unique index."), 500, "catalogue"),
        (RuntimeError("secret /etc/passwd"), 500, "internal"),
    ],
)
@pytest.mark.parametrize("body", [{"user_id": "U"}, {"all": True}])
async def test_refusals_and_troubles_have_their_own_status_and_code(
    served: Served, body: object, error: Exception, status: int, expected: str
) -> None:
    served.commands.error = error
    answered, answer = await post(served, body)
    assert (answered, code(answer)) == (status, expected)
    assert "secret" not in str(answer)


async def test_a_census_whose_interval_nobody_knows_is_not_current(served: Served) -> None:
    served.board.update(checks={})
    assert (await get(served, STATS))[0] == 503
