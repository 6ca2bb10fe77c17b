"""What discovery comes to: values with what speaks for them, and questions where nothing does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Question:
    """What only a person can say."""

    about: str
    """The setting, table or column."""
    text: str
    """What the data say, and what they don't."""
    alternatives: tuple[str, ...]
    """Settings or statements, one of which it takes."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A setting's value, by its path below `catalog`."""

    path: str
    value: Any
    evidence: str


@dataclass(frozen=True, slots=True)
class View:
    """A view that would say what no setting can, for the tables' owner to make."""

    name: str
    """As the configuration names it."""
    statement: str
    evidence: str
