"""Makes the pages of docs/ that list what there is from the code: `python -m tests.reference`.

What stands above the mark in each is written by hand, and stays. A test fails where a page is out
of date.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import typer
import yaml

from exporters.http.limits import RefusedCalls
from grafana.derive import FOLDER, SOURCE
from monitor.cli.app import app
from tests.support.builders import all_measured
from tests.unit.exporters.scrape import families

DOCS = Path(__file__).parents[1] / "docs"
MARK = "<!-- Made by `python -m tests.reference` from here on. -->\n"
EXAMPLE = re.compile(r"^Example: (conservator .+)$", re.MULTILINE)
KINDS = {"gauge": "gauge", "counter": "total", "histogram": "histogram"}
_TEMPLATE = re.compile(r"\{\{[^}]*?\$(labels\.)?(\w+)[^}]*\}\}")


def commands() -> Iterator[tuple[str, Any]]:
    """Every command with its words, those of a group one by one."""
    group: Any = typer.main.get_command(app)
    for name in group.commands:
        command = group.get_command(None, name)
        below = getattr(command, "commands", None)
        yield from (
            ((f"{name} {one}", found) for one, found in below.items())
            if below
            else ((name, command),)
        )


def example_of(command: Any) -> str:
    """What its help gives as an example; empty where it gives none."""
    found = EXAMPLE.search(command.help or "")
    return found[1] if found else ""


def command_list() -> str:
    """A section a command: what it does, an example, its options."""
    return "\n".join(_command(words, command) for words, command in commands())


def _command(words: str, command: Any) -> str:
    does = " ".join(EXAMPLE.sub("", command.help or "").split())
    lines = [f"## conservator {words}", "", does, "", "```console", f"$ {example_of(command)}"]
    lines += ["```", ""]
    rows = [_parameter(one) for one in command.params if one.name != "help"]
    if rows:
        lines += ["| | |", "| --- | --- |", *rows, ""]
    return "\n".join(lines)


def _parameter(parameter: Any) -> str:
    text = (parameter.help or "").replace("|", "\\|")
    if parameter.param_type_name == "argument":
        return f"| `{parameter.name.upper()}` | {text} |"
    shown = ", ".join(parameter.opts)
    takes = "" if parameter.is_flag else f" {parameter.metavar or parameter.name.upper()}"
    default = parameter.default
    if not parameter.is_flag and default not in {None, ""} and not callable(default):
        text = f"{text} Default: `{default}`."
    return f"| `{shown}{takes}` | {text} |"


def metrics() -> Iterator[tuple[str, Any]]:
    """Every family of metrics by its whole name, in order."""
    found = (*families(all_measured()), *RefusedCalls().collect())
    named = {f"{one.name}{'_total' if one.type == 'counter' else ''}": one for one in found}
    yield from sorted(named.items())


def metric_list() -> str:
    """A row a metric, as /metrics tells it."""
    rows = [
        f"| `{name}{_labels(one)}` | {KINDS[one.type]} | {one.documentation} |"
        for name, one in metrics()
    ]
    return "\n".join(["| metric | | |", "| --- | --- | --- |", *rows, ""])


def _labels(family: Any) -> str:
    names = sorted({name for one in family.samples for name in one.labels} - {"le"})
    return f"{{{', '.join(names)}}}" if names else ""


def alert_list() -> str:
    """A row an alert, with its runbook."""
    [group] = yaml.safe_load((FOLDER / SOURCE).read_text(encoding="utf-8"))["groups"]
    rows = [
        f"| [{one['alert']}](runbooks/{one['alert']}.md) | {one['labels']['severity']} "
        f"| {one['for']} | {_plain(one['annotations']['summary'])} |"
        for one in group["rules"]
    ]
    head = ["| alert and runbook | severity | after | says |", "| --- | --- | --- | --- |"]
    return "\n".join([*head, *rows, ""])


def _plain(summary: str) -> str:
    """Without the template's language: N for the value, the label's name for a label."""
    return _TEMPLATE.sub(lambda found: found[2].upper() if found[1] else "N", summary)


PAGES: dict[str, Callable[[], str]] = {
    "commands.md": command_list,
    "metrics.md": metric_list,
    "alerts.md": alert_list,
}


def page(name: str) -> str:
    """The page as it should be. Raises ValueError where it has no mark."""
    kept, mark, _ = (DOCS / name).read_text(encoding="utf-8").partition(MARK)
    if not mark:
        raise ValueError(f"docs/{name} has no line {MARK.strip()}")
    return f"{kept}{mark}\n{PAGES[name]()}"


def main() -> int:
    """Write every page anew."""
    for name in PAGES:
        text = page(name)
        (DOCS / name).write_text(text, encoding="utf-8")
        sys.stdout.write(f"docs/{name}: {len(text.splitlines())} lines\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
