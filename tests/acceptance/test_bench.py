"""The benchmarks run, on a gallery far too small to say anything: so that they can't rot."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
TINY = {
    "users": 120,
    "artworks": 120,
    "rounds": 1,
    "backfill-rounds": 1,
    "rows": 100,
    "slow-rows": 50,
    "million": 1000,
    "cold-rounds": 1,
    "traffic-rounds": 0,
}
JUDGED = {
    "the four counts, nothing legacy",
    "the four counts with affected users, nothing legacy",
    "the four counts, with legacy",
    "plain anti-join, nothing legacy",
    "anti-join through Great Expectations",
    "heal run, writing, to the best statement",
    "heal run of two writers, writing, to SQLAlchemy's sketch",
    "a repair, writing",
}
"""Among the measures that have a goal."""


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """What a run printed, and its file."""
    results = tmp_path_factory.mktemp("results")
    options = [f"--{name}={value}" for name, value in TINY.items()]
    only = ["--only", "census", "backfill", "repairs", "cold"]
    ran = subprocess.run(
        [sys.executable, "-m", "bench", *options, f"--results={results}", *only],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    assert "building gallery_legacy" in ran.stderr, "nobody is told what is being done"
    return ran.stdout, json.loads((results / "bench.json").read_text(encoding="utf-8"))


def test_every_part_is_measured_and_written(done: tuple[str, dict[str, Any]]) -> None:
    reports = done[1]["reports"]
    assert list(reports) == ["gallery", "census", "backfill", "repairs", "cold"]
    for report in reports.values():
        assert "error" not in report["facts"]
        assert all(
            measure["median"] is not None
            for measure in report["measures"]
            if "not installed" not in measure["name"]
        )


def test_every_goal_is_judged_by_its_name(done: tuple[str, dict[str, Any]]) -> None:
    measures = [m for report in done[1]["reports"].values() for m in report["measures"]]
    judged = {m["name"] for m in measures if m["reached"] is not None}
    assert judged >= JUDGED
    assert any(name.startswith("heal run and recount, ") for name in judged)


def test_goals_that_are_not_reached_are_listed_at_the_end(
    done: tuple[str, dict[str, Any]],
) -> None:
    printed, written = done
    measures = [m for report in written["reports"].values() for m in report["measures"]]
    missed = [m["name"] for m in measures if m["reached"] is False]
    _, _, tail = printed.partition("goals reached: ")
    assert missed, "such a small gallery reaches everything?"
    for name in missed:
        assert f"not reached: {name}: " in tail


def test_nothing_is_measured_that_could_not_be_written_down(tmp_path: Path) -> None:
    (tmp_path / "results").touch()
    ran = subprocess.run(
        [sys.executable, "-m", "bench", f"--results={tmp_path / 'results'}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.returncode == 2
    assert f"expected a folder, found {tmp_path / 'results'}: File exists" in ran.stderr
