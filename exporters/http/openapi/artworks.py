"""The calls about artworks: counts, backfills."""

from __future__ import annotations

from aiohttp import hdrs

from exporters.http.models import MAX_ID_CHARACTERS, BackfillBody
from exporters.http.openapi.pages import RANGE
from exporters.http.openapi.parts import Body, Call, Calls, Parameter, Reply, Tag, Where
from exporters.http.openapi.replies import (
    BAD_QUERY,
    BODY_REPLIES,
    DATABASE_REPLIES,
    FOLLOW_RUN,
    LATER,
    UNAVAILABLE,
    problem,
)
from exporters.http.shapes.artworks import (
    Accepted,
    Columns,
    Counts,
    History,
    NothingToHeal,
    UserHealed,
    UserSkipped,
    WouldUpdate,
)

_UNKNOWN_USER = problem(
    404, "There is no such user.", {"unknown_user": "There is no user '42' in the users table."}
)
_NO_CENSUS = {
    "no_census": "No census was taken yet; try again after the first.",
    "stale_census": "The last census, of 2026-01-31T12:00:00.000Z, is too old to be right; see"
    " /api/checks for why.",
    **UNAVAILABLE,
}
_DATABASE_FAULT = DATABASE_REPLIES[0]

CALLS: Calls = {
    (hdrs.METH_GET, "/api/artworks/stats"): Call(
        "getStats",
        Tag.ARTWORKS,
        "The four counts",
        "The last census, from memory; with `user_id` that user's own counts, live, whether or not"
        " the user is in the audience.",
        (
            Reply(
                200,
                "The counts.",
                Counts,
                {
                    "healthy": Counts(
                        fresh=1,
                        storage=6,
                        legacy_untracked=0,
                        tracked=41,
                        as_of="2026-01-31T12:00:00.000Z",
                    )
                },
            ),
            BAD_QUERY,
            _UNKNOWN_USER,
            _DATABASE_FAULT,
            problem(503, "There are no counts that could be right.", _NO_CENSUS, LATER),
        ),
        (
            Parameter(
                "user_id",
                Where.QUERY,
                "Count this user alone.",
                {"type": "string", "minLength": 1, "maxLength": MAX_ID_CHARACTERS},
                "42",
            ),
        ),
    ),
    (hdrs.METH_GET, "/api/artworks/history"): Call(
        "getHistory",
        Tag.ARTWORKS,
        "The four counts over time",
        "At most 300 censuses and the newest one, oldest first, in columns. Each part of the span"
        " is told by the census with the most legacy pairs: none of the numbers is an average.",
        (
            Reply(
                200,
                "The counts.",
                History,
                {
                    "healed": History(
                        range="24h",
                        columns=Columns(
                            t=[1769860740.0, 1769860800.0],
                            legacy_untracked=[6, 0],
                            storage=[0, 0],
                            fresh=[1, 1],
                            tracked=[35, 41],
                        ),
                        error=None,
                    )
                },
            ),
            BAD_QUERY,
            *DATABASE_REPLIES,
        ),
        (RANGE,),
    ),
    (hdrs.METH_POST, "/api/artworks/backfill-impressions"): Call(
        "backfillImpressions",
        Tag.ARTWORKS,
        "Backfill one user, or everyone",
        "Writes the impressions that are missing. One user is done before the answer, once unless"
        " `force`; calling it again does nothing, so a login hook may call it every time. Everyone"
        " is done by a run in the background. `dry_run` counts and writes nothing.",
        (
            Reply(
                200,
                "Done; or skipped, or only counted, or there is nothing to heal.",
                UserHealed | UserSkipped | WouldUpdate | NothingToHeal,
                {
                    "written": UserHealed(updated=6, run_id=12),
                    "again": UserSkipped(updated=0, skipped=True),
                    "dry_run": WouldUpdate(would_update=6),
                    "nothing": NothingToHeal(updated=0, run_id=None),
                },
            ),
            Reply(
                202,
                "Everyone: a run was started.",
                Accepted,
                {"started": Accepted(run_id=13)},
                links=(FOLLOW_RUN,),
            ),
            *BODY_REPLIES,
            _UNKNOWN_USER,
            problem(
                409,
                "Not now.",
                {
                    "paused": "Healing is paused: deploy. `conservator resume` ends it.",
                    "breaker_open": "The breaker is open since 2026-01-31 12:00 UTC: 60 % of the"
                    " pairs are legacy, more than max_share.",
                    "active_run": "Run 12 is under way already; wait for its end.",
                    "held": "The run was put down: paused.",
                    "lease_lost": "Another process has taken run 12 over.",
                    "refused": "The service is shutting down; ask again in a moment.",
                },
            ),
            _DATABASE_FAULT,
            problem(
                503,
                "The database can't be reached, or there is no census.",
                _NO_CENSUS,
                LATER,
            ),
        ),
        body=Body(
            BackfillBody,
            "One user, or everyone.",
            {
                "login": {"user_id": "42"},
                "again": {"user_id": "42", "force": True},
                "look": {"user_id": "42", "dry_run": True},
                "everyone": {"all": True},
            },
            required=True,
        ),
    ),
}
