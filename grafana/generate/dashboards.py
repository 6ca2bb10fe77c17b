"""What both dashboards have in common: variables, links, refresh."""

from __future__ import annotations

from collections.abc import Sequence

from grafana.generate.panels import DATASOURCE, Json, Row, laid_out

SCHEMA_VERSION = 39
"""Of Grafana 11; later versions upgrade it when they load it."""
REFRESH = "1m"
"""The census is taken every minute: nothing newer is to be had."""
TAG = "conservator"


def _variable(name: str, label: str, query: str) -> Json:
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": DATASOURCE,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "allValue": ".+",
        "current": {"text": ["All"], "value": ["$__all"]},
        "options": [],
        "regex": "",
        "sort": 1,
        "hide": 0,
    }


def _datasource() -> Json:
    return {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
        "options": [],
        "regex": "",
        "multi": False,
        "includeAll": False,
        "hide": 0,
        "refresh": 1,
    }


def _runs() -> Json:
    """Heal runs that ended, as marks on every panel."""
    return {
        "name": "Heal runs",
        "datasource": DATASOURCE,
        "enable": True,
        "hide": False,
        "iconColor": "blue",
        "expr": 'changes(conservator_heal_runs_total{job=~"$job",instance=~"$instance"}[1m]) > 0',
        "step": "1m",
        "titleFormat": "Heal run ended",
        "useValueForTime": False,
    }


def dashboard(
    uid: str, title: str, description: str, rows: Sequence[Row], *, other: tuple[str, str]
) -> Json:
    """The whole document; `other`: title and uid of the dashboard that it links to."""
    return {
        "uid": uid,
        "title": title,
        "description": description,
        "tags": [TAG],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": REFRESH,
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "timepicker": {"refresh_intervals": ["1m", "5m", "15m"]},
        "templating": {
            "list": [
                _datasource(),
                _variable("job", "Job", "label_values(conservator_build_info, job)"),
                _variable(
                    "instance",
                    "Instance",
                    'label_values(conservator_build_info{job=~"$job"}, instance)',
                ),
            ]
        },
        "annotations": {"list": [_runs()]},
        "links": [
            {
                "title": other[0],
                "type": "link",
                "icon": "dashboard",
                "url": f"/d/{other[1]}",
                "keepTime": True,
                "includeVars": True,
                "targetBlank": False,
                "asDropdown": False,
                "tags": [],
                "tooltip": "",
            }
        ],
        "panels": laid_out(rows),
    }
