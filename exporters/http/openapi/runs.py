"""The calls about runs."""

from __future__ import annotations

from aiohttp import hdrs

from exporters.http.models import UndoBody
from exporters.http.openapi.parts import (
    Body,
    Call,
    Calls,
    Header,
    Link,
    Parameter,
    Reply,
    Tag,
    Where,
)
from exporters.http.openapi.replies import (
    BAD_QUERY,
    BODY_REPLIES,
    DATABASE_REPLIES,
    FOLLOW_RUN,
    RUN_EXAMPLE,
    problem,
)
from exporters.http.queries import MAX_LIMIT, MAX_NUMBER
from exporters.http.runs import RUNS_A_PAGE
from exporters.http.shapes.artworks import Accepted
from exporters.http.shapes.runs import (
    Batch,
    NothingToUndo,
    RunAnswer,
    RunInFull,
    RunList,
    WaitedRun,
    WouldTakeBack,
)
from monitor.state.runs import RunKind, RunState, Trigger

_MOMENT = "2026-01-31T12:00:00.000Z"
_RUN: RunAnswer = {
    "id": RUN_EXAMPLE,
    "kind": RunKind.HEAL,
    "undoes": None,
    "trigger": Trigger.SCHEDULE,
    "state": RunState.SUCCEEDED,
    "reason": "6 legacy-untracked pairs, threshold 1.",
    "outcome": "Nothing of the plan is left.",
    "holder": "gallery-1",
    "user_id": None,
    "started_at": _MOMENT,
    "finished_at": "2026-01-31T12:00:02.000Z",
    "legacy_until": "2026-01-24T12:00:00.000Z",
    "created_before": None,
    "planned_users": 1,
    "planned_rows": 6,
    "batches": 1,
    "inserted": 6,
    "writing_seconds": 0.1,
    "waiting_seconds": 0.1,
    "waiting_for": None,
    "legacy_before": 6,
    "legacy_after": 0,
    "remaining": 0,
    "quarantined": 0,
    "pass": 1,
}
_UNKNOWN_RUN = problem(
    404, "There is no such run.", {"unknown_run": "There is no run 99; see /api/runs."}
)
_NUMBER = Parameter(
    "run_id",
    Where.PATH,
    "The run's number.",
    {"type": "integer", "minimum": 1, "maximum": MAX_NUMBER},
    RUN_EXAMPLE,
)
_NEXT = Header(
    hdrs.LINK,
    "Where another page follows: its address, relative to this one.",
    '<?before=7>; rel="next"',
    always=False,
)


def _page(cursor: str, what: str, size: int) -> tuple[Parameter, Parameter]:
    return (
        Parameter(
            "limit",
            Where.QUERY,
            "So many at most.",
            {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": size},
        ),
        Parameter(
            cursor,
            Where.QUERY,
            f"{what}: the `next` of the page before.",
            {"type": "integer", "minimum": 0, "maximum": MAX_NUMBER},
        ),
    )


CALLS: Calls = {
    (hdrs.METH_GET, "/api/runs"): Call(
        "listRuns",
        Tag.RUNS,
        "Runs, the newest first",
        "Page by page: go on with `before` set to `next` until that is null.",
        (
            Reply(
                200,
                "A page of runs.",
                RunList,
                {"last": RunList(runs=[_RUN], next=None)},
                headers=(_NEXT,),
                links=(
                    Link(
                        "newest",
                        "getRun",
                        "The newest.",
                        {"run_id": "$response.body#/runs/0/id"},
                    ),
                ),
            ),
            BAD_QUERY,
            *DATABASE_REPLIES,
        ),
        _page("before", "Runs with lower numbers only", RUNS_A_PAGE),
    ),
    (hdrs.METH_GET, "/api/runs/{run_id}"): Call(
        "getRun",
        Tag.RUNS,
        "One run with its batches",
        "What it did, what it waited for, what it put aside; its batches page by page.",
        (
            Reply(
                200,
                "The run.",
                RunInFull,
                {
                    "ended": RunInFull(
                        run=WaitedRun(**_RUN, waits={"duty": 0.1}),
                        quarantine=[],
                        batches=[
                            Batch(number=1, started_at=_MOMENT, seconds=0.1, users=1, inserted=6)
                        ],
                        next=None,
                    )
                },
                headers=(_NEXT,),
            ),
            BAD_QUERY,
            _UNKNOWN_RUN,
            *DATABASE_REPLIES,
        ),
        (_NUMBER, *_page("after", "Batches with higher numbers only", MAX_LIMIT)),
    ),
    (hdrs.METH_POST, "/api/runs/{run_id}/undo"): Call(
        "undoRun",
        Tag.RUNS,
        "Take a run back",
        "Deletes that run's impressions, except those that were viewed again since, in the"
        " background, and suspends automatic healing until `resume`. `dry_run` only counts.",
        (
            Reply(
                200,
                "Only counted; or nothing is left to take back.",
                WouldTakeBack | NothingToUndo,
                {
                    "dry_run": WouldTakeBack(would_undo=6, touched=0, gone=0),
                    "nothing": NothingToUndo(undone=0, run_id=None),
                },
            ),
            Reply(
                202,
                "An undo was started, or goes on.",
                Accepted,
                {"started": Accepted(run_id=14)},
                links=(FOLLOW_RUN,),
            ),
            *BODY_REPLIES,
            _UNKNOWN_RUN,
            problem(
                409,
                "Not now, or never.",
                {
                    "paused": "Healing is paused: deploy. `conservator resume` ends it.",
                    "active_run": "Run 12 is under way already; wait for its end.",
                    "not_undoable": "Run 12 is an undo itself; it can't be undone.",
                    "refused": "The service is shutting down; ask again in a moment.",
                },
            ),
            *DATABASE_REPLIES,
        ),
        (_NUMBER,),
        Body(UndoBody, "Nothing, or whether only to count.", {"look": {"dry_run": True}}),
    ),
}
