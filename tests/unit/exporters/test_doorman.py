"""How often: failed attempts and backfills are limited and counted; a right token always passes."""

from __future__ import annotations

import pytest

from exporters.api import Keyring, Tokens
from exporters.api.app import ROUTES
from exporters.api.doorman import FAILURES_AT_ONCE
from exporters.api.tokens import Access
from tests.unit.exporters.serving import ADMIN, ALL_TOKENS, BACKFILL, Served, bearer, serving

PAUSE = "/api/healing/pause"
WRONG = bearer("a-token-that-nobody-has")

# What each role may: the table of the contract. A stranger holds no token.
MAY = {
    Access.PUBLIC: {"stranger", "wrong", "read", "alert", "app", "admin"},
    Access.READ: {"read", "app", "admin"},
    Access.BACKFILL: {"app", "admin"},
    Access.ALERT: {"alert", "admin"},
    Access.ADMIN: {"admin"},
}
HOLDERS: dict[str, dict[str, str]] = {
    "stranger": {},
    "wrong": WRONG,
    "read": bearer("the-reader"),
    "alert": bearer("the-alert"),
    "app": bearer("the-app"),
    "admin": ADMIN,
}
NOT_LET_IN = {"stranger": {401}, "wrong": {401, 429}}
"""The others are known, and forbidden."""


async def refused(served: Served, reason: str) -> float:
    """The total of one reason, as a scrape says it."""
    async with served.client.get("/metrics", headers=ADMIN) as response:
        [line] = [
            line
            for line in (await response.text()).splitlines()
            if line.startswith(f'conservator_http_refused_total{{reason="{reason}"}}')
        ]
    return float(line.rpartition(" ")[2])


@pytest.mark.parametrize("holder", HOLDERS)
async def test_every_route_lets_in_whom_the_contract_names_and_nobody_else(holder: str) -> None:
    async with serving() as served:
        for method, path, access, _ in ROUTES:
            before = list(served.commands.asked)
            url = path.format(run_id=12, name="census", user_id="U", id="12")
            async with served.client.request(method, url, headers=HOLDERS[holder]) as response:
                let_in = response.status not in {401, 403, 429}
                assert let_in == (holder in MAY[access]), (method, path, response.status)
                if not let_in:
                    assert response.status in NOT_LET_IN.get(holder, {403}), (method, path)
                    assert served.commands.asked == before


async def test_guesses_are_answered_with_a_time_to_wait_once_there_are_too_many() -> None:
    async with serving() as served:
        statuses = []
        for _ in range(FAILURES_AT_ONCE + 3):
            async with served.client.post(PAUSE, headers=WRONG) as response:
                statuses.append(response.status)
                wait = response.headers.get("Retry-After")
        assert statuses == [401] * FAILURES_AT_ONCE + [429] * 3
        assert wait is not None
        assert 1 <= int(wait) <= 6
        assert await refused(served, "unknown_token") == FAILURES_AT_ONCE
        assert await refused(served, "too_many_failures") == 3


async def test_the_right_token_passes_whatever_others_behind_the_address_have_tried() -> None:
    async with serving() as served:
        for _ in range(FAILURES_AT_ONCE * 3):
            async with served.client.post(PAUSE, headers=WRONG):
                pass
        async with served.client.post(PAUSE, headers=ADMIN) as response:
            assert response.status == 200


async def test_who_presents_no_token_is_counted_but_is_no_guesser() -> None:
    async with serving() as served:
        for _ in range(FAILURES_AT_ONCE * 2):
            async with served.client.post(PAUSE) as response:
                assert response.status == 401
        assert await refused(served, "no_token") == FAILURES_AT_ONCE * 2
        assert await refused(served, "unknown_token") == 0


async def test_a_token_that_may_not_is_counted_as_forbidden() -> None:
    async with serving() as served:
        async with served.client.post(PAUSE, headers=bearer("the-app")) as response:
            assert response.status == 403
        assert await refused(served, "forbidden") == 1


async def test_backfills_of_one_client_are_limited_and_nothing_else_is() -> None:
    async with serving(backfills_per_minute=60) as served:
        statuses = []
        for _ in range(8):
            body = {"user_id": "U", "dry_run": True}
            async with served.client.post(
                BACKFILL, json=body, headers=bearer("the-app")
            ) as response:
                statuses.append(response.status)
        assert statuses[:6] == [200] * 6
        assert 429 in statuses
        async with served.client.get("/api/artworks/stats", headers=ADMIN) as response:
            assert response.status == 200
        assert await refused(served, "too_many_backfills") >= 1


async def test_replaced_tokens_are_in_force_at_the_next_call() -> None:
    keyring = Keyring(ALL_TOKENS)
    async with serving(keyring) as served:
        keyring.current = Tokens(admin="another-admin", read="the-reader")
        for token, expected in (("the-admin", 401), ("another-admin", 200)):
            async with served.client.post(PAUSE, headers=bearer(token)) as response:
                assert response.status == expected
        everyone = {"all": True, "dry_run": True}
        async with served.client.post(
            BACKFILL, json=everyone, headers=bearer("another-admin")
        ) as response:
            assert response.status == 200


@pytest.mark.parametrize("path", ["/", "/healthz", "/nowhere", "/api/runs/x", "/metrics"])
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
async def test_every_answer_is_hardened_names_its_request_and_opens_nothing_to_other_origins(
    path: str, method: str
) -> None:
    async with serving() as served:
        asked = {**ADMIN, "Origin": "https://example.org", "Access-Control-Request-Method": "GET"}
        async with served.client.request(method, path, headers=asked) as response:
            headers = response.headers
        assert not [name for name in headers if name.startswith("Access-Control-")]
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert headers["Server"] == "conservator"
        assert "Strict-Transport-Security" not in headers
        assert len(headers["X-Request-ID"]) == 32


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("0af7651916cd43dd8448eb211c80319c", True),
        ("trace-1.span_2", True),
        ("short", False),
        ("x" * 65, False),
        ('{"event": "forged"}', False),
        ("has blanks in it", False),
    ],
)
async def test_a_sane_request_id_is_kept_and_any_other_replaced(given: str, kept: bool) -> None:
    asked = {"X-Request-ID": given}
    async with serving() as served, served.client.get("/healthz", headers=asked) as response:
        assert (response.headers["X-Request-ID"] == given) == kept
