"""/api/healing: how healing stands, the kill switch, the breaker."""

from __future__ import annotations

from aiohttp import web

from exporters.http import answers
from exporters.http.body import read_object
from exporters.http.context import context_of
from exporters.http.errors import json_response
from exporters.http.models import EmptyBody, PauseBody, parse_body
from exporters.http.queries import parameters
from exporters.http.shapes.healing import Paused, Resumed


async def healing(request: web.Request) -> web.Response:
    """How healing stands, from memory: the last decision, the switches, the breaker."""
    parameters(request)
    context = context_of(request)
    status = context.board.current
    return json_response(answers.healing(status, observe=context.observe))


async def pause(request: web.Request) -> web.Response:
    """Nobody writes from now on."""
    parameters(request)
    body = parse_body(PauseBody, await read_object(request, may_be_empty=True))
    await context_of(request).commands.pause(body.reason)
    return json_response(Paused(paused=True, reason=body.reason))


async def resume(request: web.Request) -> web.Response:
    """End a pause, and a suspension."""
    parameters(request)
    parse_body(EmptyBody, await read_object(request, may_be_empty=True))
    await context_of(request).commands.resume()
    return json_response(Resumed(paused=False, suspended=False))


async def reset_breaker(request: web.Request) -> web.Response:
    """A person has looked: close the breaker."""
    parameters(request)
    parse_body(EmptyBody, await read_object(request, may_be_empty=True))
    done = await context_of(request).commands.reset_breaker()
    return json_response(answers.reset(done))
