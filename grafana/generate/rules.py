"""The alerts as a rule file of Prometheus."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from grafana.generate.alerts import Alert
from grafana.generate.places import Places

GROUP = "conservator"
HEADER = """\
# Made by `python -m grafana.generate` from grafana/generate/alerts.py: edit that.
#
# Prometheus 2.42 or later (keep_firing_for). For other addresses in runbook_url and dashboard_url,
# make it anew with --service and --grafana.
"""


def rule_file(alerts: Sequence[Alert], places: Places) -> str:
    """The file."""
    document = {"groups": [{"name": GROUP, "rules": [_rule(one, places) for one in alerts]}]}
    return HEADER + yaml.safe_dump(document, sort_keys=False, width=100, allow_unicode=True)


def _rule(alert: Alert, places: Places) -> dict[str, Any]:
    rule: dict[str, Any] = {"alert": alert.name, "expr": alert.expr, "for": alert.hold}
    if alert.keep is not None:
        rule["keep_firing_for"] = alert.keep
    rule["labels"] = {"severity": alert.severity.value}
    rule["annotations"] = {
        "summary": alert.summary,
        "description": alert.description,
        "runbook_url": places.runbook(alert.name),
        "dashboard_url": places.panel(alert.dashboard, alert.panel),
    }
    return rule
