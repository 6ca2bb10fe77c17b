"""The pages as they are served: policy, caching, errors as pages, and a password for reading."""

from __future__ import annotations

import base64
import json
import re
from datetime import timedelta
from urllib.parse import quote, unquote, urljoin

import pytest
from yarl import URL

from checks.errors import DatabaseUnavailableError, UnknownUserError
from exporters.page.assets import TYPES, asset
from monitor.state.history import CensusPoint
from monitor.state.runs import Backfilled, BatchRow, RunState
from tests.support.builders import NOON, a_census, a_run, a_suspicion, an_examination
from tests.unit.exporters.rendering import Tags, words
from tests.unit.exporters.serving import ADMIN, Served, serving

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def password(text: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"me:{text}".encode()).decode()}


async def opened(served: Served, path: str, status: int = 200) -> str:
    """A page as a signed-in browser gets it."""
    async with served.client.get(path, headers=ADMIN | BROWSER) as response:
        assert response.status == status, await response.text()
        assert response.headers["Content-Type"] == "text/html; charset=utf-8"
        policy = response.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy
        assert "http" not in policy
        return await response.text()


@pytest.mark.parametrize("path", ["/", "/?range=7d", "/runs", "/runs/12", "/users", "/users/U"])
async def test_no_page_holds_anything_inline_or_from_elsewhere(served: Served, path: str) -> None:
    served.commands.found_runs = (a_run(),)
    html = await opened(served, path)
    tags = Tags(html)
    assert tags.open == []
    for tag, attrs in tags.seen:
        assert "style" not in attrs
        assert not [name for name in attrs if name.startswith("on")]
        for name in ("src", "href", "action"):
            assert not re.match(r"\w+:|//", attrs.get(name) or ""), (tag, attrs)
    assert "<style" not in html
    assert not re.search(r"<script(?![^>]*src=)", html)


async def test_the_chart_is_asked_for_once_and_goes_on_with_the_newest_census(
    served: Served,
) -> None:
    served.commands.found_series = tuple(
        CensusPoint(NOON - timedelta(minutes=n), 40, 1, 2, n) for n in (3, 2, 1)
    )
    for _ in range(2):
        async with served.client.get("/api/artworks/history?range=6h", headers=ADMIN) as response:
            told = await response.json()
    assert told["error"] is None
    assert told["columns"]["legacy_untracked"] == [3, 2, 1, 6]
    assert told["columns"]["t"][-1] == NOON.timestamp()
    assert served.commands.asked == [("census_series", timedelta(hours=6))]
    async with served.client.get("/api/artworks/history?range=1y", headers=ADMIN) as response:
        assert response.status == 400


async def test_while_the_database_is_away_the_page_shows_what_was_read_before(
    served: Served,
) -> None:
    served.commands.found_runs = (a_run(state=RunState.SUCCEEDED),)
    assert "Run 12" in await opened(served, "/")
    served.commands.error = DatabaseUnavailableError("The database is away.")
    served.board.update(database_up=False, database_error="The database is away.")
    served.clock.now += 60
    text = words(await opened(served, "/"))
    assert "The database can't be reached, so nothing here is current." in text
    assert "Run 12" in text
    assert "The runs can’t be read now: The database is away." in text
    async with served.client.get("/api/artworks/history?range=7d", headers=ADMIN) as response:
        # One census is known from memory.
        assert (await response.json())["error"] == "The database is away."


async def test_one_run_is_shown_with_its_batches(served: Served) -> None:
    run = a_run(
        state=RunState.PARTIAL, outcome="6 are left.", finished_at=NOON + timedelta(minutes=5)
    )
    served.commands.found_runs = (run,)
    served.commands.found_waits = {"duty": 12.0}
    served.commands.found_batches = tuple(BatchRow(n, NOON, 0.25, 3, 20) for n in range(1, 203))
    html = await opened(served, "/runs/12")
    text = words(html)
    assert "Run 12 partial" in text
    assert "6 are left." in text
    assert "after 5 min" in text
    assert "duty 12 s" in text
    assert "1 31 January 2026, 12:00:00 250 ms 3 20" in text
    assert '<a href="../runs/12?after=200">Later batches</a>' in html
    assert "202 31 January" not in text
    assert "202 31 January" in words(await opened(served, "/runs/12?after=200"))


