"""The sections of the status page, in the order in which a reader asks."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from exporters.page.checks import check_rows
from exporters.page.context import PageContext
from exporters.page.counts import counts_of
from exporters.page.current_run import current_run
from exporters.page.decision import decision_view
from exporters.page.runs import run_rows
from exporters.page.summary import summarise
from exporters.page.switches import switches
from exporters.page.templates import render
from exporters.timestamps import iso_utc

_VIEWS: tuple[tuple[str, Callable[[PageContext], object]], ...] = (
    ("sentence", lambda context: summarise(context.status, context.now)),
    ("counts", counts_of),
    ("decision", decision_view),
    ("run", current_run),
    ("checks", check_rows),
    ("runs", lambda context: run_rows(context.history.runs, may_act=context.may_act)),
    ("switches", switches),
)


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page that is replaced as a whole when it changes."""

    id: str
    version: str
    """Of its HTML: another one means that it changed."""
    html: str


def sections(context: PageContext) -> tuple[Section, ...]:
    """All of them, rendered."""
    return tuple(_section(name, view(context), context) for name, view in _VIEWS)


def _section(name: str, view: object, context: PageContext) -> Section:
    html = render(f"section_{name}", view=view, context=context, database=_database(context))
    # No secret: the hash only tells one text from another.
    version = hashlib.blake2b(html.encode(), digest_size=6).hexdigest()
    return Section(name, version, html)


def _database(context: PageContext) -> dict[str, str | None]:
    status = context.status
    return {
        "error": None if status.database_up else status.database_error,
        "last": None if status.census is None else iso_utc(status.census.as_of),
    }
