"""What Grafana, Prometheus and Alertmanager are given: valid, and of one mind with the service."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import Any
from urllib.parse import quote_plus, urlsplit

import pytest
import yaml

from exporters.http.auth import Access
from exporters.http.errors import MAX_BODY_BYTES
from exporters.http.healing import WAKING
from exporters.http.routes import ROUTES
from grafana.derive import DATASOURCE_UID, FOLDER, GRAFANA_FOLDER
from monitor.config import Server
from tests.support.grafana import ALERTS, JOB, Alert

NAMES = {alert.name for alert in ALERTS}


def read(name: str) -> Any:
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))


def longest_alert_bytes() -> int:
    """Of one of our alerts in a notification: as in the rules, its expression once more in a URL,
    and room for times, addresses and the labels of the series."""
    [group] = read("alerts/conservator.rules.yaml")["groups"]
    return max(
        len(json.dumps(rule)) + len(quote_plus(rule["expr"])) + 1_000 for rule in group["rules"]
    )


def of(kind: str) -> dict[str, Any]:
    """The provisioned data source of this kind."""
    found = read("provisioning/datasources/conservator.yaml")["datasources"]
    [one] = [source for source in found if source["type"] == kind]
    return dict(one)


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One of the tools, run to its end; skips where it is not installed."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed: sh tests/packages.sh")
    return subprocess.run(
        [program, *arguments], capture_output=True, text=True, check=False, timeout=60
    )


def test_the_rules_of_grafana_ask_the_data_source_that_is_provisioned() -> None:
    source = of("prometheus")
    assert source["uid"] == DATASOURCE_UID
    assert source["isDefault"]
    [group] = read("provisioning/alerting/conservator.yaml")["groups"]
    asked = {query["datasourceUid"] for rule in group["rules"] for query in rule["data"]}
    assert asked == {DATASOURCE_UID, "__expr__"}
    assert source["jsonData"]["alertmanagerUid"] == of("alertmanager")["uid"]


def test_rates_are_taken_over_what_is_scraped() -> None:
    assert (
        of("prometheus")["jsonData"]["timeInterval"]
        == read("prometheus.yml")["global"]["scrape_interval"]
    )


def test_dashboards_and_alerts_share_a_folder() -> None:
    [provider] = read("provisioning/dashboards/conservator.yaml")["providers"]
    assert provider["folder"] == GRAFANA_FOLDER
    assert provider["options"]["path"] == "/etc/grafana/dashboards"


def test_prometheus_scrapes_the_job_that_the_rules_know() -> None:
    config = read("prometheus.yml")
    [job] = config["scrape_configs"]
    assert job["job_name"] == JOB
    [targets] = job["static_configs"]
    assert targets["targets"] == [f"conservator:{Server().port}"]
    # A pattern that matches nothing would pass every check.
    assert [(FOLDER / name).is_file() for name in config["rule_files"]] == [True]


def test_grafana_and_prometheus_reach_the_same_alertmanager() -> None:
    [manager] = read("prometheus.yml")["alerting"]["alertmanagers"]
    [targets] = manager["static_configs"]
    assert [f"http://{target}" for target in targets["targets"]] == [of("alertmanager")["url"]]


def test_promtool_finds_nothing_wrong() -> None:
    done = run("promtool", "check", "config", "--lint-fatal", str(FOLDER / "prometheus.yml"))
    assert done.returncode == 0, done.stderr
    assert f"{len(ALERTS)} rules found" in done.stdout


def test_amtool_finds_nothing_wrong() -> None:
    done = run("amtool", "check-config", str(FOLDER / "alertmanager.yml"))
    assert done.returncode == 0, done.stderr


def test_the_webhook_is_the_route_that_takes_alerts() -> None:
    [receiver] = [one for one in read("alertmanager.yml")["receivers"] if len(one) > 1]
    [hook] = receiver["webhook_configs"]
    url = urlsplit(hook["url"])
    assert ("POST", url.path) in {
        (route.method, route.path) for route in ROUTES if route.access is Access.ALERT
    }
    assert (url.hostname, url.port) == (JOB, Server().port)
    assert hook["send_resolved"]
    assert hook["http_config"]["authorization"].keys() == {"credentials_file"}
    assert hook["max_alerts"] * longest_alert_bytes() <= MAX_BODY_BYTES


@pytest.mark.parametrize("alert", ALERTS, ids=lambda one: one.name)
def test_every_alert_reaches_whom_its_severity_says(alert: Alert) -> None:
    told = ["now" if alert.severity == "critical" else "today"]
    if alert.name == WAKING:
        told.insert(0, "conservator")
    config = f"--config.file={FOLDER / 'alertmanager.yml'}"
    labels = [f"alertname={alert.name}", f"severity={alert.severity}", f"job={JOB}"]
    done = run("amtool", "config", "routes", "test", config, *labels)
    assert (done.returncode, done.stdout.strip()) == (0, ",".join(told))


def test_what_alertmanager_names_are_alerts_that_there_are() -> None:
    text = (FOLDER / "alertmanager.yml").read_text(encoding="utf-8")
    named = set(re.findall(r"Conservator\w+", text))
    assert WAKING in named
    assert named <= NAMES
