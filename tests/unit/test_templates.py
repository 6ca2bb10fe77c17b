"""Statements are read from their files before there is none left to open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from checks.statements import template

ROOT = Path(__file__).parents[2]
FOLDERS = sorted(
    {path.parent for top in ("checks", "monitor") for path in (ROOT / top).rglob("*.sql")}
)


@pytest.mark.parametrize("folder", FOLDERS, ids=str)
def test_one_statement_of_a_package_brings_all_of_them(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = ".".join(folder.parent.relative_to(ROOT).parts)
    texts = {path.stem: path.read_text(encoding="utf-8") for path in folder.glob("*.sql")}
    template(package, min(texts))

    def none_left(*_: Any, **__: Any) -> str:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(Path, "read_text", none_left)
    assert {name: template(package, name) for name in texts} == texts
