"""A runbook for every alert, and nothing in it that there is not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from exporters.http.routes import ROUTES
from exporters.page.views import runbook_page
from monitor.cli.app import app
from tests.support.builders import at_work
from tests.support.grafana import ALERTS, DASHBOARDS
from tests.unit.exporters.scrape import series
from tests.unit.exporters.serving import ADMIN, Served

FOLDER = Path(__file__).parents[3] / "docs" / "runbooks"
BOOKS = {path.stem: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.md"))}
SECTIONS = ["What it means", "What users see", "Look at", "Type", "Escalate"]
BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")


def commands() -> Iterator[tuple[str, list[str]]]:
    """Every command of ours that is named, by alert, in words."""
    for name, text in BOOKS.items():
        lines = [line for block in BLOCK.findall(text) for line in block.splitlines()]
        told = [line.removeprefix("$ ") for line in lines] + INLINE.findall(BLOCK.sub("", text))
        for line in told:
            words = line.partition("#")[0].split()
            if words[:1] == ["conservator"] and len(words) > 1:
                yield name, words[1:]


def test_every_alert_has_a_runbook_and_every_runbook_an_alert() -> None:
    assert set(BOOKS) == {alert.name for alert in ALERTS}


@pytest.mark.parametrize("name", BOOKS)
def test_a_runbook_says_the_same_things_in_the_same_order(name: str) -> None:
    text = BOOKS[name]
    assert text.startswith(f"# {name}\n\n**")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == SECTIONS


def test_every_command_exists_with_its_options() -> None:
    group = typer.main.get_command(app)
    found = list(commands())
    assert len(found) > 30
    for name, words in found:
        rest = words[2:] if words[0] == "-c" else words
        command: object = group
        while rest and hasattr(command, "commands") and rest[0] in command.commands:
            command, rest = command.get_command(None, rest[0]), rest[1:]  # type: ignore[attr-defined]
        assert command is not group, (name, words)
        options = {option for parameter in command.params for option in parameter.opts}  # type: ignore[attr-defined]
        for word in rest:
            assert not word.startswith("-") or word in options, (name, words)


def test_every_path_setting_panel_and_metric_that_is_named_exists() -> None:
    paths = {route.path.partition("{")[0].rstrip("/") for route in ROUTES}
    exported = {f"conservator_{metric}" for metric, _ in series(at_work())}
    titles = {panel["title"] for board in DASHBOARDS for panel in board["panels"]}
    for name, text in BOOKS.items():
        for path in re.findall(r"`(/[a-z][\w/]*)", text):
            assert any(path == known or path.startswith(f"{known}/") for known in paths), name
        for metric in re.findall(r"`(conservator_[a-z_]+)`", text):
            assert metric in exported, name
        for dashboard, panel in re.findall(r"\*(Healing|Gallery\s+health)\*, \*([^*]+)\*", text):
            assert " ".join(panel.split()) in titles, (name, dashboard)


async def test_a_runbook_is_a_page_without_scripts(served: Served) -> None:
    async with served.client.get("/runbooks/ConservatorBreakerOpen", headers=ADMIN) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/html; charset=utf-8"
        assert "script-src" not in response.headers["Content-Security-Policy"]
        page = await response.text()
    assert "<h1>ConservatorBreakerOpen</h1>" in page
    assert "conservator reset-breaker" in page
    assert "<script" not in page


@pytest.mark.parametrize("name", ["Nothing", "..%2f..%2fREADME", "conservatorbreakeropen"])
async def test_there_is_no_other_runbook(served: Served, name: str) -> None:
    async with served.client.get(f"/runbooks/{name}", headers=ADMIN) as response:
        assert response.status == 404


def test_html_in_a_runbook_is_text(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "Evil.md").write_text("# Evil\n\n<script>alert(1)</script>\n")
    monkeypatch.setattr("exporters.page.views._RUNBOOKS_OF_CHECKOUT", tmp_path)
    page = runbook_page("Evil")
    assert page is not None
    assert "<script>" not in page
