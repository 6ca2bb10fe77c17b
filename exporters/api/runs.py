"""/api/runs: what was healed, run by run and batch by batch."""

from __future__ import annotations

from aiohttp import web

from exporters.api import answers
from exporters.api.context import context_of
from exporters.api.errors import json_response
from exporters.api.queries import MAX_LIMIT, no_such_run, page, run_id

RUNS_A_PAGE = 50


async def runs(request: web.Request) -> web.Response:
    """The newest runs first; `next` is the `before` of the page that follows, or null."""
    asked = page(request, "before", default_limit=RUNS_A_PAGE)
    # One more than asked for tells whether another page follows.
    found = await context_of(request).commands.runs(limit=asked.limit + 1, before=asked.cursor)
    shown = found[: asked.limit]
    following = shown[-1].id if len(found) > asked.limit else None
    return json_response({"runs": [answers.run(run) for run in shown], "next": following})


async def run(request: web.Request) -> web.Response:
    """One run and its batches in order; `next` is the `after` of the page that follows."""
    number = run_id(request)
    asked = page(request, "after", default_limit=MAX_LIMIT)
    commands = context_of(request).commands
    found = await commands.run(number)
    if found is None:
        raise no_such_run(number)
    after = asked.cursor or 0
    batches = await commands.batches(number, limit=asked.limit + 1, after=after)
    shown = batches[: asked.limit]
    following = shown[-1].number if len(batches) > asked.limit else None
    return json_response(
        {
            "run": answers.run(found),
            "batches": [answers.batch(batch) for batch in shown],
            "next": following,
        }
    )
