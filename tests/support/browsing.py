"""Chromium as a person uses it, and what must be true of every page that it shows."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = Path("/usr/bin/chromium")
SCREENSHOTS = Path(__file__).parents[1] / "screenshots"
"""Not committed: to be looked at."""
_AXE = Path(__file__).parent / "vendor" / "axe.min.js"
_ARGUMENTS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "narrow": {"viewport": {"width": 360, "height": 740}, "color_scheme": "light"},
}

needs_chromium = pytest.mark.skipif(
    not CHROMIUM.exists(), reason=f"{CHROMIUM} is not installed; tests/packages.sh installs it"
)


@dataclass
class Visit:
    """A tab, with what it asked for and what it complained about."""

    page: Any
    address: str
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    async def open(self, path: str = "") -> None:
        """Go to a path, which has no leading slash."""
        await self.page.goto(self.address + path)

    async def shows(self, selector: str, words: str) -> None:
        """Wait until the element holds the words."""
        await self.page.locator(selector).filter(has_text=words).first.wait_for(timeout=60_000)

    async def text(self, selector: str) -> str:
        """What a reader sees of an element."""
        return " ".join((await self.page.locator(selector).first.inner_text()).split())

    async def keep(self, name: str) -> None:
        """A screenshot of the whole page."""
        SCREENSHOTS.mkdir(exist_ok=True)
        await self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)

    async def barriers(self) -> list[str]:
        """Serious and critical findings of axe-core."""
        await self.page.evaluate(_AXE.read_text(encoding="utf-8"))
        found = await self.page.evaluate("axe.run({resultTypes: ['violations']})")
        return [
            f"{one['id']}: {node['html']} {node['failureSummary']}"
            for one in found["violations"]
            if one["impact"] in {"serious", "critical"}
            for node in one["nodes"]
        ]

    async def width(self) -> int:
        """How wide the page is, whatever of it is seen."""
        return int(await self.page.evaluate("document.documentElement.scrollWidth"))

    def assert_undisturbed(self) -> None:
        """No request left the service, and the browser complained about nothing: the policy was
        not violated, no script failed."""
        assert [url for url in self.requests if not url.startswith(self.address)] == []
        assert self.complaints == []


@asynccontextmanager
async def browser() -> AsyncIterator[Any]:
    """Chromium without a window."""
    from playwright.async_api import async_playwright

    # Its sandbox refuses to run as root.
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*_ARGUMENTS, *root]
        )
        try:
            yield launched
        finally:
            await launched.close()


@asynccontextmanager
async def visit(browser: Any, address: str, **settings: Any) -> AsyncIterator[Visit]:
    """A tab of its own, with nothing remembered."""
    context = await browser.new_context(**{"timezone_id": "UTC", **settings})
    page = await context.new_page()
    tab = Visit(page, address)
    page.on("request", lambda request: tab.requests.append(request.url))
    page.on("pageerror", lambda error: tab.complaints.append(str(error)))
    page.on(
        "console",
        lambda said: tab.complaints.append(said.text) if said.type == "error" else None,
    )
    try:
        yield tab
    finally:
        await context.close()
