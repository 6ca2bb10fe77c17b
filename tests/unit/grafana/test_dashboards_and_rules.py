"""Dashboards and rules name only what there is, and Grafana's rules are those of Prometheus."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from exporters.http.limits import RefusedCalls
from grafana.derive import DERIVED, FOLDER, SOURCE, TARGET, main
from tests.support.builders import all_measured
from tests.support.grafana import ALERTS, DASHBOARDS, Alert
from tests.unit.exporters.scrape import series

KINDS = {"row", "stat", "timeseries", "table", "heatmap", "state-timeline"}
METRIC = re.compile(r"\bconservator_[a-z_]+")
UNSHOWN = {
    # The histogram's other parts: the buckets are shown.
    "conservator_heal_batch_duration_seconds_count",
    "conservator_heal_batch_duration_seconds_sum",
}


def exported() -> set[str]:
    own = {f"{family.name}_total" for family in RefusedCalls().collect()}
    return {f"conservator_{name}" for name, _ in series(all_measured())} | own


def panels() -> Iterator[dict[str, Any]]:
    for document in DASHBOARDS:
        yield from (panel for panel in document["panels"] if panel["type"] != "row")


def expressions() -> Iterator[str]:
    for panel in panels():
        yield from (target["expr"] for target in panel["targets"])
    for document in DASHBOARDS:
        yield from (one["expr"] for one in document["annotations"]["list"])
        for variable in document["templating"]["list"]:
            yield variable["query"]["query"] if isinstance(variable["query"], dict) else ""
    yield from (alert.expr for alert in ALERTS)


def test_the_rules_of_grafana_are_what_those_of_prometheus_make() -> None:
    assert main(["--check"]) == 0, "run python -m grafana.derive"


def test_rules_that_are_out_of_date_are_found_and_made_anew(tmp_path: Path) -> None:
    folder = tmp_path / "grafana"
    folder.mkdir()
    for name in (SOURCE, *DERIVED):
        (folder / name).parent.mkdir(parents=True)
        shutil.copy(FOLDER / name, folder / name)
    assert main(["--check"], folder) == 0
    source = (folder / SOURCE).read_text(encoding="utf-8")
    (folder / SOURCE).write_text(source.replace("for: 30m", "for: 31m"), encoding="utf-8")
    assert main(["--check"], folder) == 1
    assert main([], folder) == 0
    for name in DERIVED:
        assert "for: 31m" in (folder / name).read_text(encoding="utf-8")
    assert main(["--check"], folder) == 0


def test_every_metric_that_is_asked_for_is_exported_and_every_exported_one_is_asked_for() -> None:
    asked = {name for expression in expressions() for name in METRIC.findall(expression)}
    assert asked - exported() == set()
    assert exported() - asked == UNSHOWN


@pytest.mark.parametrize("document", DASHBOARDS, ids=lambda one: one["uid"])
def test_panels_have_numbers_of_their_own_and_do_not_overlap(document: dict[str, Any]) -> None:
    numbers = [panel["id"] for panel in document["panels"]]
    assert len(set(numbers)) == len(numbers)
    titles = [panel["title"] for panel in document["panels"]]
    assert len(set(titles)) == len(titles)
    for one, other in combinations((panel["gridPos"] for panel in document["panels"]), 2):
        assert (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert one["x"] + one["w"] <= 24


@pytest.mark.parametrize("panel", list(panels()), ids=lambda one: one["title"])
def test_every_panel_says_what_it_shows_in_which_unit(panel: dict[str, Any]) -> None:
    assert panel["type"] in KINDS
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    for target in panel["targets"]:
        assert "$job" in target["expr"]
        assert not re.search(r"(rate|increase)\([^)]*\[\d", target["expr"]), "$__rate_interval"


@pytest.mark.parametrize("document", DASHBOARDS, ids=lambda one: one["uid"])
def test_one_data_source_and_variables_that_mean_all(document: dict[str, Any]) -> None:
    datasource, *others = document["templating"]["list"]
    assert datasource["type"] == "datasource"
    assert [one["name"] for one in others] == ["job", "instance"]
    assert all(one["multi"] and one["allValue"] == ".+" for one in others)
    assert document["refresh"] == "1m"


@pytest.mark.parametrize("document", DASHBOARDS, ids=lambda one: one["uid"])
def test_everything_asks_the_data_source_that_was_chosen(document: dict[str, Any]) -> None:
    shown = [panel for panel in document["panels"] if panel["type"] != "row"]
    asking = [*shown, *(target for panel in shown for target in panel["targets"])]
    asking += document["annotations"]["list"]
    asking += [one for one in document["templating"]["list"] if one["type"] == "query"]
    assert {one["datasource"]["uid"] for one in asking} == {"${datasource}"}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda one: one.name)
def test_an_alert_leads_to_its_runbook_and_to_a_panel_that_there_is(alert: Alert) -> None:
    assert alert.severity in {"critical", "warning"}
    assert urlsplit(alert.runbook_url).path == f"/runbooks/{alert.name}"
    numbers = {
        f"/d/{board['uid']}?viewPanel={panel['id']}"
        for board in DASHBOARDS
        for panel in board["panels"]
        if panel["type"] != "row"
    }
    address = urlsplit(alert.dashboard_url)
    assert f"{address.path}?{address.query}" in numbers


def test_rules_are_the_same_for_prometheus_and_for_grafana() -> None:
    (group,) = yaml.safe_load((FOLDER / SOURCE).read_text(encoding="utf-8"))["groups"]
    (managed,) = yaml.safe_load((FOLDER / TARGET).read_text(encoding="utf-8"))["groups"]
    by_name = {rule["title"]: rule for rule in managed["rules"]}
    assert len(by_name) == len(group["rules"]) == len(ALERTS)
    for rule in group["rules"]:
        other = by_name[rule["alert"]]
        assert other["data"][0]["model"]["expr"] == rule["expr"]
        assert other["for"] == rule["for"]
        assert other.get("keep_firing_for") == rule.get("keep_firing_for")
        assert other["labels"] == rule["labels"]
        assert "$value " not in other["annotations"]["summary"]
        for told in (rule["annotations"], other["annotations"]):
            assert told["runbook_url"].endswith(f"/runbooks/{rule['alert']}")
    uids = [rule["uid"] for rule in managed["rules"]]
    assert len(set(uids)) == len(uids)
    assert all(len(uid) <= 40 for uid in uids)
