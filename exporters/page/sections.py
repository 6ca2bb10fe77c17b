"""The sections of the status page, in the order in which a reader asks."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from exporters.page.active import active
from exporters.page.checks import check_rows
from exporters.page.counts import counts_of
from exporters.page.decision import decided
from exporters.page.runs import run_rows
from exporters.page.scene import Scene
from exporters.page.summary import summarise
from exporters.page.switches import switches
from exporters.page.templates import render
from exporters.timestamps import iso_utc

_VIEWS: tuple[tuple[str, Callable[[Scene], object]], ...] = (
    ("sentence", lambda scene: summarise(scene.status, scene.now)),
    ("counts", counts_of),
    ("decision", decided),
    ("run", active),
    ("checks", check_rows),
    ("runs", lambda scene: run_rows(scene.history.runs, may_act=scene.may_act)),
    ("switches", switches),
)


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page that is replaced as a whole when it changes."""

    id: str
    version: str
    """Of its HTML: another one means that it changed."""
    html: str


def sections(scene: Scene) -> tuple[Section, ...]:
    """All of them, rendered."""
    return tuple(_section(name, view(scene), scene) for name, view in _VIEWS)


def _section(name: str, view: object, scene: Scene) -> Section:
    html = render(f"section_{name}", view=view, scene=scene, database=_database(scene))
    # No secret: the hash only tells one text from another.
    version = hashlib.blake2b(html.encode(), digest_size=6).hexdigest()
    return Section(name, version, html)


def _database(scene: Scene) -> dict[str, str | None]:
    status = scene.status
    return {
        "error": None if status.database_up else status.database_error,
        "last": None if status.census is None else iso_utc(status.census.as_of),
    }
