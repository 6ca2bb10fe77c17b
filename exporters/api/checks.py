"""/api/checks: the last result of every check."""

from __future__ import annotations

from aiohttp import web

from exporters.api import answers
from exporters.api.context import context_of
from exporters.api.errors import json_response
from exporters.api.queries import parameters


async def checks(request: web.Request) -> web.Response:
    """Every check with its evidence, and whether this replica is the one that runs them."""
    parameters(request)
    context = context_of(request)
    status, now = context.board.current, context.clock()
    results = [answers.check(check, now) for check in status.checks.values()]
    led_by = status.replica if status.leader else status.leader_name
    payload = {"leader": status.leader, "led_by": led_by or None, "checks": results}
    return json_response(payload)
