"""/api/runs: what was healed, run by run and batch by batch; and taking a run back."""

from __future__ import annotations

from aiohttp import hdrs, web

from exporters.http.requests import (
    BatchesPage,
    NoBody,
    RunParameters,
    RunsPage,
    UndoBody,
    unknown_run,
)
from exporters.http.responses import (
    Accepted,
    NothingToUndo,
    RunInFull,
    RunList,
    WaitedRun,
    WouldTakeBack,
)
from exporters.http.routing import Call, Replied, Reply
from exporters.page.runs import RunShown, RunsRead


async def list_runs(call: Call[RunsPage, NoBody]) -> Reply:
    """Runs, the newest first.

    Page by page: go on with `before` set to `next` until that is null.
    """
    page = await read_runs(call)
    answer = RunList.model_validate({"runs": page.runs, "next": page.following})
    return Reply(answer, headers=_next_page(call.request, "before", page.following))


async def get_run(call: Call[BatchesPage, NoBody]) -> Reply:
    """One run with its batches.

    What it did, what it waited for, what it put aside; its batches page by page.
    """
    shown = await read_run(call)
    waited = WaitedRun.model_validate(shown.run).model_copy(update={"waits": dict(shown.waits)})
    answer = RunInFull.model_validate(
        {
            "run": waited,
            "quarantine": shown.quarantine,
            "batches": shown.batches,
            "next": shown.following,
        }
    )
    return Reply(answer, headers=_next_page(call.request, "after", shown.following))


async def undo_run(call: Call[RunParameters, UndoBody]) -> Replied:
    """Take a run back.

    Deletes that run's impressions, except those that were viewed again since, in the background,
    and suspends automatic healing until `resume`. `dry_run` only counts.
    """
    run_id, commands = call.parameters.run_id, call.context.commands
    if call.body.dry_run:
        return WouldTakeBack.model_validate(await commands.would_undo(run_id))
    started = await commands.undo(run_id)
    return NothingToUndo() if started is None else Reply(Accepted(run_id=started), status=202)


async def read_runs(call: Call[RunsPage, NoBody]) -> RunsRead:
    """The page of runs that is asked for."""
    limit = call.parameters.limit
    # One more than asked for tells whether another page follows.
    found = await call.context.commands.runs(limit=limit + 1, before=call.parameters.before)
    return RunsRead(found[:limit], more=len(found) > limit)


async def read_run(call: Call[BatchesPage, NoBody]) -> RunShown:
    """The run that is asked for, with a page of its batches. Raises ApiError 404."""
    asked, commands = call.parameters, call.context.commands
    run = await commands.run(asked.run_id)
    if run is None:
        raise unknown_run(asked.run_id)
    batches = await commands.batches(asked.run_id, limit=asked.limit + 1, after=asked.after or 0)
    shown = batches[: asked.limit]
    return RunShown(
        run,
        waits=await commands.waits(asked.run_id),
        quarantine=await commands.quarantine(asked.run_id),
        batches=shown,
        following=shown[-1].number if len(batches) > asked.limit else None,
    )


def _next_page(request: web.Request, cursor: str, following: int | None) -> dict[str, str]:
    """The header that leads to the page that follows, where one does."""
    if following is None:
        return {}
    query = request.rel_url.update_query({cursor: str(following)}).raw_query_string
    # Relative to the page itself, so that it leads there through any proxy.
    return {hdrs.LINK: f'<?{query}>; rel="next"'}