async def test_one_user_is_shown_with_counts_and_backfill(served: Served) -> None:
    html = await opened(served, "/users/a%2Fb%3C")
    text = words(html)
    assert "User a/b<" in text
    assert "2 old artworks have no impression of this user" in text
    assert "Not backfilled as a single user so far." in text
    [body] = [attrs["data-body"] for _, attrs in Tags(html).seen if "data-body" in attrs]
    assert body == '{"user_id": "a/b<"}'
    served.commands.found_backfilled = Backfilled(7, 12, NOON)
    html = await opened(served, "/users/U")
    assert "by run 7: 12 impressions." in words(html)
    [body] = [attrs["data-body"] for _, attrs in Tags(html).seen if "data-body" in attrs]
    assert body == '{"user_id": "U", "force": true}'


async def test_what_is_suspected_of_the_counts_stands_on_the_users_page_too(
    served: Served,
) -> None:
    assert "Suspicious." not in words(await opened(served, "/users/U"))
    served.board.update(examination=an_examination(a_suspicion()))
    assert "Suspicious. The counts may not mean" in words(await opened(served, "/users/U"))


async def test_the_form_leads_to_the_user_s_page(served: Served) -> None:
    found = served.client.get("/users?id=+..%2Fa+b+", headers=ADMIN, allow_redirects=False)
    async with found as response:
        assert (response.status, response.headers["Location"]) == (303, "users/%2E%2E%2Fa%20b")


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/runs/13", 404, "There is no run 13; see /api/runs."),
        ("/runs/x%3Cb%3E", 404, "There is no run x<b>"),
        ("/nowhere", 404, "There is nothing at this path."),
        ("/?range=1y", 400, "range: expected 6h or 24h or 7d or 30d, found '1y'."),
        ("/runbooks/Nothing", 404, "There is no runbook"),
    ],
)
async def test_an_error_is_a_page_for_a_browser_and_json_for_a_program(
    served: Served, path: str, status: int, said: str
) -> None:
    assert said in words(await opened(served, path, status))
    async with served.client.get(path, headers=ADMIN) as response:
        assert said in (await response.json())["error"]["message"]


async def test_an_error_of_the_api_is_json_for_a_browser_too(served: Served) -> None:
    async with served.client.get("/api/runs/13", headers=ADMIN | BROWSER) as response:
        assert (response.status, response.content_type) == (404, "application/json")
        assert (await response.json())["error"]["code"] == "unknown_run"


async def test_an_unknown_user_is_a_page_too(served: Served) -> None:
    served.commands.error = UnknownUserError("There is no user <U>.")
    assert "There is no user <U>." in words(await opened(served, "/users/U", 404))


@pytest.mark.parametrize("name", TYPES)
async def test_a_static_file_is_kept_for_good_under_the_address_that_names_its_content(
    served: Served, name: str
) -> None:
    found = asset(name)
    assert found is not None
    for query, kept in ((f"?v={found.version}", True), ("", False), ("?v=0", False)):
        async with served.client.get(f"/static/{name}{query}", headers=ADMIN) as response:
            assert response.status == 200
            assert await response.text() == found.text
            assert response.content_type == found.content_type
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert ("immutable" in response.headers["Cache-Control"]) is kept
            tag = {"If-None-Match": response.headers["ETag"]}
    async with served.client.get(f"/static/{name}", headers=ADMIN | tag) as response:
        assert (response.status, await response.read()) == (304, b"")


@pytest.mark.parametrize("name", ["nothing.css", "..%2fpage.css", "..%2f__init__.py", ""])
async def test_no_other_file_is_served(served: Served, name: str) -> None:
    async with served.client.get(f"/static/{name}", headers=ADMIN) as response:
        assert response.status == 404


@pytest.mark.parametrize(
    ("token", "status"),
    [("the-reader", 200), ("the-admin", 200), ("the-app", 200), ("wrong", 401), ("the-alert", 403)],
)
async def test_a_browser_reads_with_a_token_as_password(
    served: Served, token: str, status: int
) -> None:
    for path in ("/", "/api/checks", "/static/page.css"):
        async with served.client.get(path, headers=password(token) | BROWSER) as response:
            assert response.status == status


async def test_a_browser_is_asked_for_a_password_and_a_program_for_a_token(served: Served) -> None:
    async with served.client.get("/", headers=BROWSER) as response:
        assert response.status == 401
        assert response.headers["WWW-Authenticate"].startswith("Basic realm=")
        assert response.content_type == "text/html"
    async with served.client.get("/") as response:
        assert response.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("path", ["/api/healing/pause", "/api/runs/12/undo"])
async def test_a_password_changes_nothing_so_that_no_other_site_can_make_a_browser_do_it(
    served: Served, path: str
) -> None:
    async with served.client.post(path, headers=password("the-admin") | BROWSER) as response:
        assert response.status == 401
        # No dialog of the browser's over the page's own.
        assert response.headers["WWW-Authenticate"] == "Bearer"
    assert served.commands.asked == []


