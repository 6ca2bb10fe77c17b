"""Dependencies point one way: checks ← monitor ← exporters; the command line joins them."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = ("checks", "monitor", "exporters")


FLOORS = (
    "checks",
    "monitor.deadlines",
    "monitor.config",
    "monitor.database_errors",
    "monitor.database",
    "monitor.scheduler",
    "monitor.discovery",
    "monitor.state",
    "monitor.policy",
    "monitor.healing",
    "monitor.status",
    "monitor.runtime",
    "monitor.run_tools",
    "monitor.commands",
    "monitor.replicas",
    "monitor.checking",
    "monitor.loop",
    "monitor.service",
    "exporters",
    "monitor.demo",
    "monitor.cli",
)
"""From the bottom. A room imports only rooms below it, so that there are no circles."""
NARROW: dict[str, tuple[str, ...]] = {
    "monitor.deadlines": (),
    "monitor.config": ("checks.errors", "checks.judgement", "checks.spec"),
    "monitor.healing": (
        "checks",
        "monitor.config.types",
        "monitor.database",
        "monitor.database_errors",
        "monitor.deadlines",
        "monitor.policy",
        "monitor.state",
    ),
    "exporters": (
        "checks",
        "monitor.commands",
        "monitor.deadlines",
        "monitor.policy",
        "monitor.state",
        "monitor.status",
    ),
}
"""Rooms that may import only these of what lies below them."""
ONLY_FOR_RECORDS = {"exporters": "monitor.healing"}
"""Of this package, errors and Progress only: what it does is none of the importer's business."""
COMMAND_LINE = "monitor.cli"
HEAVY = ("great_expectations", "pandas")
"""Seconds and hundreds of megabytes: loaded in a process of their own, if at all."""
WORKER = ("monitor.checking.expectations.suites",)
"""What that process loads."""
SELDOM = ("aiohttp", "alembic", "jinja2", "opentelemetry")
"""Loaded by the commands that need them: `--help` and a typing mistake are answered without."""
SERVE = ("monitor.cli.app", "monitor.cli.serving")
"""What the service loads."""


@dataclass(frozen=True)
class Import:
    """One name that a module imports, as `source.name`; `name` is empty for a whole module."""

    module: str
    source: str
    name: str

    def __str__(self) -> str:
        return f"{self.module} imports {self.name or 'all'} of {self.source}"


def below(name: str, packages: tuple[str, ...]) -> bool:
    """Whether `name` is one of the packages, or in one."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


@lru_cache
def modules() -> tuple[tuple[str, ast.Module], ...]:
    """Every module of ours, by name."""
    return tuple(_read_modules())


def _read_modules() -> Iterator[tuple[str, ast.Module]]:
    for package in OURS:
        for path in (ROOT / package).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            yield name, ast.parse(path.read_text(encoding="utf-8"))


def imports(module: str, nodes: Iterator[ast.AST]) -> Iterator[Import]:
    """What the nodes import. `from a import b` may mean the module a.b, so both are told."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (Import(module, alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are absolute"
            yield from (Import(module, node.module or "", alias.name) for alias in node.names)


@lru_cache
def all_imports() -> tuple[Import, ...]:
    """Every import of every module, wherever it stands in it."""
    return tuple(found for name, tree in modules() for found in imports(name, ast.walk(tree)))


def room_of(module: str) -> str | None:
    """The room that a module is in; None for the packages around them."""
    return next((room for room in FLOORS if below(module, (room,))), None)


def permitted(found: Import) -> bool:
    """Whether the importer may know what it imports."""
    room = room_of(found.module)
    whole = f"{found.source}.{found.name}" if found.name else found.source
    source = room_of(found.source) or room_of(whole)
    if room is None or source is None:
        return False
    if room == source:
        return True
    records = ONLY_FOR_RECORDS.get(room)
    if records is not None and below(found.source, (records,)):
        return found.name.endswith("Error") or found.name == "Progress"
    narrow = NARROW.get(room)
    if narrow is not None and not (below(found.source, narrow) or below(whole, narrow)):
        return False
    return FLOORS.index(source) < FLOORS.index(room)


@pytest.mark.parametrize("room", FLOORS)
def test_a_room_imports_only_what_lies_below_it(room: str) -> None:
    its_own = [name for name, _ in modules() if room_of(name) == room]
    assert its_own, "there is no such room"
    ours = [
        found
        for found in all_imports()
        if room_of(found.module) == room and below(found.source, OURS)
    ]
    assert [str(found) for found in ours if not permitted(found)] == []


def test_every_module_is_in_a_room() -> None:
    assert {name for name, _ in modules() if room_of(name) is None} == {"monitor"}


def test_no_modules_import_each_other_in_a_circle() -> None:
    names = {name for name, _ in modules()}
    graph: dict[str, set[str]] = {name: set() for name in names}
    for found in all_imports():
        whole = f"{found.source}.{found.name}"
        source = whole if whole in names else found.source
        # A package's face names what is in it: who is inside knows the face of others only.
        if source in names and not found.module.startswith(f"{source}."):
            graph[found.module].add(source)
    assert list(TopologicalSorter(graph).static_order())


def test_nothing_but_the_command_line_imports_the_command_line() -> None:
    assert [
        str(found)
        for found in all_imports()
        if below(found.source, (COMMAND_LINE,))
        and not below(found.module, (COMMAND_LINE, "monitor.cli.__main__"))
    ] == []


def test_no_module_but_the_worker_s_loads_great_expectations_while_it_is_imported() -> None:
    at_import = [
        found
        for name, tree in modules()
        for found in imports(name, iter(tree.body))
        if below(found.source, (*HEAVY, *WORKER))
    ]
    assert {found.module for found in at_import} == set(WORKER)


@pytest.mark.parametrize(
    ("load", "unwanted"), [(("monitor.cli",), (*HEAVY, *SELDOM, "rich")), (SERVE, (*HEAVY, "rich"))]
)
def test_the_command_line_and_the_service_start_without_what_is_heavy(
    load: tuple[str, ...], unwanted: tuple[str, ...]
) -> None:
    loaded = f"[name for name in {unwanted!r} if name in sys.modules]"
    program = f"import sys, json, {', '.join(load)}; print(json.dumps({loaded}))"
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert json.loads(ran.stdout) == []
