"""What Prometheus' own tool says of rules and metrics."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import generate_latest

from exporters.prometheus import create_registry
from grafana.derive import FOLDER, SOURCE
from tests.support.alert_rule_cases import CASES, LEGACY, Input, J
from tests.support.builders import at_work, board
from tests.support.grafana import ALERTS

RULES = FOLDER / SOURCE
PROMTOOL = shutil.which("promtool")
pytestmark = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")


def promtool(*arguments: str, given: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["promtool", *arguments], input=given, capture_output=True, check=False, timeout=60
    )


def passes(directory: Path, *tests: dict[str, Any]) -> None:
    """Runs them over the committed rules."""
    path = directory / "rules_test.yaml"
    document = {"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": list(tests)}
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    done = promtool("test", "rules", str(path))
    assert done.returncode == 0, (done.stdout + done.stderr).decode()


def case(given: Input, at: str, alert: str, fires: int) -> dict[str, Any]:
    """So many alerts of this name fire then."""
    samples = [{"labels": "{}", "value": fires}] if fires else []
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in given.items()],
        "promql_expr_test": [
            {
                "expr": f'count(ALERTS{{alertname="{alert}",alertstate="firing"}})',
                "eval_time": at,
                "exp_samples": samples,
            }
        ],
    }


def test_every_alert_has_its_cases() -> None:
    assert set(CASES) == {alert.name for alert in ALERTS}


def test_the_rules_are_valid() -> None:
    done = promtool("check", "rules", "--lint-fatal", str(RULES))
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.parametrize("alert", sorted(CASES))
def test_an_alert_fires_when_it_should_and_only_then(alert: str, tmp_path: Path) -> None:
    one = CASES[alert]
    passes(
        tmp_path,
        case(one.fires, one.at, alert, 1),
        case(one.quiet, one.at, alert, 0),
        case({}, one.at, alert, int(one.fires_without_data)),
    )


@pytest.mark.parametrize(
    "alert", sorted(name for name in CASES if not CASES[name].fires_without_data)
)
@pytest.mark.long
def test_what_is_no_longer_exported_fires_no_longer(alert: str, tmp_path: Path) -> None:
    """The data end after four hours; an alert that outlived them would never end."""
    ended = {
        name: values.replace("x600", "x240").replace("x590", "x230") + " stale"
        for name, values in CASES[alert].fires.items()
    }
    passes(tmp_path, case(ended, "9h", alert, 0))


def test_a_missed_scrape_ends_no_alert(tmp_path: Path) -> None:
    series = f"conservator_artworks{{{J},{LEGACY}}}"
    passes(tmp_path, case({series: "5x20 _x2 5x20"}, "35m", "ConservatorLegacyUntracked", 1))


def test_a_new_leader_ends_no_alert(tmp_path: Path) -> None:
    first = f"conservator_artworks{{{J},{LEGACY}}}"
    second = first.replace("a:9855", "b:9855")
    given = {first: "5x20 stale", second: "_x22 5x20"}
    passes(tmp_path, case(given, "35m", "ConservatorLegacyUntracked", 1))


def test_labels_and_words_reach_whoever_is_called(tmp_path: Path) -> None:
    given = CASES["ConservatorLegacyUntracked"].fires
    passes(
        tmp_path,
        {
            "interval": "1m",
            "input_series": [{"series": name, "values": text} for name, text in given.items()],
            "alert_rule_test": [
                {
                    "alertname": "ConservatorLegacyUntracked",
                    "eval_time": "40m",
                    "exp_alerts": [
                        {
                            "exp_labels": {"severity": "warning", "job": "conservator"},
                            "exp_annotations": words("ConservatorLegacyUntracked", "7"),
                        }
                    ],
                }
            ],
        },
    )


def words(alert: str, value: str) -> dict[str, str]:
    (group,) = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    (rule,) = (rule for rule in group["rules"] if rule["alert"] == alert)
    return {name: text.replace("{{ $value }}", value) for name, text in rule["annotations"].items()}


def test_the_metrics_follow_the_conventions() -> None:
    exposition = generate_latest(create_registry(board(at_work())))
    done = promtool("check", "metrics", given=exposition)
    assert (done.returncode, done.stderr.decode()) == (0, "")
