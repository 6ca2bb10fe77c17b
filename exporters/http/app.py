"""The application: every route, around them the access log and the answers to errors."""

from __future__ import annotations

import time

from aiohttp import web
from prometheus_client import CollectorRegistry

from exporters.http.auth import AUTHORIZER, Authorizer, Tokens
from exporters.http.errors import MAX_BODY_BYTES
from exporters.http.events import SSE_TIMEOUTS, SseTimeouts
from exporters.http.middlewares import access_log_middleware, errors_middleware, send_request_id
from exporters.http.routes import ROUTES
from exporters.http.routing import CONTEXT, Context, add_route
from exporters.http.server import harden_response
from exporters.page.state import PageState
from exporters.prometheus import Clock, create_registry
from monitor.commands import Commands
from monitor.status import StatusBoard


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
    off: ours is in `middlewares`, and aiohttp's may carry tokens.
    """
    app = web.Application(
        middlewares=[access_log_middleware, errors_middleware], client_max_size=MAX_BODY_BYTES
    )
    registry = registry or create_registry(board, observe=observe, clock=clock)
    authorizer = Authorizer(tokens, clock=clock, backfills_a_minute=backfills_a_minute)
    registry.register(authorizer.refused)
    page = PageState(
        board,
        commands,
        observe=observe,
        may_act=lambda: bool(authorizer.tokens.admin),
        clock=clock,
    )

    async def close_page(_: web.Application) -> None:
        await page.close()

    app[AUTHORIZER] = authorizer
    app[CONTEXT] = Context(board, commands, registry, observe, clock, page, ROUTES)
    app[SSE_TIMEOUTS] = SseTimeouts()
    app.on_shutdown.append(close_page)
    app.on_response_prepare.append(harden_response)
    app.on_response_prepare.append(send_request_id)
    for route in ROUTES:
        add_route(app, route)
    return app


def exchange_tokens(app: web.Application, tokens: Tokens) -> None:
    """From now on these tokens. Streams that were opened with another one end."""
    app[AUTHORIZER].tokens = tokens
    app[CONTEXT].page.broadcaster.wake()
