"""Makes the Grafana-managed alert rules from the Prometheus rules: `python -m grafana.derive`.

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
    document = {"apiVersion": 1, "groups": groups}
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
    """Writes the file below `folder`, or says (exit 1) that it is out of date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    check = parser.parse_args(arguments).check
    derived = derive_rules((folder / SOURCE).read_text(encoding="utf-8"))
    path = folder / TARGET
    if path.exists() and path.read_text(encoding="utf-8") == derived:
        return 0
    if check:
        sys.stdout.write(f"grafana/{TARGET} is out of date: run python -m grafana.derive\n")
        return 1
    path.write_text(derived, encoding="utf-8")
    sys.stdout.write(f"grafana/{TARGET} written\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
