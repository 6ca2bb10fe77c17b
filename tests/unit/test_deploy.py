"""deploy/: no container engine runs here, so what can be read is read, and what can run, runs."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from aiohttp import web

from monitor.config import parse_config
from tests.support.grafana import ALERTS
from tests.support.prometheus import http_server

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
EXECUTABLE = "/opt/conservator/bin/conservator"
MOST_EXPOSED = 1.5
"""Of 10, by the reckoning of systemd-analyze security."""


def text(name: str) -> str:
    return (DEPLOY / name).read_text(encoding="utf-8")


def compose() -> dict[str, Any]:
    loaded = yaml.safe_load(text("compose.yaml"))
    assert isinstance(loaded, dict)
    return loaded


def mounts(service: str) -> dict[str, Path]:
    """What is mounted of the repository, by where."""
    volumes = [one.split(":") for one in compose()["services"][service]["volumes"]]
    return {one[1]: (DEPLOY / one[0]).resolve() for one in volumes if one[0].startswith(".")}


def configurations() -> str:
    """What the other programs are given, all together."""
    named = ("prometheus.yml", "alertmanager.yml", "provisioning/datasources/conservator.yaml")
    return "\n".join((ROOT / "grafana" / name).read_text(encoding="utf-8") for name in named)


def test_everything_that_is_mounted_is_there_and_read_only() -> None:
    for name, service in compose()["services"].items():
        assert all(path.exists() for path in mounts(name).values()), mounts(name)
        assert all(one.endswith(":ro") for one in service["volumes"] if one.startswith("."))


def test_every_named_volume_is_declared() -> None:
    used = {
        one.partition(":")[0]
        for service in compose()["services"].values()
        for one in service["volumes"]
        if not one.startswith(".")
    }
    assert used == set(compose()["volumes"])


def test_ports_and_names_are_those_that_the_configurations_use() -> None:
    said = configurations()
    services = compose()["services"]
    for name, service in services.items():
        [published] = service["ports"]
        host, outside, inside = published.split(":")
        assert host == "127.0.0.1"
        assert outside == inside
        if name != "grafana":
            assert f"{name}:{inside}" in said
    assert set(re.findall(r"\b([a-z]+):\d{4}\b", said)) == set(services) - {"grafana"}
    for name, links in (
        ("conservator", {alert.runbook_url for alert in ALERTS}),
        ("grafana", {alert.dashboard_url for alert in ALERTS}),
    ):
        port = services[name]["ports"][0].rpartition(":")[2]
        assert {urlsplit(link).netloc for link in links} == {f"localhost:{port}"}


def test_every_secret_is_one_that_is_mounted_and_stays_out_of_the_repository() -> None:
    services, secrets = compose()["services"], compose()["secrets"]
    read = set(re.findall(r"^[^#\n]*/run/secrets/(\w+)", configurations(), re.MULTILINE))
    assert read == set(services["alertmanager"]["secrets"])
    own = set(re.findall(r"/run/secrets/(\w+)", text("config.yaml")))
    assert own == set(services["conservator"]["secrets"])
    assert read | own == set(secrets)
    for secret in secrets.values():
        ignored = subprocess.run(
            ["git", "check-ignore", "--quiet", str(DEPLOY / secret["file"])], cwd=ROOT, check=False
        )
        assert ignored.returncode == 0


def test_grafana_finds_the_dashboards_where_they_are_mounted() -> None:
    mounted = mounts("grafana")
    provider = mounted["/etc/grafana/provisioning/dashboards"] / "conservator.yaml"
    [one] = yaml.safe_load(provider.read_text(encoding="utf-8"))["providers"]
    assert list(mounted[one["options"]["path"]].glob("*.json"))


def test_prometheus_accepts_its_configuration_as_it_is_mounted(tmp_path: Path) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed")
    for place, source in mounts("prometheus").items():
        target = tmp_path / place.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copy(source, target)
    config = tmp_path / "etc/prometheus/prometheus.yml"
    done = subprocess.run(
        ["promtool", "check", "config", str(config)], capture_output=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr.decode()


def test_the_configuration_of_the_service_is_one(tmp_path: Path) -> None:
    given = text("config.yaml").replace("/run/secrets/", "")
    for name in compose()["secrets"]:
        (tmp_path / name).write_text(f"a-token-for-{name}\n")
    environ = {"DATABASE_URL": "postgresql://user@host/database"}
    settings = parse_config(given, environ, source="config.yaml", base_dir=tmp_path)
    assert settings.server.host == "0.0.0.0"
    mounted = mounts("conservator")
    assert mounted["/etc/conservator/config.yaml"] == DEPLOY / "config.yaml"
    assert "/etc/conservator/config.yaml" in text("Dockerfile")
    assert "/etc/conservator/config.yaml" in text("conservator.service")


def test_nobody_runs_as_root_or_writes_to_its_root() -> None:
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", text("Dockerfile"), re.MULTILINE)
    for service in compose()["services"].values():
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]


def test_the_image_is_built_of_what_is_there_and_holds_what_the_package_needs() -> None:
    let_in = re.findall(r"^!(.+)$", text("Dockerfile.dockerignore"), re.MULTILINE)
    needed = {"pyproject.toml", "README.md", "LICENSE", "checks", "monitor", "exporters"}
    assert needed | {"requirements/run.txt"} <= set(let_in)
    assert all((ROOT / name).exists() for name in needed)
    copied = re.findall(r"^COPY (?!--from)(\S+) ", text("Dockerfile"), re.MULTILINE)
    assert all((ROOT / name).exists() for name in copied)


@pytest.mark.parametrize("status", [200, 503])
async def test_the_health_check_tells_a_service_that_lives_from_one_that_does_not(
    status: int,
) -> None:
    [check] = re.findall(r"^  CMD (\[.+\])$", text("Dockerfile"), re.MULTILINE)
    program, option, code = json.loads(check)
    assert (program, option) == ("python", "-c")
    asked = []

    async def healthz(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=status)

    async with http_server(healthz) as port:
        child = await _run(sys.executable, "-c", code.replace(":9855/", f":{port}/"))
    assert (child == 0) == (status == 200)
    assert asked == ["/healthz"]


async def _run(*command: str) -> int:
    """The status with which the command ends. It says nothing of what goes wrong."""
    devnull = asyncio.subprocess.DEVNULL
    child = await asyncio.create_subprocess_exec(*command, stdout=devnull, stderr=devnull)
    return await child.wait()


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    return subprocess.run(
        ["systemd-analyze", *arguments], capture_output=True, text=True, check=False, timeout=60
    )


def test_systemd_takes_the_unit_and_finds_it_little_exposed(tmp_path: Path) -> None:
    unit = tmp_path / "conservator.service"
    assert text("conservator.service").count(EXECUTABLE) == 1
    # The program is not installed there; everything else is as it is.
    unit.write_text(text("conservator.service").replace(EXECUTABLE, "/bin/true"))
    verified = analyze("verify", str(unit))
    assert (verified.returncode, verified.stderr) == (0, "")
    found = analyze("security", "--offline=true", "--no-pager", str(unit))
    exposed = re.search(r"exposure level for conservator.service: ([\d.]+)", found.stdout)
    assert exposed is not None, found.stderr
    assert float(exposed[1]) <= MOST_EXPOSED
