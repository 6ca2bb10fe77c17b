"""Which file a statement came from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Formatter

ROOT = Path(__file__).parents[2]
FOLDERS = (
    "checks/sql",
    "checks/citus/sql",
    "monitor/healing/sql",
    "monitor/healing/throttle/sql",
    "monitor/checking/sql",
    "monitor/state/sql",
)
_PARAMETER = re.compile(r"%\(\w+\)s")


@dataclass(frozen=True, slots=True)
class StatementFile:
    """A file and what every statement made from it looks like."""

    name: str
    """Without its ending; no two files share one."""
    begin: str
    """Its text before the first name or parameter that is filled in."""
    pattern: re.Pattern[str]

    def made(self, text: str) -> bool:
        """Whether the statement was made from this file."""
        return text.startswith(self.begin) and self.pattern.fullmatch(text) is not None


def statement_files() -> Mapping[str, StatementFile]:
    """All of them, by name."""
    paths = [path for folder in FOLDERS for path in sorted((ROOT / folder).glob("*.sql"))]
    found = {path.stem: _read(path.stem, path.read_text(encoding="utf-8")) for path in paths}
    assert len(found) == len(paths), "two statements have the same name"
    return found


def name_of(text: str, files: Mapping[str, StatementFile]) -> str | None:
    """The file of this statement; None for one that is written in the code. Of several that fit,
    the one that says most: a file may begin like another."""
    fitting = [file for file in files.values() if file.made(text.strip())]
    if not fitting:
        return None
    return max(fitting, key=lambda file: len(file.pattern.pattern)).name


def _read(name: str, text: str) -> StatementFile:
    parts = tuple(_literals(text.strip()))
    pattern = "(?s:.*?)".join(_escaped(part) for part in parts)
    return StatementFile(name, _PARAMETER.split(_plain(parts[0]))[0], re.compile(pattern))


def _literals(text: str) -> Iterator[str]:
    """What stands between the placeholders, with an empty end where a placeholder is the last."""
    literal = ""
    for part, field, _, _ in Formatter().parse(text):
        literal += part
        if field is not None:
            yield literal
            literal = ""
    yield literal


def _escaped(part: str) -> str:
    return r"\$\d+".join(re.escape(_plain(piece)) for piece in _PARAMETER.split(part))


def _plain(part: str) -> str:
    return part.replace("%%", "%")
