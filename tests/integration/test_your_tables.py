"""The examples of docs/your-tables.md are the galleries' own, which test_any_gallery.py tries: none
is missing there, none is another."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.support.acceptance_cases import ACCEPTANCE_CASES
from tests.support.stranger_galleries import FOLDER, documents

DOCUMENT = Path(__file__).parents[2] / "docs/your-tables.md"
TEXT = DOCUMENT.read_text(encoding="utf-8")
MARKED = re.compile(r"<!-- (gallery: .+?) -->\n((?:```(?:sql|yaml)\n.*?```\n)+)", re.DOTALL)
BLOCK = re.compile(r"```(sql|yaml)\n(.*?)```\n", re.DOTALL)


@dataclass(frozen=True)
class Example:
    """One example of the document, and whose it is."""

    gallery: str
    document: int
    statements: tuple[str, ...]
    """SQL, as `_plain` writes it."""
    settings: dict[str, Any]


def _examples() -> Iterator[Example]:
    for mark, blocks in MARKED.findall(TEXT):
        found = BLOCK.findall(blocks)
        [settings] = [yaml.safe_load(text) for language, text in found if language == "yaml"]
        scripts = [text for language, text in found if language == "sql"]
        statements = tuple(one for text in scripts for one in _statements(text))
        facts = dict(part.split(": ") for part in mark.split(", "))
        yield Example(facts["gallery"], int(facts["document"]), statements, settings)


def _statements(script: str) -> list[str]:
    """Each by itself, in small letters, with single blanks and without comments."""
    plain = " ".join(re.sub("--.*", "", script).lower().split())
    return [one.strip() for one in plain.split(";") if one.strip()]


EXAMPLES = tuple(_examples())


def test_every_document_of_every_gallery_is_an_example_word_for_word() -> None:
    shown = {(one.gallery, one.document): one.settings for one in EXAMPLES}
    assert shown == {
        (case.gallery, case.number): {"catalog": documents(case.gallery)[case.number - 1]}
        for case in ACCEPTANCE_CASES
    }
    assert len(EXAMPLES) == len(shown)


def test_what_the_owner_does_beforehand_is_what_the_galleries_have() -> None:
    for one in EXAMPLES:
        [case] = [
            c for c in ACCEPTANCE_CASES if (c.gallery, c.number) == (one.gallery, one.document)
        ]
        policies = FOLDER / f"{one.gallery}.policies.sql"
        scripts = [(FOLDER / f"{one.gallery}.sql").read_text(), case.prepare]
        scripts += [policies.read_text()] if case.policies else []
        there = [statement for script in scripts for statement in _statements(script)]
        assert {*one.statements} <= {*there}
        own = [*_statements(case.prepare), *_statements(scripts[2] if case.policies else "")]
        assert {*own} <= {*one.statements}


def test_every_block_is_an_example() -> None:
    assert BLOCK.findall(TEXT) == [
        block for _, blocks in MARKED.findall(TEXT) for block in BLOCK.findall(blocks)
    ]


def test_every_section_that_the_document_names_is_there() -> None:
    headings = re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)
    there = {re.sub(r"[^a-z -]", "", one.lower()).replace(" ", "-") for one in headings}
    assert {*re.findall(r"\]\(#([^)]+)\)", TEXT)} <= there
