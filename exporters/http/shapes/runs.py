"""Runs, batches, undos."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from exporters.http.shapes.base import Count, Moment, Seconds, described
from monitor.state.runs import RunKind, RunState, Trigger

RunNumber = Annotated[int, Field(ge=1)]

_Pass = TypedDict("_Pass", {"pass": int})
"""`pass` can't be written as a field of a class."""


@described
class RunAnswer(_Pass):
    """A run: one remediation, or the undo of one."""

    id: RunNumber
    kind: RunKind
    """`heal`: every affected user; `user`: one; `undo`: takes another run back."""
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
    user_id: str | None
    """The user of a run of kind `user`."""
    started_at: Moment
    finished_at: Moment | None
    legacy_until: Moment
    """The cutoff: artworks up to here are its own."""
    created_before: Moment | None
    """`pools.legacy_created_before` as it was then."""
    planned_users: Count
    planned_rows: Count
    batches: Count
    """Committed so far."""
    inserted: Count
    """Impressions written; of an undo: taken back."""
    writing_seconds: Seconds
    waiting_seconds: Seconds
    waiting_for: str | None
    """What it waits for right now; null while it writes."""
    legacy_before: int | None
    """Legacy pairs when it was planned."""
    legacy_after: int | None
    """Legacy pairs in the recount at its end."""
    remaining: int | None
    """Pairs of its plan that the recount still found."""
    quarantined: Count
    """Pairs that could not be written and were put aside."""


@described
class WaitedRun(RunAnswer):
    """A run with what it waited for."""

    waits: dict[str, float]
    """Seconds waited, by reason, the longest first."""


@described
class RunList(TypedDict):
    """A page of runs, the newest first."""

    runs: list[RunAnswer]
    next: int | None
    """The `before` of the page that follows; null on the last one."""


@described
class PutAside(TypedDict):
    """A pair that the database refuses to take; tried again at `retry_at`."""

    user_id: str
    artwork_id: str
    error: str
    """SQLSTATE and the first line of what the database said."""
    attempts: Annotated[int, Field(ge=1)]
    first_at: Moment
    last_at: Moment
    retry_at: Moment


@described
class Batch(TypedDict):
    """One committed batch."""

    number: int
    started_at: Moment
    seconds: Seconds
    users: Count
    inserted: Count
    """Impressions written; of an undo: taken back."""


@described
class RunInFull(TypedDict):
    """One run, and a page of its batches."""

    run: WaitedRun
    quarantine: list[PutAside]
    """At most 20 of the pairs that are in quarantine since this run, the newest first."""
    batches: list[Batch]
    """In order."""
    next: int | None
    """The `after` of the page of batches that follows; null on the last one."""


@described
class WouldTakeBack(TypedDict):
    """What an undo would find now, in impressions of the run; nothing was changed."""

    would_undo: Count
    """Still as the run wrote them: these would be taken back."""
    touched: Count
    """Viewed again since: these would stay."""
    gone: Count
    """Not there any more."""


@described
class NothingToUndo(TypedDict):
    """Nothing of the run is left to take back: no undo was started."""

    undone: Literal[0]
    run_id: None
