"""Mistakes in the configuration: where, what was expected, what was found, what to do."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches

from checks.errors import ConfigurationError

Loc = tuple[str | int, ...]
"""A place in the file: ("checks", "sql", 0, "query")."""

HIDDEN = "another value (not shown)"
"""How a message speaks of a value that is a secret."""

_CREDENTIALS = re.compile(r"://\S*@")
_PASSWORD = re.compile(r"((?:pass(?:word|wd)?|secret|scram_\w+_key)\s*=\s*)[^\s&]+", re.IGNORECASE)
_LONGEST_SHOWN = 60


@dataclass(frozen=True, slots=True)
class ConfigError:
    """One mistake. `path` is like `checks.sql[0].query`; `line` counts from 1, where known."""

    path: str
    message: str
    line: int | None = None

    def __str__(self) -> str:
        where = "" if self.line is None else f" (line {self.line})"
        return f"{self.path}: {self.message}{where}"


class InvalidConfigError(ConfigurationError):
    """The configuration has mistakes; all that could be found are in `errors`, one a line."""

    code = "invalid_configuration"

    def __init__(self, errors: Iterable[ConfigError]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(str(error) for error in self.errors))


class InvalidValueError(ValueError):
    """A value that can't be used, or keys that contradict each other.

    `found` describes the value: `repr_safe` does so for what is no secret. `keys` are the paths,
    within their section, of the keys that were compared; the mistake is told at the first.
    """

    def __init__(self, expected: str, found: str, remedy: str, *keys: str | Loc) -> None:
        super().__init__(sentence(expected, found, remedy))
        self.keys = tuple(tuple(key.split(".")) if isinstance(key, str) else key for key in keys)


@dataclass(slots=True)
class ErrorCollector:
    """The mistakes found in one file so far, and the lines on which its keys stand.

    `broken` are the places whose value is of no use to what is examined later.
    """

    lines: dict[Loc, int] = field(default_factory=dict)
    errors: list[ConfigError] = field(default_factory=list)
    broken: set[Loc] = field(default_factory=set)

    def add(self, loc: Loc, message: str, line: int | None = None) -> None:
        """A mistake at `loc`, on `line` or else on that of the nearest key written down."""
        parents = (loc[:length] for length in range(len(loc), 0, -1))
        line = line or next((self.lines[part] for part in parents if part in self.lines), None)
        self.errors.append(ConfigError(path_of(loc), message, line))

    def refuse(self, loc: Loc, message: str) -> None:
        """A mistake at `loc`, whose value is broken."""
        self.add(loc, message)
        self.broken.add(loc)

    def in_order(self) -> list[ConfigError]:
        """As they stand in the file; what is missing from it comes first."""
        return sorted(self.errors, key=lambda error: error.line or 0)


def sentence(expected: str, found: str, remedy: str) -> str:
    """The form of every message."""
    return f"expected {expected}, found {found}; {remedy}"


def unusable(source: str, expected: str, found: str, remedy: str) -> InvalidConfigError:
    """Why nothing at all can be made of the file."""
    return InvalidConfigError([ConfigError(source, sentence(expected, found, remedy))])


def redact(text: str) -> str:
    """`text` without what looks like credentials: in a URL, or after `password=`."""
    return _PASSWORD.sub(r"\1***", _CREDENTIALS.sub("://***@", text))


def repr_safe(value: object) -> str:
    """A value as a person may see it in a message: short, and without credentials."""
    if value is None or value == "":
        return "nothing"
    if isinstance(value, str):
        text = redact(value).encode(errors="replace").decode()
        cut = text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…"
        return json.dumps(cut, ensure_ascii=False)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, dict):
        return "a group of keys"
    return str(value) if isinstance(value, int | float | date) else "something else"


def path_of(loc: Loc) -> str:
    """`loc` as a person writes it."""
    return "".join(map(_step, loc)).removeprefix(".") or "(top)"


def _step(part: str | int) -> str:
    if isinstance(part, int):
        return f"[{part}]"
    name = redact(part)
    return f".{name}" if re.fullmatch(r"[\w-]+", name) else f".{repr_safe(name)}"


def suggestion(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` most likely stands for, if one is close."""
    lowered = {name.lower(): name for name in known}
    close = get_close_matches(word.lower(), lowered, n=1, cutoff=0.6)
    return lowered[close[0]] if close else None
