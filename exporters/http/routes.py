"""The table of routes: every call, who may make it, what it takes, answers and refuses."""

from __future__ import annotations

from exporters.http import (
    artworks,
    checks,
    events,
    healing,
    health,
    pages,
    repairs,
    runs,
)
from exporters.http.auth import Access
from exporters.http.parsing import JSON
from exporters.http.responses import Accepted
from exporters.http.routing import HTML, Route, Tag
from exporters.page.assets import TYPES

_NO_CENSUS = ("no_census", "stale_census")
_REFUSED = ("paused", "active_run", "refused")

ROUTES: tuple[Route, ...] = (
    Route("GET", "/", Access.READ, pages.get_page, Tag.PAGES, {200: HTML}),
    Route(
        "GET", "/events", Access.READ, events.follow_page, Tag.PAGES,
        {200: ("text/event-stream",)},
        errors=("too_many_streams", "stopping"),
    ),
    Route(
        "GET", "/runs", Access.READ, pages.get_runs_page, Tag.PAGES, {200: HTML},
        touches_database=True,
    ),
    Route(
        "GET", "/runs/{run_id}", Access.READ, pages.get_run_page, Tag.PAGES, {200: HTML},
        errors=("unknown_run",),
        touches_database=True,
    ),
    Route(
        "GET", "/users", Access.READ, pages.find_user, Tag.PAGES, {200: HTML, 303: ()},
        errors=("unknown_user",),
        touches_database=True,
    ),
    Route(
        "GET", "/users/{user_id}", Access.READ, pages.get_user_page, Tag.PAGES, {200: HTML},
        errors=("unknown_user",),
        touches_database=True,
    ),
    Route(
        "GET", "/static/{name}", Access.READ, pages.get_static, Tag.PAGES,
        {200: tuple(dict.fromkeys(TYPES.values()))},
        errors=("not_found",),
        has_etag=True,
    ),
    Route(
        "GET", "/runbooks/{name}", Access.READ, pages.get_runbook, Tag.PAGES, {200: HTML},
        errors=("unknown_runbook",),
        has_etag=True,
    ),
    Route("GET", "/healthz", Access.PUBLIC, health.is_alive, Tag.SERVICE, {200: health.Alive}),
    Route(
        "GET", "/readyz", Access.READ, health.is_ready, Tag.SERVICE,
        {200: health.Ready, 503: health.NotReady},
        errors=("not_ready",),
    ),
    Route(
        "GET", "/metrics", Access.READ, health.get_metrics, Tag.SERVICE,
        {200: ("text/plain", "application/openmetrics-text")},
    ),
    Route(
        "GET", "/api/artworks/stats", Access.READ, artworks.get_stats, Tag.ARTWORKS,
        {200: artworks.Counts},
        errors=("unknown_user", *_NO_CENSUS),
        touches_database=True,
    ),
    Route(
        "GET", "/api/artworks/history", Access.READ, artworks.get_history, Tag.ARTWORKS,
        {200: artworks.History},
        touches_database=True,
    ),
    Route(
        "POST", "/api/artworks/backfill-impressions", Access.BACKFILL,
        artworks.backfill_impressions, Tag.ARTWORKS,
        {
            200: artworks.UserHealed
            | artworks.UserSkipped
            | artworks.WouldUpdate
            | artworks.NothingToHeal,
            202: Accepted,
        },
        errors=(
            "unknown_user", "breaker_open", "healing_blocked", "sequence_short", "held",
            "lease_lost", *_REFUSED, *_NO_CENSUS,
        ),
        touches_database=True,
    ),
    Route(
        "GET", "/api/checks", Access.READ, checks.list_checks, Tag.CHECKS, {200: checks.Checks}
    ),
    Route(
        "GET", "/api/checks/{name}", Access.READ, checks.get_check, Tag.CHECKS,
        {200: checks.CheckPast},
        errors=("unknown_check",),
        touches_database=True,
    ),
    Route(
        "GET", "/api/runs", Access.READ, runs.list_runs, Tag.RUNS, {200: runs.RunList},
        touches_database=True,
    ),
    Route(
        "GET", "/api/runs/{run_id}", Access.READ, runs.get_run, Tag.RUNS,
        {200: runs.RunInFull},
        errors=("unknown_run",),
        touches_database=True,
    ),
    Route(
        "POST", "/api/runs/{run_id}/undo", Access.ADMIN, runs.undo_run, Tag.RUNS,
        {200: runs.WouldTakeBack | runs.NothingToUndo, 202: Accepted},
        errors=("unknown_run", "not_undoable", *_REFUSED),
        touches_database=True,
    ),
    Route(
        "GET", "/api/healing", Access.READ, healing.get_healing, Tag.HEALING,
        {200: healing.Healing}
    ),
    Route(
        "POST", "/api/healing/pause", Access.ADMIN, healing.pause, Tag.HEALING,
        {200: healing.Paused},
        touches_database=True,
    ),
    Route(
        "POST", "/api/healing/resume", Access.ADMIN, healing.resume, Tag.HEALING,
        {200: healing.Resumed | healing.RepairResumed},
        errors=("unknown_repair",),
        touches_database=True,
    ),
    Route(
        "POST", "/api/healing/reset-breaker", Access.ADMIN, healing.reset_breaker, Tag.HEALING,
        {200: healing.BreakerClosed | healing.RepairBreakerClosed},
        errors=("unknown_repair",),
        touches_database=True,
    ),
    Route(
        "GET", "/api/repairs", Access.READ, repairs.list_repairs, Tag.REPAIRS,
        {200: repairs.Repairs},
    ),
    Route(
        "GET", "/api/repairs/{name}", Access.READ, repairs.get_repair, Tag.REPAIRS,
        {200: repairs.RepairPast},
        errors=("unknown_repair",),
        touches_database=True,
    ),
    Route(
        "POST", "/api/repairs/{name}", Access.ADMIN, repairs.mend, Tag.REPAIRS,
        {200: repairs.WouldMend | repairs.NothingToMend, 202: Accepted},
        errors=("unknown_repair", "breaker_open", "repair_refused", *_REFUSED),
        touches_database=True,
    ),
    Route(
        "POST", "/api/alerts", Access.ALERT, healing.notify, Tag.ALERTS, {200: healing.Received},
        touches_database=True,
    ),
    Route(
        "GET", "/api/openapi.json", Access.READ, health.get_description, Tag.SERVICE,
        {200: (JSON,)},
        has_etag=True,
    ),
)  # fmt: skip
