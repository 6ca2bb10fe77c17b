"""Metrics, settings and files name the same things, and nothing of the machine they grew on."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from monitor.config import json_schema
from tests.support.builders import all_measured
from tests.unit.exporters.scrape import series

ROOT = Path(__file__).parents[2]

METRICS = {
    "artworks": {"state"},
    "legacy_untracked_artworks": set(),
    "legacy_untracked_appeared": set(),
    "legacy_untracked_recurring": set(),
    "legacy_untracked_oldest_created_timestamp_seconds": set(),
    "users": {"state"},
    "catalogue_findings": {"blocks"},
    "check_outcome": {"check", "outcome"},
    "check_value": {"check"},
    "check_runs_total": {"check"},
    "check_errors_total": {"check"},
    "check_interval_seconds": {"check"},
    "check_duration_seconds": {"check"},
    "check_last_run_timestamp_seconds": {"check"},
    "check_last_success_timestamp_seconds": {"check"},
    "check_since_timestamp_seconds": {"check"},
    "heal_runs_total": set(),
    "heal_failures_total": set(),
    "heal_refusals_total": {"reason"},
    "heal_impressions_total": set(),
    "heal_undone_impressions_total": set(),
    "heal_active": set(),
    "heal_remaining": set(),
    "heal_quarantined": set(),
    "heal_batch_duration_seconds_bucket": {"le"},
    "heal_batch_duration_seconds_count": set(),
    "heal_batch_duration_seconds_sum": set(),
    "heal_throttled_seconds_total": {"reason"},
    "healing_paused": set(),
    "healing_suspended": set(),
    "healing_breaker_open": set(),
    "repair_runs_total": {"repair"},
    "repair_failures_total": {"repair"},
    "repair_refusals_total": {"repair"},
    "repair_plan_errors_total": {"repair"},
    "repair_rows_total": {"repair"},
    "repair_undone_rows_total": {"repair"},
    "repair_pending": {"repair"},
    "repair_suspended": {"repair"},
    "repair_breaker_open": {"repair"},
    "leader": set(),
    "database_up": set(),
    "build_info": {"version", "revision"},
}
"""What dashboards and alert rules rely on; each with the labels that it has."""

REGISTRIES = ("py" + "pi.org", "python" + "hosted.org", "npm" + "js")
MACHINES = tuple(f"/{name}/" for name in ("work", "root", "home"))
PATH = re.compile(r"(?<![\w.~}/-])(" + "|".join(MACHINES) + r")\w")


def labels_by_name() -> dict[str, set[str]]:
    """The labels of every metric that a leader at work exports."""
    found: dict[str, set[str]] = {}
    for name, labels in series(all_measured()):
        found.setdefault(name, set()).update(key for key, _ in labels)
    return found


def files() -> Iterator[tuple[str, str]]:
    """Every file of the repository that is text, with its text."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if path.is_file():
            yield name, path.read_text(encoding="utf-8", errors="replace")


def keys_of_schema() -> set[str]:
    """Every setting that the JSON Schema describes, by its path."""
    schema = json_schema()

    def walk(group: dict[str, Any], path: str) -> Iterator[str]:
        for key, value in group["properties"].items():
            below = f"{path}{key}"
            inner = next((ref for ref in references(value) if "properties" in ref), None)
            yield from walk(inner, f"{below}.") if inner else (below,)

    def references(value: dict[str, Any]) -> Iterator[dict[str, Any]]:
        for form in (value, *value.get("anyOf", ()), value.get("items", {})):
            name = form.get("$ref", "").rpartition("/")[2]
            if name:
                yield schema["$defs"][name]

    return set(walk(schema, ""))


def test_every_metric_of_the_contract_is_exported_under_its_name() -> None:
    found = labels_by_name()
    assert {name: found.get(name) for name in METRICS} == METRICS


def test_no_metric_is_labelled_by_user_or_artwork() -> None:
    labels = set().union(*labels_by_name().values())
    assert [label for label in labels if re.search("user|artwork|id$", label)] == []


def test_every_setting_of_the_schema_is_named_in_the_sample() -> None:
    text = (ROOT / "config.yaml").read_text(encoding="utf-8")
    missing = {
        path
        for path in keys_of_schema()
        if not re.search(rf"\b{re.escape(path.rpartition('.')[2])}:", text)
        and not path.endswith("_token_file")  # explained once, at the first of them
    }
    assert missing == set()


def test_every_setting_of_the_sample_is_described_by_the_schema() -> None:
    described = keys_of_schema()

    def walk(tree: Any, path: str) -> Iterator[str]:
        for key, value in tree.items():
            below = f"{path}{key}"
            known = any(name.startswith(f"{below}.") for name in described)
            yield from walk(value, f"{below}.") if isinstance(value, dict) and known else (below,)

    sample = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    groups = {name.rpartition(".")[0] for name in described}
    assert {path for path in walk(sample, "") if path not in described | groups} == set()


def test_no_file_names_a_package_registry() -> None:
    assert [name for name, text in files() if any(host in text for host in REGISTRIES)] == []


def test_no_file_names_a_path_of_the_machine_it_was_written_on() -> None:
    assert [(name, found[0]) for name, text in files() if (found := PATH.search(text))] == []
