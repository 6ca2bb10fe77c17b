"""What the documents name is there: every path of a file or a folder of ours."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

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
