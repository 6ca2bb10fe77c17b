"""SQL lives in files: one statement each, explained, in use; user data are written in one place."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("checks", "monitor", "exporters")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.sql"))
WRITERS = (ROOT / "monitor/healing/sql", ROOT / "monitor/demo/sql")
"""Healing writes impressions, and what repairs name; the demo plays the app."""
USER_DATA = (
    r"(\{(impressions(_table)?|artworks|users|target)\}"
    r"|\b(user_art_impressions|art_sessions|users)\b)"
)
WRITES_USER_DATA = re.compile(
    rf"\b(INSERT\s+INTO|UPDATE|DELETE\s+FROM|TRUNCATE|MERGE\s+INTO)\s+(ONLY\s+)?{USER_DATA}",
    re.IGNORECASE,
)
WRITES = re.compile(
    r"\b(INSERT\s+INTO|UPDATE|DELETE\s+FROM|TRUNCATE|MERGE|CREATE|ALTER|DROP|GRANT|CALL)\b",
    re.IGNORECASE,
)


def name_of(path: Path) -> str:
    """For the test's name."""
    return str(path.relative_to(ROOT))


def code(path: Path) -> str:
    """The statement without comments and quoted text."""
    text = path.read_text(encoding="utf-8")
    return re.sub(r"'(?:[^']|'')*'", "''", re.sub(r"--.*", "", text))


def quoted_in_python(package: Path) -> set[str]:
    """Every text that stands in the Python of a package."""
    return {
        node.value
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def said_in_python(package: Path) -> set[str]:
    """The same without docstrings, and what explains a name."""
    found: set[str] = set()
    for path in package.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        explained = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        found |= {
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in explained
        }
    return found


def test_user_data_are_written_in_one_folder_only() -> None:
    writers = [path for path in FILES if WRITES_USER_DATA.search(code(path))]
    assert [name_of(path) for path in writers if path.parent not in WRITERS] == []
    healing = [path for path in writers if path.parent == WRITERS[0]]
    assert [path.name for path in healing] == [
        "batch_bring.sql",
        "batch_insert.sql",
        "batch_insert_any_shape.sql",
        "repair_delete.sql",
        "repair_insert.sql",
        "repair_undo_delete.sql",
        "repair_undo_insert.sql",
        "repair_undo_update.sql",
        "repair_update.sql",
        "undo_batch.sql",
        "undo_batch_any_shape.sql",
        "undo_batch_on_citus.sql",
        "undo_give_back.sql",
        "user_backfill.sql",
    ]


def test_no_python_writes_user_data() -> None:
    assert [
        text
        for package in PACKAGES
        for text in quoted_in_python(ROOT / package)
        if WRITES_USER_DATA.search(text)
    ] == []


@pytest.mark.parametrize("path", [p for p in FILES if "checks" in p.parts], ids=name_of)
def test_checks_only_read(path: Path) -> None:
    assert code(path).split()[0].upper() in {"SELECT", "WITH"}
    assert WRITES.findall(code(path)) == []


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_every_statement_says_what_it_is_for(path: Path) -> None:
    assert re.match(r"-- \S", path.read_text(encoding="utf-8"))


def test_every_statement_is_in_use() -> None:
    texts = set().union(*(quoted_in_python(ROOT / package) for package in PACKAGES))
    assert [
        name_of(path) for path in FILES if path.stem not in texts and path.name not in texts
    ] == []


SQL = re.compile(r"\b(SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE|ALTER|GRANT|SET|BEGIN|WHERE)\b")


def test_no_statement_needs_more_than_ascii() -> None:
    # Whatever a database's encoding lacks, it refuses: in a comment, too.
    assert [name_of(path) for path in FILES if not path.read_bytes().isascii()] == []
    texts = set().union(*(said_in_python(ROOT / package) for package in PACKAGES))
    assert [text for text in texts if SQL.search(text) and not text.isascii()] == []


NAMED_HERE = re.compile(
    r"(?<!DISTINCT )\b(?:FROM|JOIN|USING|UPDATE)\s+(?!cte_|pg_|information_schema|ONLY\b)"
    r"([a-z_]+)\b(?!\s*\()"
    r"|\b(?!cte_)([a-z_]+)(?: \([a-z_, ]+\))? AS "
    r"(?:(?:NOT )?MATERIALIZED |\{(?:leaf|inline)\} )?\(\s*"
    r"(?=SELECT\b|WITH\b|INSERT\b|UPDATE\b|DELETE\b|\{)"
)
"""A relation without a schema, or a common table expression, without our prefix."""


@pytest.mark.parametrize("path", [p for p in FILES if "demo" not in p.parts], ids=name_of)
def test_what_a_statement_names_itself_hides_no_table_of_the_app(path: Path) -> None:
    # The operator's SQL stands in it, and FROM people would be ours.
    text = re.sub(r"extract\(\w+ FROM|USING brin", "", code(path))
    assert NAMED_HERE.findall(text) == []


def test_nor_does_what_python_puts_into_it() -> None:
    demo = quoted_in_python(ROOT / "monitor/demo")
    texts = set().union(*(quoted_in_python(ROOT / package) for package in PACKAGES)) - demo
    aliased = re.compile(r"\b(?:FROM|JOIN|USING) (?!cte_|pg_)[a-z_]+ AS [a-z]+\b")
    assert [text for text in texts if aliased.search(text)] == []
