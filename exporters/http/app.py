"""The application: every route, with who may call it."""

from __future__ import annotations

import time

from aiohttp import hdrs, web
from prometheus_client import CollectorRegistry

from exporters.http import (
    alerts,
    artworks,
    checks,
    description,
    events,
    healing,
    health,
    history,
    pages,
    runbooks,
    runs,
    static,
)
from exporters.http.context import CONTEXT, Context
from exporters.http.errors import MAX_BODY_BYTES, errors_as_json, harden
from exporters.http.gate import GATE, Gate, Handler, guarded
from exporters.http.requests import mark, told
from exporters.http.tokens import Access, Tokens
from exporters.http.viewing import VIEWING, Viewing
from exporters.prometheus import Clock, create_registry
from monitor.commands import Commands
from monitor.status import StatusBoard

ROUTES: tuple[tuple[str, str, Access, Handler], ...] = (
    (hdrs.METH_GET, "/", Access.READ, pages.status_page),
    (hdrs.METH_GET, "/events", Access.READ, events.events),
    (hdrs.METH_GET, "/runs", Access.READ, pages.runs_page),
    (hdrs.METH_GET, "/runs/{run_id}", Access.READ, pages.run_page),
    (hdrs.METH_GET, "/users", Access.READ, pages.find_user),
    (hdrs.METH_GET, "/users/{user_id}", Access.READ, pages.user_page),
    (hdrs.METH_GET, "/static/{name}", Access.READ, static.static),
    (hdrs.METH_GET, "/healthz", Access.PUBLIC, health.healthz),
    (hdrs.METH_GET, "/readyz", Access.READ, health.readyz),
    (hdrs.METH_GET, "/metrics", Access.READ, health.metrics),
    (hdrs.METH_GET, "/runbooks/{name}", Access.READ, runbooks.runbook),
    (hdrs.METH_GET, "/api/artworks/stats", Access.READ, artworks.stats),
    (hdrs.METH_GET, "/api/artworks/history", Access.READ, history.history),
    (hdrs.METH_POST, "/api/artworks/backfill-impressions", Access.BACKFILL, artworks.backfill),
    (hdrs.METH_GET, "/api/checks", Access.READ, checks.checks),
    (hdrs.METH_GET, "/api/checks/{name}", Access.READ, checks.check),
    (hdrs.METH_GET, "/api/runs", Access.READ, runs.runs),
    (hdrs.METH_GET, "/api/runs/{run_id}", Access.READ, runs.run),
    (hdrs.METH_POST, "/api/runs/{run_id}/undo", Access.ADMIN, runs.undo),
    (hdrs.METH_GET, "/api/healing", Access.READ, healing.healing),
    (hdrs.METH_POST, "/api/healing/pause", Access.ADMIN, healing.pause),
    (hdrs.METH_POST, "/api/healing/resume", Access.ADMIN, healing.resume),
    (hdrs.METH_POST, "/api/healing/reset-breaker", Access.ADMIN, healing.reset_breaker),
    (hdrs.METH_POST, "/api/alerts", Access.ALERT, alerts.take_alerts),
    (hdrs.METH_GET, "/api/alerts", Access.READ, alerts.alerts),
    (hdrs.METH_GET, "/api/openapi.json", Access.READ, description.description),
)


def create_app(
    board: StatusBoard,
    commands: Commands,
    tokens: Tokens,
    *,
    observe: bool = False,
    clock: Clock = time.monotonic,
    registry: CollectorRegistry | None = None,
    backfills_a_minute: int | None = None,
) -> web.Application:
    """The HTTP side of the service.

    `observe`: `healing.mode` is observe. `clock` is the one by which the snapshot's monotonic
    moments were taken. `registry` defaults to one over `board`; what this side counts is added to
    it. `backfills_a_minute`: of one client; None: any number. Serve it with aiohttp's access log
    off: ours is in `requests`, and aiohttp's may carry tokens.
    """
    app = web.Application(
        middlewares=[told, pages.errors_as_pages, errors_as_json],
        client_max_size=MAX_BODY_BYTES,
    )
    registry = registry or create_registry(board, observe=observe, clock=clock)
    gate = app[GATE] = Gate(tokens, clock=clock, backfills_a_minute=backfills_a_minute)
    registry.register(gate.refused)
    context = Context(
        board=board,
        commands=commands,
        registry=registry,
        observe=observe,
        clock=clock,
    )
    app[CONTEXT] = context
    app[VIEWING] = Viewing(context, may_act=lambda: bool(gate.tokens.admin))
    app[events.PULSE] = events.Pulse()
    app.on_shutdown.append(app[VIEWING].close)
    app[alerts.NOTIFIED] = alerts.Notified()
    app.on_response_prepare.append(harden)
    app.on_response_prepare.append(mark)
    for method, path, access, handler in ROUTES:
        app.router.add_route(method, path, guarded(access, handler))
        if method == hdrs.METH_GET:
            app.router.add_route(hdrs.METH_HEAD, path, guarded(access, handler))
    return app


def exchange_tokens(app: web.Application, tokens: Tokens) -> None:
    """From now on these tokens. Streams that were opened with another one end."""
    app[GATE].tokens = tokens
    app[VIEWING].feed.wake()
