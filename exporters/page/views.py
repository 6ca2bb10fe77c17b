"""The whole pages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from checks.pairs import UserCensus
from exporters.page.chart import SPANS, Chart
from exporters.page.context import PageContext, RunsRead
from exporters.page.runs import run_row, run_rows
from exporters.page.sections import Section
from exporters.page.summary import summarise
from exporters.page.templates import render
from monitor.state.runs import Backfilled, BatchRow, QuarantinedPair, Run

_ONLY = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"
STATIC_POLICY = f"{_ONLY}; style-src 'self'; img-src 'self'; form-action 'none'"
"""Of a page without scripts."""
LIVE_POLICY = (
    f"{_ONLY}; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'self'"
)
"""Nothing inline, nothing from elsewhere."""


@dataclass(frozen=True, slots=True)
class History:
    """The chart of a page, over which span, and why it could not be read again."""

    span: str
    drawing: Chart | None
    error: str | None


def status_page(context: PageContext, parts: tuple[Section, ...], history: History) -> str:
    """The page at /."""
    return render(
        "status",
        context=context,
        summary=summarise(context.status, context.now),
        parts={part.id: part for part in parts},
        history=history,
        spans={key: words for key, (words, _) in SPANS.items()},
    )


def runs_page(seen: RunsRead, *, may_act: bool) -> str:
    """Earlier runs."""
    rows = run_rows(seen.runs, may_act=may_act)
    return render("runs", rows=rows, following=seen.following, may_act=may_act)


@dataclass(frozen=True, slots=True)
class RunShown:
    """One run with all that is kept of it."""

    run: Run
    waits: Mapping[str, float]
    quarantine: tuple[QuarantinedPair, ...]
    batches: tuple[BatchRow, ...]
    following: int | None
    """The `after` of the next page of batches."""


def run_page(shown: RunShown, *, may_act: bool) -> str:
    """One run with its batches."""
    return render("run", shown=shown, row=run_row(shown.run, may_act=may_act), may_act=may_act)


def users_page() -> str:
    """Which user?"""
    return render("users")


def user_page(
    user_id: str, census: UserCensus, backfilled: Backfilled | None, *, may_act: bool
) -> str:
    """One user: counts, whether and when backfilled."""
    # Whoever asks for it again means it.
    body = {"user_id": user_id} if backfilled is None else {"user_id": user_id, "force": True}
    return render(
        "user",
        user_id=user_id,
        census=census,
        backfilled=backfilled,
        may_act=may_act,
        body=json.dumps(body),
    )


def error_page(status: int, message: str) -> str:
    """What went wrong, for whoever navigated there."""
    return render("error", status=status, message=message)


def runbook_page(name: str, body: str) -> str:
    """A runbook; `body` is HTML that was made of our own Markdown."""
    return render("runbook", name=name, body=body)
