"""Dependencies point one way: checks ← monitor ← exporters; the command line joins them."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = ("checks", "monitor", "exporters")


@dataclass(frozen=True)
class Rule:
    """What the modules below `package` may import of ours; `without`: those ruled elsewhere."""

    package: str
    may_import: tuple[str, ...]
    without: tuple[str, ...] = ()


RULES = (
    Rule("checks", ("checks",)),
    Rule("monitor.config", ("checks.errors", "checks.judgement", "checks.spec", "monitor.config")),
    Rule("monitor.state", ("checks", "monitor.state", "monitor.policy")),
    Rule(
        "monitor.healing",
        (
            "checks",
            "monitor.config.values",
            "monitor.database",
            "monitor.healing",
            "monitor.policy",
            "monitor.state",
        ),
    ),
    Rule("monitor", ("checks", "monitor"), without=("monitor.cli", "monitor.__main__")),
    Rule(
        "exporters",
        (
            "checks",
            "exporters",
            "monitor.commands",
            "monitor.policy",
            "monitor.state",
            "monitor.status",
        ),
    ),
)
ONLY_FOR_RECORDS = {"exporters": "monitor.healing"}
"""Of this package, errors and Progress only: what it does is none of the importer's business."""
COMMAND_LINE = "monitor.cli"
HEAVY = ("great_expectations", "pandas")
"""Seconds and hundreds of megabytes: loaded in a process of their own, if at all."""
WORKER = ("monitor.expectations.suites",)
"""What that process loads."""
SELDOM = ("aiohttp", "alembic", "jinja2", "opentelemetry")
"""Loaded by the commands that need them: `--help` and a typing mistake are answered without."""
SERVE = ("monitor.cli", "monitor.cli.serving")
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


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Every module of ours, by name."""
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


def all_imports() -> list[Import]:
    """Every import of every module, wherever it stands in it."""
    return [found for name, tree in modules() for found in imports(name, ast.walk(tree))]


def permitted(found: Import, rule: Rule) -> bool:
    """Whether the rule lets it pass."""
    whole = f"{found.source}.{found.name}" if found.name else found.source
    records = ONLY_FOR_RECORDS.get(rule.package)
    if records is not None and below(found.source, (records,)):
        return found.name.endswith("Error") or found.name == "Progress"
    return below(found.source, rule.may_import) or below(whole, rule.may_import)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.package)
def test_packages_import_only_what_lies_below_them(rule: Rule) -> None:
    ruled = [
        found
        for found in all_imports()
        if below(found.module, (rule.package,))
        and not below(found.module, rule.without)
        and below(found.source, OURS)
    ]
    assert ruled, "the rule is about no module that exists"
    assert [str(found) for found in ruled if not permitted(found, rule)] == []


def test_nothing_but_the_command_line_imports_the_command_line() -> None:
    assert [
        str(found)
        for found in all_imports()
        if below(found.source, (COMMAND_LINE,))
        and not below(found.module, (COMMAND_LINE, "monitor.__main__"))
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
    ("load", "unwanted"), [(("monitor.cli",), (*HEAVY, *SELDOM)), (SERVE, HEAVY)]
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
