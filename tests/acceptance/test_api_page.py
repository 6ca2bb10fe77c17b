"""docs/api.md: every call and every code that there is, and every example as it really is."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from exporters.http.auth import Access
from tests.support.commands import ADMIN_TOKEN, Running, gallery_at, on_one_server
from tests.support.http import Client
from tests.support.openapi import CALLS, codes
from tests.support.repairing import MISSPELT, TIERS

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
TOKEN_OF = {
    Access.PUBLIC: "none",
    Access.READ: "read",
    Access.BACKFILL: "app",
    Access.ALERT: "alert",
    Access.ADMIN: "admin",
}
WITHOUT_A_CALL = {"not_found", "method_not_allowed"}
"""What is answered where there is no such path or method."""
APP_TOKEN = "app-token-of-the-acceptance-tests"
ROW = re.compile(r"^\| `(GET|POST) (/\S*)` \| .+ \| (\w+) \|$", re.MULTILINE)
BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)


def test_the_page_lists_every_call_with_its_token_and_no_others() -> None:
    listed = {(method, path): token for method, path, token in ROW.findall(PAGE)}
    assert listed == {call: TOKEN_OF[route.access] for call, route in CALLS.items()}


def test_the_page_lists_every_code_with_its_status_and_no_others() -> None:
    listed = {
        (int(status), code)
        for statuses, row in re.findall(r"^\| ([0-9, ]+) \| (.*) \|$", PAGE, re.MULTILINE)
        for status in statuses.split(", ")
        for code in re.findall(r"`(\w+)`", row)
    }
    described = {
        (reply, code)
        for method, path in CALLS
        for reply in range(400, 600)
        for code in codes(method, path, reply)
    }
    assert {code for _, code in listed} == {code for _, code in described} | WITHOUT_A_CALL
    assert described <= listed


def examples() -> Iterator[tuple[str, Any]]:
    """Every command, with the answer that follows it; None where none is shown."""
    for block in BLOCK.findall(PAGE):
        lines = block.splitlines()
        for line, following in zip(lines, [*lines[1:], "$"], strict=True):
            if line.startswith("$ "):
                shown = None if following.startswith("$") else json.loads(following)
                yield line.removeprefix("$ "), shown


def run(command: str, service: Running, **tokens: str) -> Any:
    """What the command answers."""
    address = service.client().address.removeprefix("http://").rstrip("/")
    ended = subprocess.run(
        ["/bin/sh", "-c", command.replace("localhost:9855", address)],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        env={"PATH": "/usr/bin:/bin:/usr/local/bin", **tokens},
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


@on_one_server
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_every_example_answers_what_the_page_shows(
    app_database_url: str, tmp_path: Path
) -> None:
    server = {"port": 0, "admin_token": ADMIN_TOKEN, "app_token": APP_TOKEN}
    # Nothing but the examples heals anybody.
    work = await gallery_at(
        app_database_url,
        tmp_path,
        server=server,
        healing={"threshold": 10**9},
        repairs=[{**TIERS, "name": "orphans"}],
    )
    work.rows(MISSPELT)
    user, tried = work.affected_user(), 0
    with work.started("serve") as service:
        client = service.client()
        service.until(lambda: client.get("api/artworks/stats").status == 200)
        numbers = {"12": "12", "13": "13"}
        for command, shown in examples():
            called = re.sub(r"\b42\b", user, command)
            for told, real in numbers.items():
                called = re.sub(rf"\b{told}\b", real, called)
            answer = run(called, service, ADMIN_TOKEN=ADMIN_TOKEN, APP_TOKEN=APP_TOKEN)
            assert "error" not in answer, (called, answer)
            if shown is not None:
                assert set(answer) == set(shown), called
                tried += 1
            if "run_id" in answer:
                numbers[str(shown["run_id"])] = str(answer["run_id"])
                service.until(partial(has_ended, client, answer["run_id"]))
        assert tried >= 10
        assert service.stop().code == 0


def has_ended(client: Client, run_id: int) -> bool:
    return bool(client.get(f"api/runs/{run_id}").json["run"]["state"] == "succeeded")
