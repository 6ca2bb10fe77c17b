"""/api/checks: the last result of every check, and the history of one."""

from __future__ import annotations

from aiohttp import web

from exporters.http import answers
from exporters.http.context import context_of
from exporters.http.errors import ApiError, json_response
from exporters.http.queries import limit, parameters
from exporters.http.shapes.checks import CheckPast, Checks

RESULTS = 50
"""So many results and transitions, unless `limit` says otherwise."""


async def checks(request: web.Request) -> web.Response:
    """Every check with its evidence, and whether this replica is the one that runs them."""
    parameters(request)
    context = context_of(request)
    status, now = context.board.current, context.clock()
    results = [answers.check(check, now) for check in status.checks.values()]
    led_by = status.replica if status.leader else status.leader_name
    return json_response(Checks(leader=status.leader, led_by=led_by or None, checks=results))


async def check(request: web.Request) -> web.Response:
    """One check, with its newest results and the newest changes of its outcome."""
    asked = limit(request, default=RESULTS)
    context, name = context_of(request), request.match_info["name"]
    status = context.board.current.checks.get(name)
    if status is None:
        raise ApiError(404, "unknown_check", f"There is no check {name[:60]}; see /api/checks.")
    history = await context.commands.check_history(name, limit=asked)
    return json_response(
        CheckPast(
            check=answers.check(status, context.clock()),
            transitions=[answers.transition(row) for row in history.transitions],
            results=[answers.result(row) for row in history.results],
        )
    )
