"""Every state of the page in Chromium: honest, without barriers, and within a narrow screen."""

from __future__ import annotations

from typing import Any

import pytest

from exporters.http.auth import Tokens
from exporters.http.routing import CONTEXT
from monitor.state.runs import Backfilled, BatchRow
from monitor.status import StatusBoard
from tests.support.browsing import LOOKS, Visit, browser, needs_chromium, visit
from tests.support.builders import NOON
from tests.support.page_states import FINE, PREPARED, STATES, put_up
from tests.support.waiting import wait_until
from tests.unit.exporters.serving import Served, serving

pytestmark = needs_chromium

TOKENS = Tokens(admin="the-admin-of-the-pages")
SAID = {
    "empty": "Nothing has been counted yet.",
    "fine": "The gallery is fine: every old artwork has its impression.",
    "healing": "10,615 old artworks, summed over the users, have no impression",
    "failing": "Every old artwork has its impression, but look at: orphan_impressions",
    "breaker": "Healing has stopped until a person has looked: the breaker is open.",
    "suspicious": "The counts may not mean what they say: see below.",
    "paused": "2,400 old artworks",
    "follower": "The gallery is fine",
    "database-down": "The database can't be reached, so nothing here is current.",
    "stale": "The last census is too old to tell how the gallery is.",
}
HIDE = (
    "Object.defineProperty(document, 'hidden', {value: HIDDEN, configurable: true});"
    "document.dispatchEvent(new Event('visibilitychange'))"
)
SHOWN = {"light": [*SAID], "dark": ["healing"], "narrow": ["failing"]}


def address(served: Served) -> str:
    return str(served.client.make_url("/"))


async def examine(tab: Visit, name: str, width: int) -> None:
    """No barrier, nothing beyond the edge, nothing from elsewhere; and a picture."""
    await tab.keep(name)
    assert await tab.barriers() == [], name
    assert await tab.width() <= width, name
    tab.assert_undisturbed()


async def show(chromium: Any, look: str, name: str) -> None:
    """The state as it looks, examined."""
    shown = StatusBoard(STATES.get(name, FINE))
    async with serving(TOKENS, shown=shown) as served:
        put_up(served, name)
        await served.client.get("/")  # the history is read while the database is there
        if name in PREPARED:
            PREPARED[name](served)
        async with visit(chromium, address(served), **LOOKS[look]) as tab:
            await tab.open()
            await tab.shows("#live", "Live")
            await tab.shows("h1", SAID[name])
            if name != "empty":
                await tab.page.wait_for_selector(".panel.tracked canvas")
            await examine(tab, f"{name}-{look}", LOOKS[look]["viewport"]["width"])


@pytest.mark.parametrize("look", SHOWN)
async def test_every_state_says_what_it_is_and_shuts_nobody_out(look: str) -> None:
    async with browser() as chromium:
        for name in SHOWN[look]:
            await show(chromium, look, name)


async def test_the_other_pages_shut_nobody_out() -> None:
    look = "narrow"
    width = LOOKS[look]["viewport"]["width"]
    async with serving(TOKENS, shown=StatusBoard(FINE)) as served, browser() as chromium:
        put_up(served, "fine")
        served.commands.found_batches = tuple(BatchRow(n, NOON, 0.2, 9, 400) for n in range(1, 9))
        served.commands.found_waits = {"duty": 12.0, "replica_lag": 3.0}
        served.commands.found_backfilled = Backfilled(1, 12, NOON)
        async with visit(chromium, address(served), **LOOKS[look]) as tab:
            for name, path in (("run", "runs/3"), ("runs", "runs"), ("user", "users/u1")):
                await tab.open(path)
                await examine(tab, f"{name}-{look}", width)
            await tab.open("nowhere")
            tab.complaints.clear()  # the browser notes the 404
            await examine(tab, f"nowhere-{look}", width)
            await tab.open("runbooks/ConservatorBreakerOpen")
            await examine(tab, f"runbook-{look}", width)


async def test_the_dialog_is_reached_and_left_with_the_keyboard_alone() -> None:
    async with serving(TOKENS, shown=StatusBoard(FINE)) as served, browser() as chromium:
        put_up(served, "fine")
        async with visit(chromium, address(served)) as tab:
            await tab.open()
            await tab.shows("#live", "Live")
            await tab.page.keyboard.press("Tab")
            assert await tab.text(":focus") == "Skip to the content"
            pause = tab.page.get_by_role("button", name="Pause…")
            await pause.focus()
            await tab.page.keyboard.press("Enter")
            await tab.shows("dialog", "Admin token")
            assert await tab.page.locator("#act-token:focus").count() == 1
            assert await tab.barriers() == []
            await tab.keep("dialog")
            await tab.page.keyboard.type("the-admin-of-the-pages")
            await tab.page.keyboard.press("Enter")
            await tab.shows("#act-plan", "Nobody writes until somebody resumes")
            await tab.page.keyboard.press("Escape")
            assert await tab.page.locator("dialog[open]").count() == 0
            assert await tab.text(":focus") == "Pause…"
            assert ("pause", "") not in served.commands.asked


async def test_a_browser_signs_in_with_a_token_for_reading_and_the_page_is_live() -> None:
    tokens = Tokens(admin="the-admin-of-the-pages", read="the-reader-of-the-pages")
    signed_in = {"username": "me", "password": "the-reader-of-the-pages"}
    async with serving(tokens, shown=StatusBoard(FINE)) as served, browser() as chromium:
        put_up(served, "fine")
        async with visit(chromium, address(served), http_credentials=signed_in) as tab:
            await tab.open()
            await tab.shows("#live", "Live")
            await tab.page.wait_for_selector(".panel.tracked canvas")
            await tab.page.get_by_role("button", name="Pause…").click()
            # The password is no token for buttons: a wrong one is refused on the page itself.
            await tab.page.get_by_label("Admin token").fill("the-reader-of-the-pages")
            await tab.page.keyboard.press("Enter")
            await tab.page.get_by_role("dialog").get_by_role("button", name="Pause").click()
            await tab.shows("#act-error", "That token was not accepted")
            assert [call for call in served.commands.asked if call[0] == "pause"] == []


async def test_a_hidden_tab_costs_nothing_and_catches_up_when_it_is_looked_at() -> None:
    async with serving(TOKENS, shown=StatusBoard(FINE)) as served, browser() as chromium:
        app = served.client.app
        assert app is not None
        feed = app[CONTEXT].page.broadcaster
        async with visit(chromium, address(served)) as tab:
            await tab.open()
            await wait_until(lambda: len(feed.subscribers) == 1)
            await tab.page.evaluate(HIDE.replace("HIDDEN", "true"))

            def left() -> bool:
                # The server notices when it writes.
                served.board.update(database_error=None)
                return len(feed.subscribers) == 0

            await wait_until(left)
            served.board.update(census=STATES["paused"].census)
            await tab.page.evaluate(HIDE.replace("HIDDEN", "false"))
            await tab.shows("h1", "2,400 old artworks")


async def test_a_page_says_when_it_is_no_longer_live() -> None:
    async with serving(TOKENS, shown=StatusBoard(FINE)) as served, browser() as chromium:
        put_up(served, "fine")
        async with visit(chromium, address(served)) as tab:
            await tab.open()
            await tab.shows("#live", "Live")
            await served.client.server.close()
            await tab.shows("#live", "Not live: what stands here may be old")