@pytest.mark.parametrize("header", ["Basic", "Basic !", "Basic dGhlLWFkbWlu", "Basic /w=="])
async def test_what_is_no_password_is_no_token(served: Served, header: str) -> None:
    async with served.client.get("/", headers={"Authorization": header}) as response:
        assert response.status == 401


async def test_buttons_are_absent_where_nobody_may_press_them() -> None:
    from exporters.http.auth import Tokens

    async with serving(Tokens()) as served:
        served.board.update(census=a_census())
        served.commands.found_runs = (a_run(state=RunState.SUCCEEDED),)
        for path in ("/", "/runs", "/runs/12", "/users/U"):
            html = await opened(served, path)
            assert "data-path" not in html
            assert "<dialog" not in html
            assert "actions.js" not in html


BELOW = "https://gallery.example/conservator"
"""Where a proxy shows the service, without its own part of the path handed on."""
LINKS = ("href", "src", "action", "data-path", "data-events", "data-source")


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/runs", "/runs/12", "/users", "/users/a%2Fb"),
        *("/runbooks/ConservatorLegacyUntracked", "/nowhere", "/nowhere/at/all", "/runs/13"),
    ],
)
async def test_every_link_leads_through_a_proxy_below_a_path(served: Served, path: str) -> None:
    served.commands.found_runs = (a_run(state=RunState.PARTIAL),)
    headers = {**ADMIN, "Accept": "text/html"}
    async with served.client.get(path, headers=headers) as response:
        html = await response.text()
    links = [
        (name, urljoin(f"{BELOW}{path}", attrs[name] or ""))
        for _, attrs in Tags(html).seen
        for name in LINKS
        if name in attrs
    ]
    assert len(links) >= 7
    for name, link in links:
        assert link.startswith(f"{BELOW}/"), link
        if "#" not in link and name not in ("data-path", "data-events"):
            found = URL(link.removeprefix(BELOW), encoded=True)
            async with served.client.get(found, headers=ADMIN) as response:
                assert response.status == 200, link


@pytest.mark.parametrize(
    "user_id",
    [
        *("{3f25b7f0-0000-4000-8000-000000000000}", "{", "a}b{c", "a/b", "/", "a//b", "a%2Fb", "%"),
        *(
            "?",
            "#",
            ";",
            "&=+",
            "a b",
            "é",
            "🎨",
            "'\"<>",
            "a\\b",
            "a\tb",
            ".",
            "..",
            "../runs",
            "~",
            "a\r\nb",
            "\u202e\ufeff",
            "%00",
            "x" * 2_000,
        ),
    ],
)
async def test_ids_of_whatever_characters_have_a_page(served: Served, user_id: str) -> None:
    asked = URL.build(path="/users", query={"id": user_id})
    found = served.client.get(asked, headers=ADMIN, allow_redirects=False)
    async with found as response:
        page, html = response.headers.get("Location"), await response.text()
        assert response.status == (200 if page is None else 303)
    if page is not None:
        # A browser takes these for folders, however they are written.
        assert unquote(page.removeprefix("users/")) not in {".", ".."}
        async with served.client.get(URL(f"/{page}", encoded=True), headers=ADMIN) as response:
            assert response.status == 200
            html = await response.text()
    assert f'href="{"./" if page is None else "../"}runs"' in html
    [body] = [attrs["data-body"] for _, attrs in Tags(html).seen if "data-body" in attrs]
    assert json.loads(body or "")["user_id"] == user_id


async def test_an_id_that_no_address_can_hold_is_told_so(served: Served) -> None:
    for asked in (
        URL.build(path="/users", query={"id": "x" * 9_000}),
        URL(f"/users/{quote('/' * 3_000, safe='')}", encoded=True),
    ):
        async with served.client.get(asked, headers=ADMIN, allow_redirects=False) as response:
            assert response.status == 400


@pytest.mark.parametrize("prefix", ["/conservator", "/a/b", "/a/b/c%20d"])
@pytest.mark.parametrize("path", ["/users?id=a%2Fb", "/users?id=U"])
async def test_redirects_stay_below_whatever_path_a_proxy_has(
    served: Served, prefix: str, path: str
) -> None:
    async with served.client.get(
        URL(path, encoded=True), headers=ADMIN, allow_redirects=False
    ) as response:
        location = response.headers["Location"]
        assert "Set-Cookie" not in response.headers
    below = f"https://gallery.example{prefix}"
    assert urljoin(f"{below}{path}", location).startswith(f"{below}/users/")
