"""The alerts as Grafana-managed rules, for provisioning."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import yaml

from grafana.generate.alerts import Alert
from grafana.generate.places import Places

FOLDER = "conservator"
DATASOURCE_UID = "conservator-prometheus"
"""As provisioned in grafana/provisioning/datasources."""
_INTERVAL = "1m"
_LOOK_BACK_SECONDS = 600
HEADER = """\
# Made by `python -m grafana.generate` from grafana/generate/alerts.py: edit that.
"""


def provisioning(alerts: Sequence[Alert], places: Places) -> str:
    """The file."""
    group = {
        "orgId": 1,
        "name": "conservator",
        "folder": FOLDER,
        "interval": _INTERVAL,
        "rules": [_rule(one, places) for one in alerts],
    }
    document = {"apiVersion": 1, "groups": [group]}
    return HEADER + yaml.safe_dump(document, sort_keys=False, width=100, allow_unicode=True)


def _rule(alert: Alert, places: Places) -> dict[str, Any]:
    rule: dict[str, Any] = {
        "uid": "conservator-" + hashlib.sha256(alert.name.encode()).hexdigest()[:20],
        "title": alert.name,
        "condition": "B",
        "data": [_query(alert), _condition()],
        # A query that finds nothing means that all is well: expressions filter.
        "noDataState": "OK",
        "execErrState": "Error",
        "for": alert.hold,
        "annotations": {
            "summary": _templated(alert.summary),
            "description": _templated(alert.description),
            "runbook_url": places.runbook(alert.name),
            "__dashboardUid__": alert.dashboard,
            "__panelId__": str(places.panels[alert.dashboard, alert.panel]),
        },
        "labels": {"severity": alert.severity.value},
        "isPaused": False,
    }
    if alert.keep is not None:
        rule["keep_firing_for"] = alert.keep
    return rule


def _query(alert: Alert) -> dict[str, Any]:
    return {
        "refId": "A",
        "relativeTimeRange": {"from": _LOOK_BACK_SECONDS, "to": 0},
        "datasourceUid": DATASOURCE_UID,
        "model": {"refId": "A", "expr": alert.expr, "instant": True, "range": False},
    }


def _condition() -> dict[str, Any]:
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


def _templated(text: str) -> str:
    """Prometheus' `$value` is the value of the condition in Grafana, of the query it is this."""
    return text.replace("$value", "$values.A.Value")
