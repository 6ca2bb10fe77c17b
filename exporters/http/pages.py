"""The pages that a person opens: status, runs, one run, one user, runbooks; and their files.

Of what seldom changes, whoever has the newest is told so, and not sent it again.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from aiohttp import hdrs, web
from prometheus_client.exposition import gzip_accepted

from exporters.http.errors import ApiError
from exporters.http.parsing import accepted
from exporters.http.requests import (
    BatchesPage,
    FindParameters,
    NoBody,
    RunbookParameters,
    RunsPage,
    SpanParameters,
    StaticParameters,
    UserParameters,
)
from exporters.http.routing import Call, Context
from exporters.http.runs import read_run, read_runs
from exporters.page import views
from exporters.page.assets import asset
from exporters.page.counts import chart
from exporters.page.formatting import is_folder, user_address

_REVALIDATE = "private, no-cache"
"""Kept by the caller alone, and asked about before every use."""
_IMMUTABLE = "private, max-age=31536000, immutable"


async def get_page(call: Call[SpanParameters, NoBody]) -> web.Response:
    """The status page.

    For people. From memory, the chart and the list of runs from seconds ago.
    """
    page, span = call.context.page, call.parameters.range
    context = await page.context()
    series = await page.series(span)
    history = views.History(span, chart(series.value), series.error)
    return _page(views.status_page(context, page.sections(context), history))


async def get_runs_page(call: Call[RunsPage, NoBody]) -> web.Response:
    """The runs as a page.

    The newest first.
    """
    return _page(views.runs_page(await read_runs(call), may_act=call.context.page.may_act()))


async def get_run_page(call: Call[BatchesPage, NoBody]) -> web.Response:
    """One run as a page.

    With its batches in order.
    """
    return _page(views.run_page(await read_run(call), may_act=call.context.page.may_act()))


async def find_user(call: Call[FindParameters, NoBody]) -> web.Response:
    """Which user?

    A form; with `id` it leads to that user's page, or is that where no path can name the user:
    `.` and `..` are folders to a browser, however they are written.
    """
    user_id = call.parameters.id
    if not user_id:
        return _page(views.users_page())
    if is_folder(user_id):
        return await _user_page(call.context, user_id, folders=0)
    return web.Response(status=303, headers={hdrs.LOCATION: user_address(user_id)})


async def get_user_page(call: Call[UserParameters, NoBody]) -> web.Response:
    """One user as a page.

    Counts, live; whether and when the user was backfilled.
    """
    return await _user_page(call.context, call.parameters.user_id, folders=1)


async def _user_page(context: Context, user_id: str, *, folders: int) -> web.Response:
    # First the census: it knows whether this can be an id at all.
    census = await context.commands.user_census(user_id)
    backfilled = await context.commands.backfilled(user_id)
    return _page(
        views.user_page(
            user_id,
            census,
            backfilled,
            suspicion=context.board.current.examination.suspicion,
            may_act=context.page.may_act(),
            folders=folders,
        )
    )


async def get_static(call: Call[StaticParameters, NoBody]) -> web.Response:
    """Style and scripts of the pages.

    To be kept for good under an address that names the version.
    """
    name, version = call.parameters.name, call.parameters.v
    found = asset(name)
    if found is None:
        raise ApiError("not_found", f"There is no static file {name[:60]!r}.")
    response = unless_known(call.request, found.text, found.version, found.content_type)
    if version == found.version:
        response.headers[hdrs.CACHE_CONTROL] = _IMMUTABLE
    if response.status == web.HTTPOk.status_code:
        response.headers[hdrs.VARY] = hdrs.ACCEPT_ENCODING
        if gzip_accepted(accepted(call.request, hdrs.ACCEPT_ENCODING)):
            response.enable_compression(web.ContentCoding.gzip)
    return response


async def get_runbook(call: Call[RunbookParameters, NoBody]) -> web.Response:
    """The runbook of an alert.

    What it means, what users see, what to look at and what to type.
    """
    name = call.parameters.name
    text = views.runbook_page(name)
    if text is None:
        raise ApiError("unknown_runbook", f"There is no runbook of an alert {name[:60]}.")
    headers = {"Content-Security-Policy": views.STATIC_POLICY}
    return unless_known(call.request, text, tag_of(text), "text/html", headers)


def _page(text: str) -> web.Response:
    headers = {"Content-Security-Policy": views.LIVE_POLICY}
    return web.Response(text=text, content_type="text/html", headers=headers)


def tag_of(text: str) -> str:
    """What tells this text from every other."""
    return sha256(text.encode("utf-8")).hexdigest()[:32]


def unless_known(
    request: web.Request,
    text: str,
    tag: str,
    content_type: str,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """`text`, or 304 where `If-None-Match` names its tag."""
    known = request.if_none_match or ()
    if any(etag.value in {tag, "*"} for etag in known):
        response = web.Response(status=304, headers=headers)
    else:
        response = web.Response(text=text, content_type=content_type, headers=headers)
    response.etag = tag
    response.headers[hdrs.CACHE_CONTROL] = _REVALIDATE
    return response
