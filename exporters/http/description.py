"""/api/openapi.json: the description of all calls, for programs."""

from __future__ import annotations

import asyncio
from functools import lru_cache

from aiohttp import web

from exporters.http.context import context_of
from exporters.http.gate import GATE
from exporters.http.queries import parameters
from exporters.http.unchanged import tag_of, text_or_unchanged

MEDIA = "application/json"


async def description(request: web.Request) -> web.Response:
    """OpenAPI 3.1, true for the tokens that are configured."""
    parameters(request)
    context = context_of(request)
    version, reads_need_token = context.board.current.version, bool(request.app[GATE].tokens.read)
    # A fifth of a second, once: in a thread, so that nobody else waits for it.
    text = await asyncio.to_thread(_described, version, reads_need_token)
    return text_or_unchanged(request, text, tag_of(text), MEDIA)


@lru_cache(maxsize=2)
def _described(version: str, reads_need_token: bool) -> str:
    # Loaded when somebody asks: most services are never asked.
    from exporters.http.app import ROUTES  # noqa: PLC0415
    from exporters.http.openapi.document import describe  # noqa: PLC0415

    routes = [(method, path, access) for method, path, access, _ in ROUTES]
    return describe(routes, version, reads_need_token=reads_need_token)
