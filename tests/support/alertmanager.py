"""A real Prometheus and a real Alertmanager with what is committed, only faster."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from grafana.derive import FOLDER
from tests.support.child import ChildProcess
from tests.support.http import Client
from tests.support.prometheus import PROGRAM, free_port
from tests.support.waiting import wait_until

ALERTMANAGER = "/usr/bin/prometheus-alertmanager"
LOCAL = "127.0.0.1"

_DURATION = r"(\d+[smhd])+$"
_FAST = {
    "for": "1s",
    "keep_firing_for": "0s",
    "scrape_interval": "500ms",
    "scrape_timeout": "500ms",
    "evaluation_interval": "500ms",
    "group_wait": "0s",
    "group_interval": "1s",
    "repeat_interval": "1h",
}


def faster(text: str) -> str:
    """The same configuration with every interval and every `for` short; expressions are kept."""
    for key, value in _FAST.items():
        text = re.sub(rf"^(\s*){key}: {_DURATION}", rf"\g<1>{key}: {value}", text, flags=re.M)
    return text


def committed(name: str, *changes: tuple[str, str]) -> str:
    """A committed file, faster, with addresses of this test in place of the composed ones."""
    text = faster((FOLDER / name).read_text(encoding="utf-8"))
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    return text


@dataclass(frozen=True)
class Stack:
    """Prometheus and Alertmanager, by address."""

    prometheus: Client
    alertmanager: Client

    def query(self, expression: str) -> list[dict[str, Any]]:
        """What an instant query returns; AssertionError for one that is wrong."""
        answer = self.prometheus.get(f"api/v1/query?query={quote(expression, safe='')}")
        assert answer.status == 200, f"{expression}: {answer.text}"
        return list(answer.json["data"]["result"])

    def firing(self) -> set[str]:
        """Names of the alerts that fire in Prometheus."""
        alerts = self.prometheus.get("api/v1/alerts").json["data"]["alerts"]
        return {one["labels"]["alertname"] for one in alerts if one["state"] == "firing"}

    def told(self) -> dict[str, dict[str, Any]]:
        """The alerts that Alertmanager knows, by name, with their status."""
        alerts = self.alertmanager.get("api/v2/alerts").json
        return {one["labels"]["alertname"]: one["status"] for one in alerts}


@asynccontextmanager
async def alertmanager(folder: Path, service_port: int, token: str) -> AsyncIterator[Client]:
    """An Alertmanager that calls the service at this port with this token."""
    _require(ALERTMANAGER)
    (folder / "alert_token").write_text(f"{token}\n")
    config = committed(
        "alertmanager.yml",
        ("conservator:9855", f"{LOCAL}:{service_port}"),
        ("/run/secrets/conservator_alert_token", str(folder / "alert_token")),
    )
    (folder / "alertmanager.yml").write_text(config)
    port = free_port()
    async with _running(
        folder,
        [
            ALERTMANAGER,
            f"--config.file={folder / 'alertmanager.yml'}",
            f"--storage.path={folder / 'alertmanager'}",
            f"--web.listen-address={LOCAL}:{port}",
            "--cluster.listen-address=",
        ],
    ):
        client = Client(f"http://{LOCAL}:{port}/")
        await wait_until(_answers(client, "-/ready"))
        yield client


@asynccontextmanager
async def stack(folder: Path, service_port: int, token: str) -> AsyncIterator[Stack]:
    """Both, over the service at this port. Skips where one of them is not installed."""
    _require(PROGRAM)
    async with alertmanager(folder, service_port, token) as manager:
        address = manager.address.removeprefix("http://").rstrip("/")
        config = committed(
            "prometheus.yml",
            ("conservator:9855", f"{LOCAL}:{service_port}"),
            ("alertmanager:9093", address),
        )
        (folder / "prometheus.yml").write_text(config)
        (folder / "alerts").mkdir()
        rules = "alerts/conservator.rules.yaml"
        (folder / rules).write_text(committed(rules))
        port = free_port()
        async with _running(
            folder,
            [
                PROGRAM,
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={LOCAL}:{port}",
                "--rules.alert.resend-delay=1s",
            ],
        ):
            client = Client(f"http://{LOCAL}:{port}/")
            await wait_until(_answers(client, "-/ready"))
            yield Stack(client, manager)


def _require(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed: sh tests/packages.sh")


def _answers(client: Client, path: str) -> Callable[[], bool]:
    def ready() -> bool:
        try:
            return client.get(path).status == 200
        except OSError:
            return False

    return ready


@asynccontextmanager
async def _running(folder: Path, command: list[str]) -> AsyncIterator[None]:
    """A program, ended with the context."""
    program = ChildProcess(
        command,
        output=folder / f"{Path(command[0]).name}.log",
        directory=folder,
    )
    try:
        yield
    finally:
        await asyncio.to_thread(program.kill)
