"""The page around the sentence. Whatever comes from the snapshot is escaped."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from html import escape
from importlib.resources import files

from checks.census import Census
from exporters.current import current_census, remaining_rows
from exporters.moments import moment
from exporters.page.checks import render_checks
from exporters.page.summary import summarise
from monitor.state.runs import RunState
from monitor.status import Status

STYLE = files("exporters.page").joinpath("style.css").read_text("utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)
"""Nothing but the page's own style sheet."""

_LINKS = (
    ("/api/artworks/stats", "Counts"),
    ("/api/checks", "Checks"),
    ("/api/runs", "Runs"),
    ("/metrics", "Metrics"),
    ("/readyz", "Readiness"),
)


def render_page(status: Status, now: float, *, observe: bool) -> str:
    """The whole document; `now` on the monotonic clock."""
    summary = summarise(status, now)
    facts = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in _facts(status, observe)
    )
    links = "".join(f'<li><a href="{path}">{name}</a></li>' for path, name in _LINKS)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>conservator</title><style>{STYLE}</style></head><body><main>"
        f'<h1>conservator</h1><p class="summary {summary.mood}">{escape(summary.sentence)}</p>'
        f"{_census(status, now)}<dl>{facts}</dl>{render_checks(status, now)}"
        f"<nav><ul>{links}</ul></nav>"
        f"<footer>Version {escape(status.version)}</footer></main></body></html>\n"
    )


def _census(status: Status, now: float) -> str:
    if status.census is None:
        return '<p class="note">There are no counts to show.</p>'
    stale = current_census(status, now) is None
    caption = f"As of {moment(status.census.as_of)}, in pairs of user and artwork"
    if stale:
        caption = f"Out of date: {caption[0].lower()}{caption[1:]}"
    rows = "".join(
        f'<tr><th scope="row">{name}</th><td>{count:,}</td></tr>'
        for name, count in _states(status.census)
    )
    mark = ' class="stale"' if stale else ""
    return f"<table{mark}><caption>{escape(caption)}</caption>{rows}</table>"


def _states(census: Census) -> tuple[tuple[str, int], ...]:
    return (
        ("Tracked", census.tracked),
        ("Fresh", census.fresh),
        ("Storage", census.storage),
        ("Legacy untracked", census.legacy_untracked),
    )


def _facts(status: Status, observe: bool) -> Iterator[tuple[str, str]]:
    if status.database_error:
        yield "Database", status.database_error
    yield "Leader", _leader(status)
    if status.decision is not None:
        when = f" ({moment(status.decided_at)})" if status.decided_at else ""
        yield "Last decision", f"{status.decision.kind}: {status.decision.reason}{when}"
    yield from _run(status)
    control = status.control
    if control.paused:
        yield "Paused", control.paused_reason or "no reason given"
    if control.suspended:
        yield "Suspended", control.suspended_reason or "no reason given"
    if observe:
        yield "Mode", "observe: only a person heals"
    if control.breaker_open:
        since = f" since {moment(control.breaker_at)}" if control.breaker_at else ""
        yield "Breaker", f"open{since} ({control.breaker_code}): {control.breaker_reason}"
    if status.recurring:
        yield (
            "Recurring",
            f"{status.recurring:,} pairs appeared behind the last verified heal within 24 hours:"
            " the app's recording is broken, or impressions vanish, and healing only masks it",
        )


def _leader(status: Status) -> str:
    if status.leader:
        return f"this replica, {status.replica}" if status.replica else "this replica"
    if status.leader_name:
        return f"{status.leader_name}; this replica stands by and shows what that one found"
    return "nobody that this replica knows of; it leads as soon as the lease is free"


def _run(status: Status) -> Iterator[tuple[str, str]]:
    run = status.active_run
    if run is None:
        return
    left = f"{remaining_rows(status):,} of {run.planned_rows:,} rows left"
    if run.state is RunState.HELD:
        yield f"Run {run.id}", f"put down with {left}: {run.outcome}"
        return
    waiting_for = status.progress.waiting_for if status.progress is not None else run.waiting_for
    if waiting_for:
        yield f"Run {run.id}", f"waiting with {left}: {waiting_for}"
        return
    eta = status.progress.eta_seconds if status.progress is not None else None
    doing = "healing" if run.undoes is None else f"taking run {run.undoes} back"
    yield f"Run {run.id}", f"{doing}, {left}" + (f", about {eta:,.0f} s" if eta else "")
