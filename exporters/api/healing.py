"""/api/healing: the kill switch."""

from __future__ import annotations

from aiohttp import web

from exporters.api.body import read_object
from exporters.api.context import context_of
from exporters.api.errors import json_response
from exporters.api.models import EmptyBody, PauseBody, parse_body


async def pause(request: web.Request) -> web.Response:
    """Nobody writes from now on."""
    body = parse_body(PauseBody, await read_object(request, may_be_empty=True))
    await context_of(request).commands.pause(body.reason)
    return json_response({"paused": True, "reason": body.reason})


async def resume(request: web.Request) -> web.Response:
    """End a pause, and a suspension."""
    parse_body(EmptyBody, await read_object(request, may_be_empty=True))
    await context_of(request).commands.resume()
    return json_response({"paused": False, "suspended": False})
