"""/api/runs: what was healed, run by run and batch by batch; and taking a run back."""

from __future__ import annotations

from aiohttp import web

from exporters.http import answers
from exporters.http.body import read_object
from exporters.http.context import context_of
from exporters.http.errors import json_response
from exporters.http.models import UndoBody, parse_body
from exporters.http.queries import MAX_LIMIT, next_page, no_such_run, page, parameters, run_id
from exporters.http.shapes.artworks import Accepted
from exporters.http.shapes.runs import NothingToUndo, RunInFull, RunList, WaitedRun

RUNS_A_PAGE = 50


async def runs(request: web.Request) -> web.Response:
    """The newest runs first; `next` is the `before` of the page that follows, or null."""
    asked = page(request, "before", default_limit=RUNS_A_PAGE)
    # One more than asked for tells whether another page follows.
    found = await context_of(request).commands.runs(limit=asked.limit + 1, before=asked.cursor)
    shown = found[: asked.limit]
    following = shown[-1].id if len(found) > asked.limit else None
    listed = RunList(runs=[answers.run(run) for run in shown], next=following)
    return json_response(listed, headers=next_page(request, "before", following))


async def run(request: web.Request) -> web.Response:
    """One run with the seconds that it waited by reason, some of the pairs that it put aside, and
    its batches in order; `next` is the `after` of the page that follows."""
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
        RunInFull(
            run=WaitedRun(**answers.run(found), waits=dict(await commands.waits(number))),
            quarantine=[answers.quarantined(p) for p in await commands.quarantine(number)],
            batches=[answers.batch(batch) for batch in shown],
            next=following,
        ),
        headers=next_page(request, "after", following),
    )


async def undo(request: web.Request) -> web.Response:
    """Take a run's impressions back, in the background; or say what an undo would find."""
    number = run_id(request)
    parameters(request)
    body = parse_body(UndoBody, await read_object(request, may_be_empty=True))
    commands = context_of(request).commands
    if body.dry_run:
        return json_response(answers.would_undo(await commands.would_undo(number)))
    started = await commands.undo(number)
    if started is None:  # nothing to take back, so nothing was accepted
        return json_response(NothingToUndo(undone=0, run_id=None))
    return json_response(Accepted(run_id=started), status=202)
