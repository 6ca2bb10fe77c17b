"""Replies that many calls share. A code comes with a sentence as it may be told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from aiohttp import hdrs

from exporters.http.body import BODY_SECONDS
from exporters.http.connections import TOO_LONG
from exporters.http.errors import MAX_BODY_BYTES
from exporters.http.openapi.parts import Header, Link, Parameter, Reply, Where
from exporters.http.shapes.base import Fault, Problem
from exporters.http.tokens import Access

RUN_EXAMPLE = 12


def problem(
    status: int, description: str, codes: Mapping[str, str], *headers: Header, shape: object = None
) -> Reply:
    """An error. `codes`: code -> a sentence that may come with it."""
    return Reply(
        status,
        description,
        shape or Problem,
        {code: Problem(error=Fault(code=code, message=message)) for code, message in codes.items()},
        headers=headers,
        codes=tuple(codes),
    )


_BAD_HTTP = {"bad_http": TOO_LONG}
UNREADABLE = problem(400, "The request could not be read.", _BAD_HTTP)
BAD_QUERY = problem(
    400,
    "The query is not as it should be.",
    {"bad_request": "limit: expected a whole number from 1 to 200, found 'many'.", **_BAD_HTTP},
)
BAD_BODY = problem(
    400,
    "The query or the body is not as it should be.",
    {
        "bad_request": 'force: expected true or false, found "yes".',
        "bad_json": "The body: expected JSON, but the key 'user_id' stands twice in one object.",
        "bad_body": "The body could not be read.",
        **_BAD_HTTP,
    },
)
BODY_REPLIES = (
    BAD_BODY,
    problem(
        413,
        "The body is too large.",
        {"body_too_large": f"The body is larger than {MAX_BODY_BYTES} bytes."},
    ),
    problem(
        415,
        "The body is something else than JSON in UTF-8, or compressed.",
        {
            "unsupported_media_type": "Content-Type: expected application/json in UTF-8, found"
            " 'text/plain'."
        },
        Header(hdrs.ACCEPT_ENCODING, "identity, where the body was compressed.", "identity", False),
    ),
    problem(
        408,
        "The body did not come in time.",
        {"body_too_slow": f"The body did not come within {BODY_SECONDS:g} s."},
    ),
)
INTERNAL = problem(
    500,
    "Something went wrong that no caller can mend; the service's log says more.",
    {"internal": "Something unforeseen went wrong; the service's log says what."},
)
RETRY_AFTER = Header(hdrs.RETRY_AFTER, "In so many seconds.", "3")
LATER = replace(RETRY_AFTER, always=False)
UNAVAILABLE = {
    "database_unavailable": "The database can't be reached: connection refused.",
    "busy": "Too many questions wait already; ask again in a moment.",
}
DATABASE_REPLIES = (
    problem(
        500,
        "Something went wrong that no caller can mend; the service's log says more.",
        {
            "internal": "Something unforeseen went wrong; the service's log says what.",
            "statement": "The database refused a statement: permission denied for table users.",
            "catalogue": "There is no table art_sessions; say in catalog.artworks what it is"
            " called.",
            "error": "Run 12 failed: The database refused a statement.",
        },
    ),
    problem(
        503,
        "The database can't be reached, or too many wait for it; try again in a moment.",
        UNAVAILABLE,
        LATER,
    ),
)
FOLLOW_RUN = Link(
    "run", "getRun", "The run that was started.", {"run_id": "$response.body#/run_id"}
)

_UNAUTHORIZED = problem(
    401,
    "A token is needed, and none that is known was given.",
    {
        "unauthorized": "This call needs the header `Authorization: Bearer TOKEN` with a token that"
        " is configured for it."
    },
    Header(hdrs.WWW_AUTHENTICATE, "How to authenticate.", "Bearer"),
)
_FAILURES = {"too_many_failures": "Too many wrong tokens from this client: try again in 3 s."}
_TOO_MANY = problem(429, "Too many wrong tokens came from this address.", _FAILURES, RETRY_AFTER)
_TOO_MANY_BACKFILLS = problem(
    429,
    "Too many wrong tokens came from this address, or too many backfills from this client.",
    {
        **_FAILURES,
        "too_many_backfills": "Too many backfills from this client: try again in 1 s.",
    },
    RETRY_AFTER,
)
_FORBIDDEN: Mapping[Access, tuple[str, str]] = {
    Access.READ: (
        "The token given is for something else.",
        "The alert token may only call /api/alerts.",
    ),
    Access.BACKFILL: (
        "The token given is for something else, or no admin token is configured.",
        "The app token may backfill one user; `all` needs the admin token.",
    ),
    Access.ALERT: (
        "The token given is for something else, or no alert token is configured.",
        "The read token may not do this; the alert token and the admin's may.",
    ),
    Access.ADMIN: (
        "The token given is not the admin's, or no admin token is configured.",
        "The app token may not do this; the admin token may.",
    ),
}


def refusals(access: Access) -> tuple[Reply, ...]:
    """What a caller without the right token is told, or one who comes too often."""
    if access is Access.PUBLIC:
        return (_TOO_MANY,)
    description, sentence = _FORBIDDEN[access]
    too_many = _TOO_MANY_BACKFILLS if access is Access.BACKFILL else _TOO_MANY
    return (_UNAUTHORIZED, problem(403, description, {"forbidden": sentence}), too_many)


IF_NONE_MATCH = Parameter(
    hdrs.IF_NONE_MATCH,
    Where.HEADER,
    "The `ETag` of what the caller has.",
    {"type": "string"},
    '"2c26b46b68ffc68ff99b453c1d304134"',
)
ETAG = Header(
    hdrs.ETAG, "Tells this version from every other.", '"2c26b46b68ffc68ff99b453c1d304134"'
)
UNCHANGED = Reply(304, "The caller has the newest version.", media=(), headers=(ETAG,))
