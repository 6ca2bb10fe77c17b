"""GET /api/artworks/history: the four counts over a span of time."""

from __future__ import annotations

from aiohttp import web

from exporters.http.errors import ApiError, json_response
from exporters.http.pages import chosen_span
from exporters.http.shapes.artworks import Columns, History
from exporters.http.viewing import viewing_of


async def history(request: web.Request) -> web.Response:
    """At most 301 censuses in columns, oldest first; `t` in Unix seconds. `error` says why it could
    not be read again just now, or is null."""
    span = chosen_span(request)
    known = await viewing_of(request).series(span)
    if known.error is not None and not known.value:
        raise ApiError(503, "database_unavailable", known.error)
    points = known.value
    return json_response(
        History(
            range=span,
            columns=Columns(
                t=[round(point.as_of.timestamp(), 3) for point in points],
                legacy_untracked=[point.legacy_untracked for point in points],
                storage=[point.storage for point in points],
                fresh=[point.fresh for point in points],
                tracked=[point.tracked for point in points],
            ),
            error=known.error,
        )
    )
