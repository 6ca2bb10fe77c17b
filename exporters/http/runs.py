"""/api/runs: what was healed, run by run and batch by batch; and taking a run back."""

from __future__ import annotations

from typing import Annotated, Literal

from aiohttp import hdrs, web
from pydantic import BeforeValidator, Field

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
    Answer,
    Count,
    Moment,
    Number,
    RunNumber,
    Seconds,
    TextOrNull,
)
from exporters.http.routing import Call, Replied, Reply
from exporters.page.runs import RunShown, RunsRead
from monitor.state.runs import RunKind, RunState, Trigger


class RunAnswer(Answer):
    """A run: one remediation, or the undo of one."""

    # Without what only its worker needs: lease, fencing token, cursor.

    id: RunNumber
    kind: RunKind
    """`heal`: every affected user; `user`: one; `undo`: takes another run back; `repair`: mends
    what a configured repair finds."""
    repair: str | None
    """The repair, of its runs and of their undos."""
    undoes: int | None
    """The run that an undo takes back."""
    trigger: Trigger
    state: RunState
    """`running` and `held` are active; the others are ends."""
    reason: str
    """Why it was started."""
    outcome: str
    """How it ended, or why it was put down; empty while it runs."""
    holder: str
    """The process that works on it, or did last."""
    user_id: Annotated[
        str | None, BeforeValidator(lambda subject: None if subject is None else str(subject))
    ] = Field(validation_alias="subject")
    """The user of a run of kind `user`."""
    started_at: Moment
    finished_at: Moment | None
    legacy_until: Moment
    """The cutoff: artworks up to here are its own."""
    created_before: Moment | None
    """`pools.legacy_created_before` as it was then."""
    planned_users: Count
    planned_rows: Count
    pass_: int = Field(serialization_alias="pass")
    batches: Count
    """Committed so far."""
    inserted: Count
    """Impressions written, or rows mended; of an undo: taken back."""
    writing_seconds: Seconds
    waiting_seconds: Seconds
    waiting_for: TextOrNull
    """What it waits for right now; null while it writes."""
    legacy_before: int | None
    """Legacy pairs when it was planned."""
    legacy_after: int | None
    """Legacy pairs in the recount at its end."""
    remaining: int | None
    """Pairs of its plan that the recount still found."""
    quarantined: Count
    """Pairs that could not be written and were put aside."""


class WaitedRun(RunAnswer):
    """A run with what it waited for."""

    waits: dict[str, Number] = Field(default_factory=dict)
    """Seconds waited, by reason, the longest first."""
    other_settings: tuple[str, ...] = ()
    """The settings of what is counted or written, by their paths, that are configured otherwise by
    now; an undo goes by the run's own."""


class RunList(Answer):
    """A page of runs, the newest first."""

    runs: tuple[RunAnswer, ...]
    next: int | None = Field(validation_alias="following")
    """The `before` of the page that follows; null on the last one."""


class PutAside(Answer):
    """A pair that the database refuses to take; tried again at `retry_at`."""

    user_id: str
    artwork_id: str
    error: str
    """SQLSTATE and the first line of what the database said."""
    attempts: RunNumber
    first_at: Moment
    last_at: Moment
    retry_at: Moment


class Batch(Answer):
    """One committed batch."""

    number: int
    started_at: Moment
    seconds: Seconds
    users: Count
    inserted: Count
    """Impressions written; of an undo: taken back."""
    size: int | None
    """Rows asked for; null where an older version wrote the batch."""
    size_reason: str | None
    """Why so many: first, fast, slow, alarm, blocked, floor, measure, measured,
    refused."""


class RunInFull(Answer):
    """One run, and a page of its batches."""

    run: WaitedRun
    quarantine: tuple[PutAside, ...]
    """At most 20 of the pairs that are in quarantine since this run, the newest first."""
    batches: tuple[Batch, ...]
    """In order."""
    next: int | None
    """The `after` of the page of batches that follows; null on the last one."""


class WouldTakeBack(Answer):
    """What an undo would find now, in impressions of the run; nothing was changed."""

    would_undo: Count = Field(validation_alias="untouched")
    """Still as the run wrote them: these would be taken back."""
    touched: Count
    """Viewed again since: these would stay."""
    gone: Count
    """Not there any more."""


class NothingToUndo(Answer):
    """Nothing of the run is left to take back: no undo was started."""

    undone: Literal[0] = 0
    run_id: None = None


async def list_runs(call: Call[RunsPage, NoBody]) -> Reply:
    """Runs, the newest first.

    Page by page: go on with `before` set to `next` until that is null.
    """
    page = await read_runs(call)
    return Reply(
        RunList.model_validate(page), headers=_next_page(call.request, "before", page.following)
    )


async def get_run(call: Call[BatchesPage, NoBody]) -> Reply:
    """One run with its batches.

    What it did, what it waited for, what it put aside; its batches page by page.
    """
    shown = await read_run(call)
    waited = WaitedRun.model_validate(shown.run).model_copy(
        update={"waits": dict(shown.waits), "other_settings": shown.other_settings}
    )
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
        other_settings=commands.other_settings(run),
    )


def _next_page(request: web.Request, cursor: str, following: int | None) -> dict[str, str]:
    """The header that leads to the page that follows, where one does."""
    if following is None:
        return {}
    query = request.rel_url.update_query({cursor: str(following)}).raw_query_string
    # Relative to the page itself, so that it leads there through any proxy.
    return {hdrs.LINK: f'<?{query}>; rel="next"'}
