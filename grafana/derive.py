"""Makes the Grafana-managed alert rules, and those of the Prometheus operator, from the Prometheus
rules: `python -m grafana.derive`.

The Prometheus rules are the source, as people edit them. With --check nothing is written: exit 1
where what is there is not what would be made.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

FOLDER = Path(__file__).parent
SOURCE = "alerts/conservator.rules.yaml"
TARGET = "provisioning/alerting/conservator.yaml"
OPERATOR_TARGET = "../deploy/kubernetes/prometheusrule.yaml"

GRAFANA_FOLDER = "conservator"
"""The folder in Grafana in which the rules appear, beside the dashboards."""
DATASOURCE_UID = "conservator-prometheus"
"""As provisioned in grafana/provisioning/datasources."""
LOOK_BACK_SECONDS = 600
HEADER = f"# Made by `python -m grafana.derive` from grafana/{SOURCE}: edit that.\n"

Json = dict[str, Any]


def derive_rules(source: str) -> str:
    """The provisioning file of Grafana that holds the same alerts as this Prometheus rule file."""
    groups = [
        {
            "orgId": 1,
            "name": group["name"],
            "folder": GRAFANA_FOLDER,
            "interval": "1m",
            "rules": [_managed_rule(rule) for rule in group["rules"]],
        }
        for group in yaml.safe_load(source)["groups"]
    ]
    return _written({"apiVersion": 1, "groups": groups})


def derive_operator_rules(source: str) -> str:
    """The PrometheusRule that holds the same alerts, for the Prometheus operator."""
    return _written(
        {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "PrometheusRule",
            "metadata": {"name": "conservator"},
            "spec": {"groups": yaml.safe_load(source)["groups"]},
        }
    )


DERIVED = {TARGET: derive_rules, OPERATOR_TARGET: derive_operator_rules}
"""What is made, each below grafana/."""


def _written(document: Json) -> str:
    return HEADER + yaml.safe_dump(document, sort_keys=False, width=100, allow_unicode=True)


def _managed_rule(rule: Json) -> Json:
    managed = {
        "uid": "conservator-" + hashlib.sha256(rule["alert"].encode()).hexdigest()[:20],
        "title": rule["alert"],
        "condition": "B",
        "data": [_query(rule["expr"]), _condition()],
        # A query that finds nothing means that all is well: expressions filter.
        "noDataState": "OK",
        "execErrState": "Error",
        "for": rule["for"],
        "annotations": _annotations(rule["annotations"]),
        "labels": rule["labels"],
        "isPaused": False,
    }
    if "keep_firing_for" in rule:
        managed["keep_firing_for"] = rule["keep_firing_for"]
    return managed


def _query(expr: str) -> Json:
    return {
        "refId": "A",
        "relativeTimeRange": {"from": LOOK_BACK_SECONDS, "to": 0},
        "datasourceUid": DATASOURCE_UID,
        "model": {"refId": "A", "expr": expr, "instant": True, "range": False},
    }


def _condition() -> Json:
    """Whatever the query returns: a comparison in PromQL keeps what is true, with its value, which
    may be 0."""
    return {
        "refId": "B",
        "relativeTimeRange": {"from": 0, "to": 0},
        "datasourceUid": "__expr__",
        "model": {
            "refId": "B",
            "type": "math",
            "expression": "is_number($A) || is_inf($A)",
            "datasource": {"type": "__expr__", "uid": "__expr__"},
        },
    }


def _annotations(annotations: Json) -> Json:
    """The texts with Grafana's name for the query's value (`$value` is there the condition's), and
    the panel by dashboard and number instead of by address."""
    panel = urlsplit(annotations["dashboard_url"])
    return {
        "summary": annotations["summary"].replace("$value", "$values.A.Value"),
        "description": annotations["description"].replace("$value", "$values.A.Value"),
        "runbook_url": annotations["runbook_url"],
        "__dashboardUid__": panel.path.rpartition("/")[2],
        "__panelId__": parse_qs(panel.query)["viewPanel"][0],
    }


def main(arguments: list[str] | None = None, folder: Path = FOLDER) -> int:
    """Writes the files as seen from `folder`, or says (exit 1) which are out of date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    check = parser.parse_args(arguments).check
    source = (folder / SOURCE).read_text(encoding="utf-8")
    wanted = {folder / target: derive(source) for target, derive in DERIVED.items()}
    stale = [
        path
        for path, text in wanted.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    for path in stale:
        if check:
            sys.stdout.write(f"{path.name} is out of date: run python -m grafana.derive\n")
        else:
            path.write_text(wanted[path], encoding="utf-8")
            sys.stdout.write(f"{path} written\n")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
