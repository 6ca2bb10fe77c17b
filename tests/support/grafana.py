"""What stands in grafana/: the alerts of the Prometheus rules, and the dashboards."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import yaml

from grafana.derive import FOLDER, SOURCE

JOB = "conservator"
"""The job of the scrape configuration; only what is said about targets needs it."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert of the Prometheus rules."""

    name: str
    expr: str
    severity: str
    runbook_url: str
    dashboard_url: str


def read_alerts() -> tuple[Alert, ...]:
    """Every alert, in the order of the file."""
    [group] = yaml.safe_load((FOLDER / SOURCE).read_text(encoding="utf-8"))["groups"]
    return tuple(
        Alert(
            rule["alert"],
            rule["expr"],
            rule["labels"]["severity"],
            rule["annotations"]["runbook_url"],
            rule["annotations"]["dashboard_url"],
        )
        for rule in group["rules"]
    )


def read_dashboards() -> tuple[dict[str, Any], ...]:
    """Every dashboard, by file name."""
    return tuple(
        json.loads(path.read_text(encoding="utf-8"))
        for path in sorted((FOLDER / "dashboards").glob("*.json"))
    )


ALERTS = read_alerts()
DASHBOARDS = read_dashboards()
