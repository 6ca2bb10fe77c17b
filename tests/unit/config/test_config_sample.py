"""The shipped config.yaml, the JSON Schema, and the description all name the same keys."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from monitor.config import Settings, describe, json_schema, load_config, parse_config
from monitor.demo import settings as demo

SAMPLE = Path(__file__).parents[3] / "config.yaml"
URL = "postgresql://app@db/gallery"


def defaults() -> Settings:
    return parse_config(f"database: {{url: '{URL}'}}", {}, source="config.yaml", base_dir=None)


def sample() -> Settings:
    return load_config(SAMPLE, {"DATABASE_URL": URL})


def paths(tree: object, path: str = "") -> Iterator[str]:
    if not isinstance(tree, dict) or not tree:
        yield path
        return
    for key, value in tree.items():
        yield from paths(value, f"{path}.{key}".lstrip("."))


def groups() -> list[tuple[str, dict[str, Any]]]:
    schema = json_schema()
    named = [(name, item) for name, item in schema["$defs"].items() if "properties" in item]
    return [("Settings", schema), *named]


def problems(document: object) -> list[str]:
    return [error.message for error in Draft202012Validator(json_schema()).iter_errors(document)]


def test_the_sample_says_the_defaults_which_write_nothing_and_judge_nobodys_tables() -> None:
    told = describe(sample())
    assert told == describe(defaults())
    assert told["healing"]["mode"] == "observe"
    assert told["checks"]["expectations"] == told["checks"]["sql"] == []


def test_the_configuration_of_the_containers_writes_nothing_either(tmp_path: Path) -> None:
    text = (SAMPLE.parent / "deploy" / "config.yaml").read_text(encoding="utf-8")
    kept = yaml.safe_load(text) | {"server": {}}  # whose tokens are files of the container
    told = describe(
        parse_config(yaml.safe_dump(kept), {"DATABASE_URL": URL}, source="x", base_dir=tmp_path)
    )
    assert told["healing"] == describe(defaults())["healing"]
    assert told["checks"] == describe(defaults())["checks"]


@pytest.mark.parametrize("key", ["sql", "expectations"])
def test_what_stands_in_the_sample_as_an_example_can_be_taken_as_it_is(key: str) -> None:
    lines = SAMPLE.read_text(encoding="utf-8").splitlines()
    end = lines.index(f"  {key}: []")
    begin = max(n for n in range(end) if lines[n].startswith("  #   - name:"))
    example = "\n".join(line.replace("  # ", "", 1) for line in lines[begin:end])
    given = {"database": {"url": URL}, "checks": {key: yaml.safe_load(example)}}
    settings = parse_config(yaml.safe_dump(given), {}, source="an example", base_dir=None)
    assert len(getattr(settings.checks, key)) == 1


def test_the_sample_names_every_key_that_has_a_value_or_a_meaning_of_its_own() -> None:
    document = yaml.safe_load(SAMPLE.read_text(encoding="utf-8"))
    left_to_comments = ("enabled", "cron", "timeout", "budget", "owner", "runbook")
    expected = {
        path
        for path in paths(describe(defaults()))
        if not path.endswith("_file")
        and not (path.startswith("checks.") and path.rpartition(".")[2] in left_to_comments)
    }
    assert set(paths(document)) == expected | {"checks.census.budget"}


def test_every_key_of_the_sample_stands_below_a_comment_or_with_its_kind() -> None:
    text = SAMPLE.read_text(encoding="utf-8")
    commented = (
        *("cron:", "timeout:", "budget:", "enabled:", "owner:", "runbook:"),
        *("admin_token_file:", "kwargs:"),
    )
    for word in commented:
        assert word in text


def test_the_sample_keeps_to_the_schema() -> None:
    assert problems(yaml.safe_load(SAMPLE.read_text(encoding="utf-8"))) == []


def test_the_description_is_json_and_can_be_loaded_again() -> None:
    described = json.loads(json.dumps(describe(sample())))
    described["database"]["url"] = URL
    again = parse_config(json.dumps(described), {}, source="described", base_dir=None)
    assert again == sample()


def test_the_description_keeps_to_the_schema() -> None:
    described = describe(sample())
    described["database"]["url"] = URL
    assert problems(described) == []


def test_durations_shares_and_sizes_are_described_as_a_person_writes_them() -> None:
    described = describe(sample())
    assert described["pools"] == {
        "fresh_for": "15m",
        "legacy_after": "7d",
        "legacy_created_before": None,
        "audience": "tracked",
    }
    assert described["healing"]["pace"]["duty"] == "50%"
    assert described["healing"]["pace"]["max_replica_lag_bytes"] == "64MiB"


def test_the_schema_is_one_of_its_dialect() -> None:
    schema = json_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(schema)
    assert json.loads(json.dumps(schema)) == schema


@pytest.mark.parametrize(("name", "group"), groups())
def test_every_group_refuses_unknown_keys_and_describes_its_own(
    name: str, group: dict[str, Any]
) -> None:
    assert group["additionalProperties"] is False
    for key, value in group["properties"].items():
        assert value.get("description"), f"{name}.{key}"
        assert "\n" not in value["description"]


@pytest.mark.parametrize(
    "text",
    [
        "server: {port: '${PORT:-9855}'}",
        "checks: {census: {enabled: '${ON:-true}', every: '${E:-1m}', budget: '${B:-1%}'}}",
        "healing: {mode: '${MODE:-heal}', window: '${W:-}', threshold: '${T:-1}'}",
        "healing: {pace: {duty: 0.5, max_replica_lag_bytes: 1024}}",
        "checks:\n  sql:\nserver:\n",
        'checks: {sql: [{name: x, query: q, cron: "* * * * *", warn: "> 0"}]}',
        "catalog: {impressions: {defaults: {a: 1, b: now()}}}",
        "server: {admin_token: '', tls: null}",
    ],
)
def test_the_schema_admits_what_is_loaded(text: str) -> None:
    whole = f"database: {{url: '{URL}'}}\n{text}"
    parse_config(whole, {}, source="config.yaml", base_dir=None)
    assert problems(yaml.safe_load(whole)) == []


@pytest.mark.parametrize(
    "text",
    [
        "server: {port: many}",
        "server: {prt: 1}",
        "healing: {mode: repair}",
        "healing: {pace: {duty: 50}}",
        "lease: 10",
        "lease: ten",
        "checks: {sql: [{name: x}]}",
        "checks: {sql: [{name: x, query: q, warn: 5}]}",
        "server: {app_token: short}",
    ],
)
def test_the_schema_refuses_what_is_not_loaded(text: str) -> None:
    assert problems(yaml.safe_load(f"database: {{url: '{URL}'}}\n{text}"))


def test_the_schema_requires_the_database_url() -> None:
    assert problems({}) == ["'database' is a required property"]
    assert problems({"database": {"url": "mysql://db"}})
    assert problems({"database": {}})


@pytest.mark.parametrize(
    ("installed", "suites"), [(True, ["artworks", "impressions"]), (False, [])]
)
def test_the_demo_heals_and_runs_suites_where_they_can_run(
    monkeypatch: pytest.MonkeyPatch, installed: bool, suites: list[str]
) -> None:
    monkeypatch.setattr(demo, "find_spec", lambda name: name if installed else None)
    shown = describe(demo.demo_settings(URL, port=0, token="of-the-demo-of-this-test"))
    assert shown["healing"]["mode"] == "heal"
    assert [suite["name"] for suite in shown["checks"]["expectations"]] == suites
