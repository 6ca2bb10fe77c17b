"""Every error code, with its status and a sentence as it may come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

MAX_BODY_BYTES = 65_536
MAX_NOTIFICATION_BYTES = 1_048_576
"""Of Alertmanager's, which may hold a thousand alerts."""
BODY_SECONDS = 10.0
"""How long a body may take to come."""
TOO_LONG = "The request's address, or one of its headers, is too long to be read."


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """A word for programs: with which status it comes, and a sentence that may come with it."""

    status: int
    example: str


CODES: Mapping[str, ErrorCode] = {
    "bad_request": ErrorCode(400, "limit: expected a whole number from 1 to 200, found 'many'."),
    "bad_json": ErrorCode(
        400, "The body: expected JSON, but the key 'user_id' stands twice in one object."
    ),
    "bad_body": ErrorCode(400, "The body could not be read."),
    "bad_http": ErrorCode(400, TOO_LONG),
    "unauthorized": ErrorCode(
        401,
        "This call needs the header `Authorization: Bearer TOKEN` with a token that is configured"
        " for it.",
    ),
    "forbidden": ErrorCode(403, "The app token may not do this; the admin token may."),
    "not_found": ErrorCode(404, "There is no static file 'x.css'."),
    "unknown_user": ErrorCode(404, "There is no user '42' in the users table."),
    "unknown_run": ErrorCode(404, "There is no run 99; see /api/runs."),
    "unknown_repair": ErrorCode(404, "There is no repair orphan; see /api/repairs."),
    "unknown_check": ErrorCode(404, "There is no check cenus; see /api/checks."),
    "unknown_runbook": ErrorCode(404, "There is no runbook of an alert ConservatorDwn."),
    "method_not_allowed": ErrorCode(405, "POST is not possible here; possible: GET, HEAD."),
    "body_too_slow": ErrorCode(408, f"The body did not come within {BODY_SECONDS:g} s."),
    "paused": ErrorCode(409, "Healing is paused: deploy. `conservator resume` ends it."),
    "breaker_open": ErrorCode(
        409,
        "The breaker is open since 2026-01-31 12:00 UTC: 60 % of the pairs are legacy, more than"
        " max_share.",
    ),
    "healing_blocked": ErrorCode(
        409,
        "user_art_impressions: Role conservator_service may not insert user_id, artwork_id,"
        " viewed_at. Nothing can be backfilled. Run GRANT INSERT ON user_art_impressions TO"
        " conservator_service;",
    ),
    "sequence_short": ErrorCode(
        409,
        'The plan draws 1,200 values from sequence "public"."views_id_seq" behind views.id'
        " (integer), which has 2,000 left up to 2,147,483,647: more than half.",
    ),
    "repair_refused": ErrorCode(
        409, "The breaker is open: of 10,000 impressions 2,000 have vanished."
    ),
    "active_run": ErrorCode(409, "Run 12 is under way already; wait for its end."),
    "held": ErrorCode(409, "The run was put down: paused."),
    "lease_lost": ErrorCode(409, "Another process has taken run 12 over."),
    "refused": ErrorCode(409, "The service is shutting down; ask again in a moment."),
    "not_undoable": ErrorCode(409, "Run 12 is an undo itself; it can't be undone."),
    "body_too_large": ErrorCode(413, f"The body is larger than {MAX_BODY_BYTES} bytes."),
    "unsupported_media_type": ErrorCode(
        415, "Content-Type: expected application/json in UTF-8, found 'text/plain'."
    ),
    "too_many_failures": ErrorCode(
        429, "Too many wrong tokens from this client: try again in 3 s."
    ),
    "too_many_backfills": ErrorCode(429, "Too many backfills from this client: try again in 1 s."),
    "internal": ErrorCode(500, "Something unforeseen went wrong; the service's log says what."),
    "statement": ErrorCode(
        500, "The database refused a statement: permission denied for table users."
    ),
    "catalogue": ErrorCode(
        500, "There is no table art_sessions; say in catalog.artworks what it is called."
    ),
    "error": ErrorCode(500, "Run 12 failed: The database refused a statement."),
    "database_unavailable": ErrorCode(503, "The database can't be reached: connection refused."),
    "busy": ErrorCode(503, "Too many questions wait already; ask again in a moment."),
    "no_census": ErrorCode(503, "No census was taken yet; try again after the first."),
    "stale_census": ErrorCode(
        503,
        "The last census, of 2026-01-31T12:00:00.000Z, is too old to be right; see /api/checks for"
        " why.",
    ),
    "not_ready": ErrorCode(503, "The database can't be reached: connection refused."),
    "too_many_streams": ErrorCode(
        503, "All streams for live pages are taken; this page stays as it is. Reload it later."
    ),
    "stopping": ErrorCode(503, "The service is stopping; come back in a moment."),
}


class ApiError(Exception):
    """Answer with this code and sentence. `status`: that of the code, unless the code is none of
    CODES; `fields` stand beside the error in the answer."""

    def __init__(
        self,
        code: str,
        message: str,
        headers: Mapping[str, str] | None = None,
        *,
        status: int | None = None,
        fields: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = CODES[code].status if status is None else status
        self.code = code
        self.message = message
        self.headers = headers or {}
        self.fields = fields or {}
