"""The table of routes: every call, who may make it, what it takes, answers and refuses."""

from __future__ import annotations

from typing import Any

from aiohttp.hdrs import METH_GET, METH_POST

from exporters.http import alerts, artworks, checks, etag, events, healing, health, pages, runs
from exporters.http.requests import (
    AlertsBody,
    AnyParameters,
    BackfillBody,
    BatchesPage,
    CheckParameters,
    EmptyBody,
    FindParameters,
    PauseBody,
    RunbookParameters,
    RunParameters,
    RunsPage,
    SpanParameters,
    StaticParameters,
    StatsParameters,
    UndoBody,
    UserParameters,
)
from exporters.http.responses import (
    Accepted,
    Alive,
    BreakerClosed,
    CheckPast,
    Checks,
    Counts,
    Healing,
    History,
    NothingToHeal,
    NothingToUndo,
    NotReady,
    Paused,
    Ready,
    Received,
    Resumed,
    RunInFull,
    RunList,
    UserHealed,
    UserSkipped,
    WouldTakeBack,
    WouldUpdate,
)
from exporters.http.routing import HTML, Route, Tag
from exporters.http.strict_json import JSON
from exporters.http.tokens import Access
from exporters.page.assets import TYPES

_NO_CENSUS = ("no_census", "stale_census")
_REFUSED = ("paused", "active_run", "refused")

ROUTES: tuple[Route[Any, Any], ...] = (
    Route(
        METH_GET, "/", Access.READ, pages.get_page, Tag.PAGES, {200: HTML},
        parameters=SpanParameters,
    ),
    Route(
        METH_GET, "/events", Access.READ, events.follow_page, Tag.PAGES,
        {200: ("text/event-stream",)},
        errors=("too_many_streams", "stopping"),
    ),
    Route(
        METH_GET, "/runs", Access.READ, pages.get_runs_page, Tag.PAGES, {200: HTML},
        parameters=RunsPage,
        touches_database=True,
    ),
    Route(
        METH_GET, "/runs/{run_id}", Access.READ, pages.get_run_page, Tag.PAGES, {200: HTML},
        parameters=BatchesPage,
        errors=("unknown_run",),
        touches_database=True,
    ),
    Route(
        METH_GET, "/users", Access.READ, pages.find_user, Tag.PAGES, {200: HTML, 303: ()},
        parameters=FindParameters,
    ),
    Route(
        METH_GET, "/users/{user_id}", Access.READ, pages.get_user_page, Tag.PAGES, {200: HTML},
        parameters=UserParameters,
        errors=("unknown_user",),
        touches_database=True,
    ),
    Route(
        METH_GET, "/static/{name}", Access.READ, etag.get_static, Tag.PAGES,
        {200: tuple(dict.fromkeys(TYPES.values()))},
        parameters=StaticParameters,
        errors=("not_found",),
        has_etag=True,
    ),
    Route(
        METH_GET, "/runbooks/{name}", Access.READ, etag.get_runbook, Tag.PAGES, {200: HTML},
        parameters=RunbookParameters,
        errors=("unknown_runbook",),
        has_etag=True,
    ),
    Route(
        METH_GET, "/healthz", Access.PUBLIC, health.is_alive, Tag.SERVICE, {200: Alive},
        parameters=AnyParameters,
    ),
    Route(
        METH_GET, "/readyz", Access.READ, health.is_ready, Tag.SERVICE,
        {200: Ready, 503: NotReady},
        parameters=AnyParameters,
        errors=("not_ready",),
    ),
    Route(
        METH_GET, "/metrics", Access.READ, health.get_metrics, Tag.SERVICE,
        {200: ("text/plain", "application/openmetrics-text")},
        parameters=AnyParameters,
    ),
    Route(
        METH_GET, "/api/artworks/stats", Access.READ, artworks.get_stats, Tag.ARTWORKS,
        {200: Counts},
        parameters=StatsParameters,
        errors=("unknown_user", *_NO_CENSUS),
        touches_database=True,
    ),
    Route(
        METH_GET, "/api/artworks/history", Access.READ, artworks.get_history, Tag.ARTWORKS,
        {200: History},
        parameters=SpanParameters,
        touches_database=True,
    ),
    Route(
        METH_POST, "/api/artworks/backfill-impressions", Access.BACKFILL,
        artworks.backfill_impressions, Tag.ARTWORKS,
        {200: UserHealed | UserSkipped | WouldUpdate | NothingToHeal, 202: Accepted},
        body=BackfillBody,
        errors=("unknown_user", "breaker_open", "held", "lease_lost", *_REFUSED, *_NO_CENSUS),
        touches_database=True,
    ),
    Route(
        METH_GET, "/api/checks", Access.READ, checks.list_checks, Tag.CHECKS, {200: Checks}
    ),
    Route(
        METH_GET, "/api/checks/{name}", Access.READ, checks.get_check, Tag.CHECKS,
        {200: CheckPast},
        parameters=CheckParameters,
        errors=("unknown_check",),
        touches_database=True,
    ),
    Route(
        METH_GET, "/api/runs", Access.READ, runs.list_runs, Tag.RUNS, {200: RunList},
        parameters=RunsPage,
        touches_database=True,
    ),
    Route(
        METH_GET, "/api/runs/{run_id}", Access.READ, runs.get_run, Tag.RUNS, {200: RunInFull},
        parameters=BatchesPage,
        errors=("unknown_run",),
        touches_database=True,
    ),
    Route(
        METH_POST, "/api/runs/{run_id}/undo", Access.ADMIN, runs.undo_run, Tag.RUNS,
        {200: WouldTakeBack | NothingToUndo, 202: Accepted},
        parameters=RunParameters,
        body=UndoBody,
        errors=("unknown_run", "not_undoable", *_REFUSED),
        touches_database=True,
    ),
    Route(
        METH_GET, "/api/healing", Access.READ, healing.get_healing, Tag.HEALING, {200: Healing}
    ),
    Route(
        METH_POST, "/api/healing/pause", Access.ADMIN, healing.pause, Tag.HEALING, {200: Paused},
        body=PauseBody,
        touches_database=True,
    ),
    Route(
        METH_POST, "/api/healing/resume", Access.ADMIN, healing.resume, Tag.HEALING,
        {200: Resumed},
        body=EmptyBody,
        touches_database=True,
    ),
    Route(
        METH_POST, "/api/healing/reset-breaker", Access.ADMIN, healing.reset_breaker, Tag.HEALING,
        {200: BreakerClosed},
        body=EmptyBody,
        touches_database=True,
    ),
    Route(
        METH_POST, "/api/alerts", Access.ALERT, alerts.notify, Tag.ALERTS, {200: Received},
        parameters=AnyParameters,
        body=AlertsBody,
        touches_database=True,
    ),
    Route(
        METH_GET, "/api/openapi.json", Access.READ, etag.get_description, Tag.SERVICE,
        {200: (JSON,)},
        has_etag=True,
    ),
)  # fmt: skip
