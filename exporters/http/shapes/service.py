"""Alive, ready."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from exporters.http.shapes.base import Problem, described


@described
class Alive(TypedDict):
    """The process serves requests."""

    status: Literal["ok"]


@described
class Ready(TypedDict):
    """The database is reachable, and the state schema the one that this version needs."""

    ready: Literal[True]
    reasons: list[str]


@described
class NotReady(Problem):
    """Not ready for work."""

    ready: Literal[False]
    reasons: list[str]
    """A sentence for each thing that is missing."""
