"""The page in Chromium, over the real service: live while a run heals, and its buttons at work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.browsing import browser, needs_chromium, visit
from tests.support.commands import ADMIN_TOKEN, Workplace, gallery_at, on_one_server
from tests.support.healing import heal_at
from tests.support.waiting import wait_until

pytestmark = [needs_chromium, on_one_server]

LEGACY = '[data-count="legacy_untracked"]'
HELD_UP = {"mode": "heal", "pace": {"wait_while": "SELECT EXISTS (SELECT FROM hold)"}}
"""A heal run that waits until the test lets it go on."""
CALM = {"mode": "observe", "pace": {"duty": "100%"}}


async def healed(work: Workplace) -> int:
    """The impressions that run 1 wrote, by hand."""
    before = work.impressions()
    await heal_at(work.url)
    return work.impressions() - before


async def press(tab: Any, name: str, *, token: str | None = None) -> None:
    """A button, and the admin token if it is asked for."""
    await tab.page.get_by_role("button", name=name).first.click()
    if token is not None:
        await tab.page.get_by_label("Admin token").fill(token)
        await tab.page.get_by_role("button", name="Go on").click()


async def confirm(tab: Any, plan: str, verb: str, result: str) -> None:
    """The plan is shown; do it; the result is shown."""
    await tab.shows("#act-plan", plan)
    await tab.page.get_by_role("dialog").get_by_role("button", name=verb).click()
    await tab.shows("#act-plan", result)
    await tab.page.get_by_role("button", name="Close").click()


async def test_the_page_reaches_nought_live_and_asks_nobody_else(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path, healing=HELD_UP)
    work.rows("CREATE TABLE hold AS SELECT 1 AS one")
    with work.started("serve") as service:
        address = service.client().address
        async with browser() as chromium, visit(chromium, address) as tab:
            await tab.open()
            await tab.page.evaluate("window.stayed = true")
            await tab.shows("#live", "Live")
            await tab.page.wait_for_selector(".count.legacy_untracked.some")
            await tab.shows("#part-run", "wait_while")
            missing = await tab.text(LEGACY)
            assert f"0 of {missing} rows, {missing} left" in await tab.text("#part-run")
            await tab.keep("healing")
            work.rows("DELETE FROM hold")
            await tab.page.wait_for_selector(".count.legacy_untracked:not(.some)")
            assert await tab.text(LEGACY) == "0"
            await tab.shows("#part-runs", "succeeded")
            await tab.shows("#part-run", "No run is active.")
            assert "→ 0" in await tab.text("#part-runs")
            # The chart went on with the counts.
            await tab.page.wait_for_selector(".panel.legacy_untracked canvas")
            await tab.page.wait_for_selector(
                '.panel.legacy_untracked .canvas[aria-label*=" 0 at last"]'
            )
            assert await tab.page.evaluate("window.stayed") is True
            await tab.keep("healed")
            tab.assert_undisturbed()
            # An open page holds nothing up, and says that it stands still now.
            assert service.stop(within=5).code == 0
            await tab.shows("#live", "Not live")


async def test_buttons_undo_pause_and_resume_and_a_wrong_token_does_nothing(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path, healing=CALM)
    before = work.impressions()
    written = await healed(work)
    with work.started("serve") as service:
        address = service.client().address
        async with browser() as chromium, visit(chromium, address) as tab:
            await tab.open()
            await tab.shows("#part-runs", f"{written:,}")
            await press(tab, "Undo…", token="a-token-that-nobody-has")
            await tab.shows("#act-error", "That token was not accepted, and nothing was changed.")
            assert work.impressions() == before + written
            await tab.keep("token-refused")
            tab.complaints.clear()  # the browser notes the 401
            await tab.page.get_by_label("Admin token").fill(ADMIN_TOKEN)
            await tab.page.get_by_role("button", name="Go on").click()
            await tab.shows("#act-plan", f"{written:,} impressions are taken back.")
            await tab.keep("undo-planned")
            assert work.impressions() == before + written
            await confirm(tab, "suspended until", "Undo run 1", "Run 2 has begun")
            await tab.shows("#part-runs", "undo of 1")
            await tab.shows(LEGACY, f"{written:,}")
            assert work.impressions() == before
            await pause_and_resume(tab, work)
            tab.assert_undisturbed()
            assert ADMIN_TOKEN not in await tab.page.content()
            stored = "JSON.stringify([localStorage, sessionStorage, document.cookie])"
            assert await tab.page.evaluate(stored) == '[{},{},""]'


async def pause_and_resume(tab: Any, work: Workplace) -> None:
    """The token is not asked for again."""
    await press(tab, "Pause…")
    await tab.page.get_by_label("Why, for whoever finds it paused").fill("we <look>")
    await confirm(tab, "Nobody writes until", "Pause healing", "Paused: nobody writes.")
    await tab.shows("#part-switches", "we <look>")
    assert work.value("SELECT paused_reason FROM conservator.control") == "we <look>"
    await tab.keep("paused")
    await press(tab, "Resume…")
    await confirm(tab, "The pause ends (we <look>). So does the", "Resume", "Resumed.")
    await tab.shows("#part-switches", "not paused")
    assert work.rows("SELECT paused, suspended FROM conservator.control") == [(False, False)]


async def test_a_user_is_backfilled_from_the_user_s_page(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path, healing=CALM)
    user, before = work.affected_user(), work.impressions()
    with work.started("serve") as service:
        address = service.client().address
        async with browser() as chromium, visit(chromium, address) as tab:
            await tab.open()
            await tab.page.get_by_label("Id of the user").fill(user)
            await tab.page.get_by_role("button", name="Show").click()
            await tab.shows("h1", user)
            missing = int(await tab.text(".legacy_untracked .figure"))
            await press(tab, "Backfill…", token=ADMIN_TOKEN)
            await confirm(tab, f"{missing} impressions are written.", "Backfill", "were written")
            await tab.shows("main", f"by run 1: {missing} impressions.")
            assert work.impressions() == before + missing
            await tab.keep("user")
            await tab.page.get_by_role("link", name="run 1").click()
            await tab.shows("h1", "Run 1 succeeded")
            await tab.keep("run")
            tab.assert_undisturbed()


async def test_without_javascript_everything_can_be_read(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path, healing=CALM)
    written = await healed(work)
    with work.started("serve") as service:
        client = service.client()
        await wait_until(lambda: "<polyline" in client.get("").text)
        async with (
            browser() as chromium,
            visit(chromium, client.address, java_script_enabled=False) as tab,
        ):
            await tab.open()
            assert await tab.text(LEGACY) == "0"
            assert f"{written:,} → 0" in await tab.text("#part-runs")
            assert await tab.page.locator(".panel polyline").count() == 4
            assert await tab.page.locator("button.act:visible").count() == 0
            assert "conservator undo RUN" in await tab.text("#part-runs noscript")
            await tab.page.get_by_text("The same as a table").click()
            assert await tab.page.locator(".table-of tbody tr:visible").count() > 1
            await tab.keep("without-javascript")
            await tab.page.get_by_role("link", name="7 days").click()
            await tab.shows("h3", "The last 7 days")
            await tab.page.get_by_role("link", name="Run 1").click()
            await tab.shows("h1", "Run 1")
            assert await tab.page.locator("section tbody tr").count() > 0
            tab.assert_undisturbed()


REPAIR = {
    "name": "tiers",
    "check": "tiers_in_capitals",
    "table": "users",
    "find": "SELECT id, lower(subscription_tier) AS subscription_tier FROM users"
    " WHERE subscription_tier <> lower(subscription_tier)",
    "action": "update",
    "breaker": {"max_share": "50%"},
}
CAPITALS = {
    "name": "tiers_in_capitals",
    "query": "SELECT count(*) FROM users WHERE subscription_tier <> lower(subscription_tier)",
    "every": "1s",
    "fail": "> 0",
}


async def test_a_repair_is_started_and_taken_back_from_beside_its_check(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(
        app_database_url, tmp_path, healing=CALM, repairs=[REPAIR], checks={"sql": [CAPITALS]}
    )
    work.rows("UPDATE users SET subscription_tier = 'FREE' WHERE id IN (SELECT min(id) FROM users)")
    email = str(work.value("SELECT email FROM users WHERE subscription_tier = 'FREE'"))
    wrong = "SELECT count(*) FROM users WHERE subscription_tier = 'FREE'"
    with work.started("serve") as service:
        address = service.client().address
        async with browser() as chromium, visit(chromium, address) as tab:
            await tab.open()
            await tab.shows(".repair", "1 row to mend.")
            await tab.shows(".repair", "left to a person")
            await press(tab, "Mend…", token=ADMIN_TOKEN)
            await tab.shows("#act-plan", "The first: id ")
            await tab.keep("repair-planned")
            assert work.value(wrong) == 1
            await confirm(tab, "1 row is updated in users", "Mend", "Run 1 has begun")
            await tab.shows(".repair", "nothing to mend")
            assert work.value(wrong) == 0
            await tab.keep("repair-mended")
            await press(tab, "Undo…")
            await confirm(tab, "1 row is given back.", "Undo run 1", "Run 2 has begun")
            await tab.shows(".repair", "left to a person")
            assert work.value(wrong) == 1
            # Nothing is left to agree to.
            await press(tab, "Undo…")
            await tab.shows("#act-plan", "There is nothing to give back.")
            assert await tab.page.get_by_role("dialog").get_by_role("button").all_inner_texts() == [
                "Close"
            ]
            await tab.page.get_by_role("button", name="Close").click()
            await press(tab, "Resume…")
            await confirm(tab, "The suspension ends", "Resume", "Resumed.")
            assert email not in await tab.page.content()
            assert await tab.barriers() == []
            tab.assert_undisturbed()
