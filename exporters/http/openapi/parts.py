"""What a call is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from pydantic import BaseModel

Json = Mapping[str, object]
JSON = "application/json"


class Tag(StrEnum):
    """What a call is about."""

    ARTWORKS = "artworks"
    CHECKS = "checks"
    RUNS = "runs"
    HEALING = "healing"
    ALERTS = "alerts"
    SERVICE = "service"
    PAGES = "pages"


class Where(StrEnum):
    """Where a parameter stands."""

    PATH = "path"
    QUERY = "query"
    HEADER = "header"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One of a call's parameters. Those in the path are required, all others are not."""

    name: str
    where: Where
    description: str
    schema: Json
    example: object = None


@dataclass(frozen=True, slots=True)
class Header:
    """A header of a reply."""

    name: str
    description: str
    example: str
    always: bool = True


@dataclass(frozen=True, slots=True)
class Link:
    """Another call, reached with a value of this reply."""

    name: str
    operation: str
    description: str
    parameters: Json


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered with one status."""

    status: int
    description: str
    shape: object | None = None
    """The type of a JSON answer; None where it is text, or there is no body."""
    examples: Json = field(default_factory=dict)
    """Name -> answer."""
    media: tuple[str, ...] = (JSON,)
    """What is not JSON is text; empty: there is no body."""
    headers: tuple[Header, ...] = ()
    links: tuple[Link, ...] = ()
    codes: tuple[str, ...] = ()
    """Of an error: the codes that it can have."""


@dataclass(frozen=True, slots=True)
class Body:
    """What a call takes."""

    model: type[BaseModel]
    description: str
    examples: Json
    required: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """One method of one path. Refusals for want of a token are added from the table of routes."""

    operation: str
    tag: Tag
    summary: str
    description: str
    replies: tuple[Reply, ...]
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None


Calls = Mapping[tuple[str, str], Call]
"""(method, path) -> call."""
