"""What the documents name is there, and what is there has its place in them.

Settings have theirs in config.yaml: tests/unit/config/test_config_sample.py.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path

import pytest

from exporters.http.routes import ROUTES
from tests.reference import PAGES, commands, example_of, metrics, page
from tests.support.grafana import ALERTS

ROOT = Path(__file__).parents[2]
DOCUMENTS = (
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    *(str(path.relative_to(ROOT)) for path in sorted((ROOT / "docs").rglob("*.md"))),
    "tests/chaos/README.md",
    "tests/galleries/README.md",
    "grafana/README.md",
    "deploy/README.md",
)
NAMED = re.compile(r"`((?:checks|monitor|exporters|grafana|tests|docs|bench|deploy)/[\w./*-]*)`")
LINKED = re.compile(r"\]\((?!https?:|#)([^)#]+)")
LARGEST_ARCHITECTURE = 10_000
"""Bytes: what a newcomer reads in a quarter of an hour."""


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_path_that_a_document_names_is_there(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    named = {path.rstrip("/.") for path in NAMED.findall(text)}
    # A pattern such as 000N_*.sql stands for files that are there or will be; results come and go.
    missing = [
        path
        for path in sorted(named)
        if "*" not in path and "N" not in Path(path).stem and not path.startswith("bench/results")
    ]
    assert [path for path in missing if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_of_a_document_leads_somewhere(name: str) -> None:
    document = ROOT / name
    targets = LINKED.findall(document.read_text(encoding="utf-8"))
    assert [target for target in targets if not (document.parent / target).exists()] == []


def test_the_map_of_the_house_is_short() -> None:
    assert (ROOT / "ARCHITECTURE.md").stat().st_size <= LARGEST_ARCHITECTURE


def links(name: str) -> set[str]:
    """The documents of ours that a document leads to."""
    document = ROOT / name
    if document.suffix != ".md":
        return set()
    found = LINKED.findall(document.read_text(encoding="utf-8"))
    return {os.path.relpath((document.parent / target).resolve(), ROOT) for target in found}


def test_every_page_is_reached_from_the_readme_in_two_clicks() -> None:
    pages = {str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md")}
    reached = {"README.md"}
    for _ in range(2):
        reached |= {linked for name in reached for linked in links(name)}
    assert pages - reached == set()


def test_the_pages_that_are_made_from_the_code_are_up_to_date() -> None:
    for name in PAGES:
        text = (ROOT / "docs" / name).read_text(encoding="utf-8")
        assert text == page(name), f"docs/{name}: run python -m tests.reference"


def test_every_command_metric_call_and_alert_has_one_place_where_it_is_described() -> None:
    text = "\n".join((ROOT / name).read_text(encoding="utf-8") for name in DOCUMENTS)
    for kind, described, expected in (
        ("command", r"^#+ `?conservator ([a-z -]+?)`?$", {words for words, _ in commands()}),
        ("metric", r"^\| `(conservator_\w+)", {name for name, _ in metrics()}),
        ("call", r"^\| `((?:GET|POST) /[^`?]*)", {f"{one.method} {one.path}" for one in ROUTES}),
        ("alert", r"^\| \[?`?(Conservator[A-Za-z]+)", {alert.name for alert in ALERTS}),
    ):
        found = Counter(re.findall(described, text, re.MULTILINE))
        assert {name: number for name, number in found.items() if number > 1} == {}, kind
        assert set(found) == expected, kind


def test_the_help_of_every_command_has_an_example_that_it_takes() -> None:
    for words, command in commands():
        example = example_of(command).split()
        assert example[:1] == ["conservator"], f"{words}: add `Example: conservator …` to its help"
        rest = example[3:] if example[1] == "-c" else example[1:]
        assert rest[: len(words.split())] == words.split()
        options = {option for one in command.params for option in one.opts}
        assert {word for word in rest if word.startswith("--")} <= options, words
