"""Who may call what: every route with every kind of token."""

from __future__ import annotations

import pytest
from aiohttp import hdrs

from exporters.http.auth import Role, Tokens
from exporters.http.routes import ROUTES
from tests.unit.exporters.serving import ALL_TOKENS, BACKFILL, Served, bearer, serving

BODIES: dict[str, object] = {BACKFILL: {"user_id": "U"}, "/api/healing/pause": {"reason": "x"}}
PATHS = [
    (route.method, route.path.format(run_id=12, name="census", user_id="U")) for route in ROUTES
]
READS = [path for method, path in PATHS if method == hdrs.METH_GET and path != "/healthz"]
SWITCHES = ["/api/healing/pause", "/api/healing/resume", "/api/healing/reset-breaker"]

NOBODY: dict[str, str] = {}
CALLERS = {
    "nobody": NOBODY,
    "wrong": bearer("the-admi"),
    "basic": {"Authorization": "Basic dGhlLWFkbWlu"},
    "admin": bearer("the-admin"),
    "app": bearer("the-app"),
    "alert": bearer("the-alert"),
    "reader": bearer("the-reader"),
}


async def status_of(served: Served, method: str, path: str, headers: dict[str, str]) -> int:
    """The status; anything that is an error is checked to be one in JSON."""
    body = BODIES.get(path) if method == hdrs.METH_POST else None
    async with served.client.request(method, path, json=body, headers=headers) as response:
        if response.status >= 400:
            error = (await response.json())["error"]
            assert set(error) == {"code", "message"}
            assert error["message"].endswith(".")
        if response.status == 401:
            assert response.headers["WWW-Authenticate"] == "Bearer"
        # Run 12 is unknown to the recorder: whoever hears that was let in.
        return 200 if response.status == 404 else response.status


@pytest.mark.parametrize("path", READS)
@pytest.mark.parametrize(
    ("caller", "expected"),
    [
        ("nobody", 401),
        ("wrong", 401),
        ("basic", 401),
        ("admin", 200),
        ("app", 200),
        ("alert", 403),
        ("reader", 200),
    ],
)
async def test_reads_need_a_token_that_may_read_once_there_is_a_read_token(
    served: Served, path: str, caller: str, expected: int
) -> None:
    assert await status_of(served, "GET", path, CALLERS[caller]) == expected


@pytest.mark.parametrize("path", READS)
@pytest.mark.parametrize("caller", CALLERS)
async def test_reads_are_open_without_a_read_token_except_to_alertmanager(
    path: str, caller: str
) -> None:
    async with serving(Tokens(admin="the-admin", app="the-app", alert="the-alert")) as served:
        expected = 403 if caller == "alert" else 200
        assert await status_of(served, "GET", path, CALLERS[caller]) == expected


@pytest.mark.parametrize("caller", CALLERS)
async def test_everybody_may_ask_whether_it_is_alive(served: Served, caller: str) -> None:
    assert await status_of(served, "GET", "/healthz", CALLERS[caller]) == 200


@pytest.mark.parametrize("path", SWITCHES)
@pytest.mark.parametrize(
    ("caller", "expected"),
    [
        ("nobody", 401),
        ("wrong", 401),
        ("basic", 401),
        ("admin", 200),
        ("app", 403),
        ("alert", 403),
        ("reader", 403),
    ],
)
async def test_only_the_admin_switches(
    served: Served, path: str, caller: str, expected: int
) -> None:
    assert await status_of(served, "POST", path, CALLERS[caller]) == expected
    assert bool(served.commands.asked) == (expected == 200)


@pytest.mark.parametrize(
    ("caller", "one", "everyone"),
    [
        ("nobody", 401, 401),
        ("wrong", 401, 401),
        ("basic", 401, 401),
        ("admin", 200, 202),
        ("app", 200, 403),
        ("alert", 403, 403),
        ("reader", 403, 403),
    ],
)
async def test_the_app_backfills_one_user_and_only_the_admin_everyone(
    served: Served, caller: str, one: int, everyone: int
) -> None:
    headers = CALLERS[caller]
    assert await status_of(served, "POST", BACKFILL, headers) == one
    for body in ({"all": True}, {"all": True, "dry_run": True}):
        async with served.client.post(BACKFILL, json=body, headers=headers) as response:
            expected = 200 if everyone == 202 and "dry_run" in body else everyone
            assert response.status == expected


@pytest.mark.parametrize("empty", [None, ""])
@pytest.mark.parametrize("path", [*SWITCHES, BACKFILL])
@pytest.mark.parametrize("token", ["", " ", "None", "the-admin"])
async def test_without_an_admin_token_nothing_can_be_changed(
    path: str, token: str, empty: str | None
) -> None:
    async with serving(Tokens(admin=empty, app=empty, alert=empty, read=empty)) as served:
        for headers in (NOBODY, bearer(token)):
            assert await status_of(served, "POST", path, headers) == 403
        assert served.commands.asked == []


async def test_without_an_admin_token_the_app_still_backfills_one_user() -> None:
    async with serving(Tokens(app="the-app")) as served:
        assert await status_of(served, "POST", BACKFILL, bearer("the-app")) == 200
        assert await status_of(served, "POST", BACKFILL, NOBODY) == 403
        for path in SWITCHES:
            assert await status_of(served, "POST", path, bearer("the-app")) == 403


@pytest.mark.parametrize(
    ("header", "role"),
    [
        (None, Role.STRANGER),
        ("", Role.STRANGER),
        ("Bearer", Role.STRANGER),
        ("Bearer ", Role.STRANGER),
        ("the-admin", Role.STRANGER),
        ("Basic the-admin", Role.STRANGER),
        ("Bearer the-admin2", Role.STRANGER),
        ("Bearer THE-ADMIN", Role.STRANGER),
        ("Bearer \udcff\udcfe", Role.STRANGER),
        ("Bearer ü", Role.STRANGER),
        ("Bearer the-admin", Role.ADMIN),
        ("bearer the-admin", Role.ADMIN),
        ("BEARER   the-admin ", Role.ADMIN),
        ("Bearer the-alert", Role.ALERT),
        ("Bearer the-reader", Role.READ),
    ],
)
def test_a_header_names_a_role_only_with_the_whole_token(header: str | None, role: Role) -> None:
    assert ALL_TOKENS.role(header) is role


def test_one_token_for_everything_is_the_mightiest_of_its_roles() -> None:
    assert Tokens(admin="same", app="same", read="same").role("Bearer same") is Role.ADMIN


def test_tokens_do_not_show_in_their_representation() -> None:
    assert "the-" not in repr(ALL_TOKENS)
