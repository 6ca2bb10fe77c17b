"""`repairs`: what a person may write, and every mistake at once with its path."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from monitor.config import Action, InvalidConfigError, Mode, parse_config

URL = "postgresql://app@db/gallery"
SAMPLE = Path(__file__).parents[3] / "config.yaml"
GOOD = {"name": "a", "check": "structure", "table": "t", "find": "SELECT 1", "action": "delete"}


def told(*repairs: dict[str, object]) -> list[str]:
    """The mistakes, a line each."""
    given = {"database": {"url": URL}, "repairs": [*repairs]}
    with pytest.raises(InvalidConfigError) as refused:
        parse_config(yaml.safe_dump(given), {}, source="x", base_dir=None)
    return [line for line in str(refused.value).splitlines() if "repairs[" in line]


def test_what_stands_in_the_sample_can_be_taken_as_it_is() -> None:
    lines = SAMPLE.read_text(encoding="utf-8").splitlines()
    end = lines.index("repairs: []")
    begin = max(n for n in range(end) if lines[n].startswith("#   - name:"))
    example = "\n".join(line.removeprefix("# ") for line in lines[begin:end])
    given = {"database": {"url": URL}, "repairs": yaml.safe_load(example)}
    (one,) = parse_config(yaml.safe_dump(given), {}, source="x", base_dir=None).repairs
    assert (one.name, one.action, one.key) == ("orphans", Action.DELETE, ("id",))
    assert (one.mode, one.breaker.max_share) == (Mode.OBSERVE, 0.01)


def test_checks_of_any_kind_can_be_named() -> None:
    given = {
        "database": {"url": URL},
        "checks": {
            "sql": [{"name": "mine", "query": "SELECT 1"}],
            "expectations": [
                {"name": "suite", "table": "t", "expectations": [{"type": "expect_x"}]}
            ],
        },
        "repairs": [
            {**GOOD, "name": name, "check": name}
            for name in ("mine", "suite", "orphan_impressions")
        ],
    }
    settings = parse_config(yaml.safe_dump(given), {}, source="x", base_dir=None)
    assert [one.check for one in settings.repairs] == ["mine", "suite", "orphan_impressions"]


def test_each_has_a_mode_of_its_own() -> None:
    given = {"database": {"url": URL}, "repairs": [GOOD, {**GOOD, "name": "b", "mode": "heal"}]}
    settings = parse_config(yaml.safe_dump(given), {}, source="x", base_dir=None)
    assert [one.mode for one in settings.repairs] == [Mode.OBSERVE, Mode.HEAL]


def test_every_mistake_comes_out_at_once_with_its_path() -> None:
    found = told(
        {**GOOD, "check": "orphans_impression", "table": "conservator.run"},
        {**GOOD, "key": ["a", "a"]},
        {"name": "B", "action": "mend"},
    )
    for path, says in (
        ("repairs[0].check", "orphan_impressions"),
        ("repairs[0].table", "one of the service's own"),
        ("repairs[1].name", "the name of repairs[0]"),
        ("repairs[1].key", "each column once"),
        ("repairs[2].name", "lower-case"),
        ("repairs[2].action", "insert, update or delete"),
        ("repairs[2].find", "it has no default"),
    ):
        assert any(line.startswith(path) and says in line for line in found), (path, found)
