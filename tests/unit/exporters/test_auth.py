"""Wrong tokens and backfills are limited for each client, counted, and never lock out."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from checks.errors import BusyError
from exporters.http.auth import MAX_FAILURES, Tokens
from tests.unit.exporters.serving import (
    ADMIN,
    BACKFILL,
    Served,
    authorizer_of,
    bearer,
    refused,
    serving,
)

WRONG = bearer("the-wrong-one")
PAUSE = "/api/healing/pause"


async def status(served: Served, path: str, headers: dict[str, str] | None = None) -> int:
    async with served.client.post(path, headers=headers, json={}) as response:
        return response.status


async def test_after_too_many_wrong_tokens_it_says_when_to_come_back(served: Served) -> None:
    for _ in range(MAX_FAILURES):
        assert await status(served, PAUSE, WRONG) == 401
    async with served.client.post(PAUSE, headers=WRONG, json={}) as response:
        assert response.status == 429
        assert response.headers["Retry-After"] == "3"
        error = (await response.json())["error"]
    assert error["code"] == "too_many_failures"
    assert error["message"] == "Too many wrong tokens from this client: try again in 3 s."
    served.clock.now += 3
    assert await status(served, PAUSE, WRONG) == 401
    assert await status(served, PAUSE, WRONG) == 429


async def test_the_right_token_is_let_in_whatever_others_tried(served: Served) -> None:
    for _ in range(MAX_FAILURES + 5):
        await status(served, PAUSE, WRONG)
    assert await status(served, PAUSE, ADMIN) == 200
    async with served.client.get("/healthz") as response:
        assert response.status == 200


async def test_a_wrong_token_counts_even_where_none_is_needed() -> None:
    async with serving(Tokens(admin="the-admin")) as served:
        for _ in range(MAX_FAILURES):
            async with served.client.get("/api/checks", headers=WRONG) as response:
                assert response.status == 200
        async with served.client.get("/api/checks", headers=WRONG) as response:
            assert response.status == 429
        async with served.client.get("/api/checks") as response:
            assert response.status == 200


async def test_backfills_of_one_client_are_limited_for_each_kind_of_token() -> None:
    async with serving(backfills_a_minute=3) as served:
        user = {"user_id": "U"}
        for _ in range(3):
            async with served.client.post(BACKFILL, json=user, headers=ADMIN) as response:
                assert response.status == 200
        async with served.client.post(BACKFILL, json=user, headers=ADMIN) as response:
            assert (response.status, response.headers["Retry-After"]) == (429, "20")
            assert (await response.json())["error"]["code"] == "too_many_backfills"
        async with served.client.post(BACKFILL, json=user, headers=bearer("the-app")) as response:
            assert response.status == 200
        served.clock.now += 20
        async with served.client.post(BACKFILL, json=user, headers=ADMIN) as response:
            assert response.status == 200
        assert len([call for call in served.commands.asked if call[0] == "backfill_user"]) == 5


async def test_without_a_limit_any_number_may_come() -> None:
    async with serving(backfills_a_minute=None) as served:
        for _ in range(50):
            async with served.client.post(
                BACKFILL, json={"user_id": "U"}, headers=ADMIN
            ) as response:
                assert response.status == 200


async def test_what_was_turned_away_is_counted_by_reason() -> None:
    async with serving(backfills_a_minute=1) as served:
        assert set((await refused(served)).values()) == {0.0}
        await status(served, PAUSE)
        await status(served, PAUSE, WRONG)
        await status(served, PAUSE, bearer("the-app"))
        for _ in range(2):
            async with served.client.post(BACKFILL, json={"user_id": "U"}, headers=ADMIN):
                pass
        served.commands.error = BusyError("Too many questions wait already.")
        async with served.client.get("/api/runs", headers=ADMIN) as response:
            assert (response.status, response.headers["Retry-After"]) == (503, "1")
            assert (await response.json())["error"]["code"] == "busy"
        assert await refused(served) == {
            "no_token": 1.0,
            "wrong_token": 1.0,
            "forbidden": 1.0,
            "too_many_failures": 0.0,
            "too_many_backfills": 1.0,
            "too_many_connections": 0.0,
            "busy": 1.0,
        }


async def test_tokens_are_exchanged_while_it_serves(served: Served) -> None:
    assert await status(served, PAUSE, ADMIN) == 200
    authorizer_of(served).tokens = Tokens(admin="another-admin")
    assert await status(served, PAUSE, ADMIN) == 401
    assert await status(served, PAUSE, bearer("another-admin")) == 200


@pytest.mark.parametrize("given", ["from-the-proxy.1", None, "no good", "x" * 65, "ü", ""])
async def test_every_answer_has_an_id_that_its_log_line_has_too(
    served: Served, given: str | None
) -> None:
    headers = ADMIN if given is None else ADMIN | {"X-Request-ID": given}
    with capture_logs() as logs:
        async with served.client.get("/api/runs/12?after=3", headers=headers) as response:
            found = response.headers["X-Request-ID"]
    taken = given == "from-the-proxy.1"
    assert (found == given) is taken
    assert taken or (len(found) == 32 and found.isalnum())
    [line] = [log for log in logs if log["event"] == "request"]
    assert dict(line) == dict(line) | {
        "method": "GET",
        "route": "/api/runs/{run_id}",
        "status": 404,
        "role": "admin",
        "client": "127.0.0.1",
    }
    assert set(line) - {"log_level"} == {
        "event", "method", "route", "status", "seconds", "bytes", "client", "role"
    }  # fmt: skip
    assert line["bytes"] > 0


async def test_no_log_line_holds_a_token_a_query_or_an_id(served: Served) -> None:
    secrets = ["the-admin", "the-wrong-one", "user-4711", "mistyped-secret"]
    with capture_logs() as logs:
        for path in ("/api/artworks/stats?user_id=user-4711", "/mistyped-secret", "/api/runs"):
            for headers in (ADMIN, WRONG):
                async with served.client.get(path, headers=headers):
                    pass
    assert len([log for log in logs if log["event"] == "request"]) == 6
    assert not [secret for secret in secrets if secret in repr(logs)]


async def test_nobody_elses_page_may_read_what_it_answers(served: Served) -> None:
    """No CORS: a browser keeps every answer from other origins' scripts."""
    asked = ADMIN | {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "POST"}
    for path in ("/api/checks", PAUSE, "/", "/nothing-here"):
        for method in ("GET", "OPTIONS", "POST"):
            async with served.client.request(method, path, headers=asked) as response:
                assert not [h for h in response.headers if h.lower().startswith("access-control")]
                assert response.headers["X-Content-Type-Options"] == "nosniff"
                assert response.headers["X-Frame-Options"] == "DENY"
                assert response.headers["Referrer-Policy"] == "no-referrer"
                assert "default-src 'none'" in response.headers["Content-Security-Policy"]
                assert "Strict-Transport-Security" not in response.headers
                assert response.headers["X-Request-ID"]
