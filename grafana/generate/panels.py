"""Panels of a Grafana dashboard, from what is said about them to JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

WIDTH = 24
"""Columns of Grafana's grid."""
DATASOURCE: Json = {"type": "prometheus", "uid": "${datasource}"}
SELECT = 'job=~"$job",instance=~"$instance"'
"""What every query selects by; both variables are `.+` for all."""


@dataclass(frozen=True, slots=True)
class Query:
    """One PromQL query; `$__rate_interval` where it takes a rate."""

    expr: str
    legend: str = "__auto"
    instant: bool = False
    form: str = "time_series"
    """time_series, table or heatmap."""


@dataclass(frozen=True, slots=True)
class Step:
    """From `value` on (None: from the least), this colour."""

    value: float | None
    color: str

    def json(self) -> Json:
        """As Grafana has it."""
        return {"value": self.value, "color": self.color}


GREEN = Step(None, "green")
PLAIN = (Step(None, "text"),)


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. `unit` is one of Grafana's: short, s, bytes, percentunit, dateTimeFromNow, …"""

    title: str
    description: str
    kind: str
    unit: str
    queries: tuple[Query, ...]
    width: int
    height: int
    steps: tuple[Step, ...] = PLAIN
    options: Mapping[str, Any] = field(default_factory=dict)
    custom: Mapping[str, Any] = field(default_factory=dict)
    mappings: tuple[Mapping[str, Any], ...] = ()
    overrides: tuple[Mapping[str, Any], ...] = ()
    transformations: tuple[Mapping[str, Any], ...] = ()
    links: tuple[Mapping[str, Any], ...] = ()
    no_value: str | None = None
    """Shown where there is no data."""

    def json(self, number: int, x: int, y: int) -> Json:
        """As Grafana has it, at a place in the grid."""
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.description,
            "datasource": DATASOURCE,
            "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height},
            "targets": [
                {
                    "refId": chr(ord("A") + place),
                    "datasource": DATASOURCE,
                    "expr": query.expr,
                    "legendFormat": query.legend,
                    "range": not query.instant,
                    "instant": query.instant,
                    "format": query.form,
                }
                for place, query in enumerate(self.queries)
            ],
            "fieldConfig": {
                "defaults": {
                    "unit": self.unit,
                    **({} if self.no_value is None else {"noValue": self.no_value}),
                    "mappings": [dict(one) for one in self.mappings],
                    "thresholds": {
                        "mode": "absolute",
                        "steps": [step.json() for step in self.steps],
                    },
                    "custom": dict(self.custom),
                },
                "overrides": [dict(one) for one in self.overrides],
            },
            "options": dict(self.options),
            "transformations": [dict(one) for one in self.transformations],
            "links": [dict(one) for one in self.links],
        }


@dataclass(frozen=True, slots=True)
class Row:
    """A heading with panels below it, laid out from left to right."""

    title: str
    panels: tuple[Panel, ...]


def laid_out(rows: Sequence[Row]) -> list[Json]:
    """Every panel with a number and a place; no two of them overlap."""
    made: list[Json] = []
    y = 0
    for row in rows:
        made.append(
            {
                "id": len(made) + 1,
                "type": "row",
                "title": row.title,
                "collapsed": False,
                "gridPos": {"x": 0, "y": y, "w": WIDTH, "h": 1},
                "panels": [],
            }
        )
        y += 1
        x = height = 0
        for panel in row.panels:
            if x + panel.width > WIDTH:
                x, y, height = 0, y + height, 0
            made.append(panel.json(len(made) + 1, x, y))
            x += panel.width
            height = max(height, panel.height)
        y += height
    return made


def stat(
    title: str,
    description: str,
    unit: str,
    expr: str,
    *,
    steps: tuple[Step, ...] = PLAIN,
    mappings: tuple[Mapping[str, Any], ...] = (),
    width: int = 4,
    height: int = 4,
    no_value: str = "no data",
) -> Panel:
    """One number, the newest; with its course behind it."""
    return Panel(
        title,
        description,
        "stat",
        unit,
        (Query(expr),),
        width,
        height,
        steps=steps,
        mappings=mappings,
        options={
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "colorMode": "value",
            "graphMode": "area",
            "justifyMode": "auto",
            "textMode": "auto",
            "orientation": "auto",
        },
        no_value=no_value,
    )


def series(
    title: str,
    description: str,
    unit: str,
    *queries: Query,
    width: int = 12,
    height: int = 8,
    stacked: bool = False,
    bars: bool = False,
    steps: tuple[Step, ...] = PLAIN,
    line_at: bool = False,
) -> Panel:
    """Lines over time; `line_at` draws the thresholds."""
    return Panel(
        title,
        description,
        "timeseries",
        unit,
        queries,
        width,
        height,
        steps=steps,
        options={
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        custom={
            "drawStyle": "bars" if bars else "line",
            "lineInterpolation": "linear",
            "lineWidth": 1,
            "fillOpacity": 60 if bars else 10,
            "showPoints": "never",
            "spanNulls": False,
            "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
            "thresholdsStyle": {"mode": "line" if line_at else "off"},
        },
    )


def said(*pairs: tuple[float, str, str]) -> tuple[Mapping[str, Any], ...]:
    """Numbers as words: (number, word, colour)."""
    options = {
        f"{number:g}": {"text": word, "color": color, "index": place}
        for place, (number, word, color) in enumerate(pairs)
    }
    return ({"type": "value", "options": options},)
