"""The calls that people and their browsers make. An error that a browser navigates into is a page
with the same sentence."""

from __future__ import annotations

from aiohttp import hdrs

from exporters.http.models import MAX_ID_CHARACTERS
from exporters.http.openapi.parts import Call, Calls, Header, Json, Parameter, Reply, Tag, Where
from exporters.http.openapi.replies import (
    BAD_QUERY,
    DATABASE_REPLIES,
    ETAG,
    IF_NONE_MATCH,
    INTERNAL,
    RUN_EXAMPLE,
    UNCHANGED,
    problem,
)
from exporters.http.queries import MAX_LIMIT, MAX_NUMBER
from exporters.page.assets import TYPES
from exporters.page.chart import SPANS, USUAL

_HTML = ("text/html",)
_PAGE = Reply(200, "The page.", media=_HTML)
_NUMBER: Json = {"type": "integer", "minimum": 0, "maximum": MAX_NUMBER}
_LIMIT = Parameter(
    "limit",
    Where.QUERY,
    "How many, at most.",
    {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT},
    20,
)
_ID: Json = {"type": "string", "maxLength": MAX_ID_CHARACTERS}
RANGE = Parameter(
    "range",
    Where.QUERY,
    f"How far back; {USUAL} where it is left out.",
    {"type": "string", "enum": list(SPANS)},
    "7d",
)

CALLS: Calls = {
    (hdrs.METH_GET, "/"): Call(
        "getPage",
        Tag.PAGES,
        "The status page",
        "For people. From memory, the chart and the list of runs from seconds ago.",
        (_PAGE, BAD_QUERY, INTERNAL),
        (RANGE,),
    ),
    (hdrs.METH_GET, "/events"): Call(
        "followPage",
        Tag.PAGES,
        "What changes on the status page",
        "Server-sent events: `part` is a section with its HTML, `census` the newest counts, `beat`"
        " comes where nothing changed for 15 seconds, `bye` when the service stops. Made for the"
        " page; the HTML may change at any time.",
        (
            Reply(200, "A stream that doesn't end by itself.", media=("text/event-stream",)),
            BAD_QUERY,
            INTERNAL,
            problem(
                503,
                "No stream is to be had; the page stays as it is.",
                {
                    "too_many_streams": "All streams for live pages are taken; this page stays as"
                    " it is. Reload it later.",
                    "stopping": "The service is stopping; come back in a moment.",
                },
            ),
        ),
    ),
    (hdrs.METH_GET, "/runs"): Call(
        "getRunsPage",
        Tag.PAGES,
        "The runs as a page",
        "The newest first.",
        (_PAGE, BAD_QUERY, *DATABASE_REPLIES),
        (_LIMIT, Parameter("before", Where.QUERY, "Only runs with lower numbers.", _NUMBER, 13)),
    ),
    (hdrs.METH_GET, "/runs/{run_id}"): Call(
        "getRunPage",
        Tag.PAGES,
        "One run as a page",
        "With its batches in order.",
        (
            _PAGE,
            BAD_QUERY,
            problem(
                404, "There is no such run.", {"unknown_run": "There is no run 99; see /api/runs."}
            ),
            *DATABASE_REPLIES,
        ),
        (
            Parameter("run_id", Where.PATH, "The run.", {**_NUMBER, "minimum": 1}, RUN_EXAMPLE),
            _LIMIT,
            Parameter("after", Where.QUERY, "Only batches with higher numbers.", _NUMBER, 200),
        ),
    ),
    (hdrs.METH_GET, "/users"): Call(
        "findUser",
        Tag.PAGES,
        "Which user?",
        "A form; with `id` it leads to that user's page.",
        (
            _PAGE,
            Reply(
                303,
                "There is the page of this user.",
                media=(),
                headers=(Header(hdrs.LOCATION, "The page.", "/users/42"),),
            ),
            BAD_QUERY,
            INTERNAL,
        ),
        (Parameter("id", Where.QUERY, "The user.", _ID, "42"),),
    ),
    (hdrs.METH_GET, "/users/{user_id}"): Call(
        "getUserPage",
        Tag.PAGES,
        "One user as a page",
        "Counts, live; whether and when the user was backfilled.",
        (
            _PAGE,
            BAD_QUERY,
            problem(
                404,
                "There is no such user.",
                {"unknown_user": "There is no user '42' in the users table."},
            ),
            *DATABASE_REPLIES,
        ),
        (Parameter("user_id", Where.PATH, "The user.", {**_ID, "minLength": 1}, "42"),),
    ),
    (hdrs.METH_GET, "/static/{name}"): Call(
        "getStatic",
        Tag.PAGES,
        "Style and scripts of the pages",
        "To be kept for good under an address that names the version.",
        (
            Reply(
                200,
                "The file.",
                media=tuple(dict.fromkeys(TYPES.values())),
                headers=(ETAG,),
            ),
            UNCHANGED,
            BAD_QUERY,
            problem(
                404, "There is no such file.", {"not_found": "There is no static file 'x.css'."}
            ),
            INTERNAL,
        ),
        (
            Parameter("name", Where.PATH, "The file.", {"type": "string"}, "page.css"),
            Parameter("v", Where.QUERY, "Its version.", {"type": "string"}, "8c80df77e278f37b"),
            IF_NONE_MATCH,
        ),
    ),
}
