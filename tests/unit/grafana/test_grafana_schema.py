"""The committed dashboards against the types of @grafana/schema (tests/schemas/grafana)."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from grafana.derive import FOLDER

SCHEMA: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "schemas" / "grafana" / "schema.json").read_text("utf-8")
)
DASHBOARDS = sorted((FOLDER / "dashboards").glob("*.json"))
PROMETHEUS_ANNOTATION = {"expr", "step", "titleFormat", "useValueForTime"}
PACK = SCHEMA["definitions"]["Pack"]["properties"]


def faults(value: object, *place: str) -> list[str]:
    """What is wrong with `value` at this place of Pack, each with its path."""
    schema: dict[str, Any] = {"definitions": SCHEMA["definitions"], **_at(place)}
    found = Draft7Validator(schema).iter_errors(value)
    return [f"{'.'.join(map(str, error.absolute_path))}: {error.message[:200]}" for error in found]


def _at(place: tuple[str, ...]) -> dict[str, Any]:
    here: dict[str, Any] = {"properties": PACK}
    for name in place:
        here = here["properties"][name]
    return here


def panels(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for panel in dashboard["panels"]:
        yield panel
        yield from panel.get("panels", ())


def without_what_the_data_source_adds(dashboard: dict[str, Any]) -> dict[str, Any]:
    """The types know the annotations of Grafana's own data source only; that of Prometheus adds its
    query."""
    bare = copy.deepcopy(dashboard)
    for annotation in bare["annotations"]["list"]:
        for key in PROMETHEUS_ANNOTATION & set(annotation):
            del annotation[key]
    return bare


def all_faults(dashboard: dict[str, Any]) -> list[str]:
    found = faults(without_what_the_data_source_adds(dashboard), "dashboard")
    for panel in panels(dashboard):
        kind, title = panel["type"], panel["title"]
        if kind == "row":
            continue
        if kind not in PACK:
            found.append(f"{title}: unknown panel type {kind}")
            continue
        found += [f"{title}: {fault}" for fault in faults(panel["options"], kind, "options")]
        fields = panel["fieldConfig"]
        custom = [fields["defaults"].get("custom")]
        for override in fields.get("overrides", ()):
            # custom.width is the property width of custom.
            named = {
                one["id"].removeprefix("custom."): one["value"]
                for one in override["properties"]
                if one["id"].startswith("custom.")
            }
            custom.append(named or None)
        for one in custom:
            if one is not None and "custom" in PACK[kind]["properties"]:
                found += [f"{title}: {fault}" for fault in faults(one, kind, "custom")]
            elif one:
                found.append(f"{title}: {kind} takes no custom fields")
    return found


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_is_what_grafana_takes(path: Path) -> None:
    assert all_faults(json.loads(path.read_text("utf-8"))) == []


def test_both_dashboards_were_seen() -> None:
    assert [path.stem for path in DASHBOARDS] == ["gallery-health", "healing"]


BREAKS = {
    "no such key": lambda d: d.update(refreshEvery="1m"),
    "no such panel type": lambda d: d["panels"][1].update(type="graph"),
    "a number for a text": lambda d: d["panels"][1].update(title=3),
    "no such option": lambda d: d["panels"][1]["options"].update(colour="red"),
    "no such choice": lambda d: d["panels"][1]["options"].update(colorMode="rainbow"),
    "a place without height": lambda d: d["panels"][1]["gridPos"].pop("h"),
    "no such threshold mode": lambda d: d["panels"][1]["fieldConfig"]["defaults"].update(
        thresholds={"mode": "relative", "steps": []}
    ),
    "a link of no kind": lambda d: d["links"][0].update(type="page"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_what_grafana_would_not_take_is_found(name: str) -> None:
    dashboard = copy.deepcopy(json.loads(DASHBOARDS[0].read_text("utf-8")))
    assert dashboard["panels"][1]["type"] == "stat"
    BREAKS[name](dashboard)
    assert all_faults(dashboard) != []
