"""A command's result: a table for people, a JSON file for comparing runs."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from rich.console import Console
from rich.table import Table

from bench.measures import Measure
from tests.support.postgres import PostgresServer

Fact = str | int | float

ALL = "bench.json"
_WIDTH = 150


@dataclass(frozen=True, slots=True)
class Report:
    """The measures of one command, with the facts that they depend on."""

    name: str
    measures: tuple[Measure, ...]
    facts: Mapping[str, Fact]
    """Sizes and counts, to be read with the measures."""
    details: Mapping[str, object] = field(default_factory=dict)
    """More, for the JSON file only."""


def environment(server: PostgresServer) -> dict[str, Fact]:
    """The machine and the programs."""
    with psycopg.connect(server.conninfo()) as connection:
        version = connection.execute("SHOW server_version").fetchone()
        fsync = connection.execute("SHOW fsync").fetchone()
    return {
        "postgresql": "" if version is None else str(version[0]),
        "fsync": "" if fsync is None else str(fsync[0]),
        **machine(),
    }


def machine() -> dict[str, Fact]:
    """The machine alone, where no server has a part."""
    return {
        "python": platform.python_version(),
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0,
        "cpu": _cpu_model(),
        "load_average": round(os.getloadavg()[0], 2),
    }


def _cpu_model() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    models = [line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line]
    return models[0] if models else platform.machine()


def publish(reports: Iterable[Report], where: Mapping[str, Fact], results: Path) -> None:
    """Write `results`/NAME.json for each report as it comes; at the end print one table."""
    results.mkdir(parents=True, exist_ok=True)
    done = []
    for report in reports:
        _save(report, where, results / f"{report.name}.json")
        done.append(report)
    if len(done) > 1:
        _save_all(done, where, results / ALL)
    # A file or a pipe has no width of its own, and 80 columns break every line.
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    console.print(_table(done))
    for report in done:
        console.print(f"[bold]{report.name}[/bold]: {_sentence(report.facts)}", soft_wrap=True)
    console.print(_sentence(where), soft_wrap=True)
    console.print(_goals(done), soft_wrap=True)


def _goals(reports: Sequence[Report]) -> str:
    """How many were reached, and each that was not, by name."""
    judged = [m for report in reports for m in report.measures if m.reached is not None]
    missed = [m for m in judged if not m.reached]
    lines = [f"goals reached: {len(judged) - len(missed)} of {len(judged)}"]
    for measure in missed:
        value = measure.median if measure.ratio is None else measure.ratio
        goal = "" if measure.goal is None else measure.goal.text
        lines.append(f"  not reached: {measure.name}: {_number(value)}, goal {goal}")
    return "\n".join(lines)


def _save_all(reports: Sequence[Report], where: Mapping[str, Fact], path: Path) -> None:
    """Every measure of a run in one file, to be compared with another run's."""
    text = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "environment": dict(where),
        "reports": {
            report.name: {
                "facts": dict(report.facts),
                "measures": [_as_json(measure) for measure in report.measures],
            }
            for report in reports
        },
    }
    path.write_text(json.dumps(text, indent=1) + "\n", encoding="utf-8")


def _save(report: Report, where: Mapping[str, Fact], path: Path) -> None:
    text = json.dumps(
        {
            "name": report.name,
            "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "environment": dict(where),
            "facts": dict(report.facts),
            "measures": [_as_json(measure) for measure in report.measures],
            "details": dict(report.details),
        },
        indent=1,
    )
    path.write_text(text + "\n", encoding="utf-8")


def _as_json(measure: Measure) -> dict[str, object]:
    return {
        **asdict(measure),
        "median": measure.median if measure.samples else None,
        "reached": measure.reached,
        "goal": None if measure.goal is None else measure.goal.text,
    }


def _table(reports: Sequence[Report]) -> Table:
    table = Table(title="conservator: benchmarks")
    table.add_column("measure")
    for name in ("median", "spread", "ratio"):
        table.add_column(name, justify="right")
    for name in ("to", "goal", "reached"):
        table.add_column(name)
    for report in reports:
        table.add_section()
        for measure in report.measures:
            table.add_row(*_cells(measure))
    return table


def _cells(measure: Measure) -> tuple[str, ...]:
    least, greatest = measure.spread
    reached = {True: "[green]yes[/green]", False: "[red]no[/red]", None: ""}[measure.reached]
    once = len(measure.samples) <= 1
    ratio = "" if measure.ratio is None else f"{measure.ratio:.2f}"
    return (
        measure.name,
        f"{_number(measure.median)} {measure.unit}" if measure.samples else "–",
        "" if once else f"{_number(least)} – {_number(greatest)}",
        ratio,
        measure.base or "",
        "" if measure.goal is None else measure.goal.text,
        reached,
    )


def _number(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.3g}"


def _sentence(facts: Mapping[str, Fact]) -> str:
    return ", ".join(
        f"{name.replace('_', ' ')} {value:,}"
        if isinstance(value, int)
        else f"{name.replace('_', ' ')} {value}"
        for name, value in facts.items()
    )
