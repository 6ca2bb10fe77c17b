"""A mistake in the configuration: where, and what was expected, found, and to be done."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches

from checks.errors import ConfigurationError

Loc = tuple[str | int, ...]
"""A place in the document: ("checks", "sql", 0, "query")."""

_CREDENTIALS = re.compile(r"://\S*@")
_PASSWORD = re.compile(r"(pass(?:word|wd)?\s*=\s*)[^\s&]+", re.IGNORECASE)
_LONGEST_SHOWN = 60

HIDDEN = "another value (not shown)"
"""How a message speaks of a value that is a secret."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake. `path` is like `checks.sql[0].query`; `line` counts from 1, where known."""

    path: str
    message: str
    line: int | None = None

    def __str__(self) -> str:
        where = "" if self.line is None else f" (line {self.line})"
        return f"{self.path}: {self.message}{where}"


class InvalidConfigError(ConfigurationError):
    """The configuration has mistakes; all that could be found are in `mistakes`, one a line."""

    code = "invalid_configuration"

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes))


class UnfitError(ValueError):
    """A value that can't be used. `found` describes it; `shown` does so for what is no secret."""

    def __init__(self, expected: str, found: str, remedy: str) -> None:
        super().__init__(sentence(expected, found, remedy))


def sentence(expected: str, found: str, remedy: str) -> str:
    """The form of every message."""
    return f"expected {expected}, found {found}; {remedy}"


def masked(text: str) -> str:
    """`text` without what looks like credentials: in a URL, or after `password=`."""
    return _PASSWORD.sub(r"\1***", _CREDENTIALS.sub("://***@", text))


def shown(value: object) -> str:
    """A value as a person may see it in a message: short, and without credentials."""
    if value is None or value == "":
        return "nothing"
    if isinstance(value, str):
        text = masked(value).encode(errors="replace").decode()
        cut = text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…"
        return json.dumps(cut, ensure_ascii=False)
    if isinstance(value, bool | int | float | list | dict | date):
        return _shown_plainly(value)
    return "something else"


def _shown_plainly(value: bool | int | float | list[object] | dict[object, object] | date) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case date():
            return value.isoformat()
        case list():
            return "a list"
        case dict():
            return "a group of keys"
        case _:
            return str(value)


def path_of(loc: Loc) -> str:
    """`loc` as a person writes it."""
    return "".join(_steps(loc)).lstrip(".")


def _steps(loc: Loc) -> Iterator[str]:
    for part in loc:
        if isinstance(part, int):
            yield f"[{part}]"
        else:
            name = masked(part)
            yield f".{name}" if re.fullmatch(r"[\w-]+", name) else "." + shown(name)


def suggestion(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` most likely stands for, if one is close."""
    lowered = {name.lower(): name for name in known}
    close = get_close_matches(word.lower(), lowered, n=1, cutoff=0.6)
    return lowered[close[0]] if close else None
