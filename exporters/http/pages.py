"""The pages that a person opens: status, runs, one run, one user; and errors on the way to them."""

from __future__ import annotations

import json
from urllib.parse import quote

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from exporters.http.context import context_of
from exporters.http.errors import bad_request
from exporters.http.models import unfit_id
from exporters.http.queries import MAX_LIMIT, no_such_run, page, parameters, run_id
from exporters.http.runs import RUNS_A_PAGE
from exporters.http.viewing import viewing_of
from exporters.page import documents
from exporters.page.chart import SPANS, USUAL, chart
from exporters.page.scene import RunsSeen

HTML = "text/html"


async def status_page(request: web.Request) -> web.Response:
    """How the gallery is, from memory and what was read of the history a moment ago."""
    span = chosen_span(request)
    viewing = viewing_of(request)
    scene = await viewing.scene()
    series = await viewing.series(span)
    history = documents.History(span, chart(series.value), series.error)
    return _live(documents.status_page(scene, viewing.sections(scene), history))


async def runs_page(request: web.Request) -> web.Response:
    """Earlier runs."""
    asked = page(request, "before", default_limit=RUNS_A_PAGE)
    context = context_of(request)
    found = await context.commands.runs(limit=asked.limit + 1, before=asked.cursor)
    seen = RunsSeen(found[: asked.limit], len(found) > asked.limit)
    return _live(documents.runs_page(seen, may_act=viewing_of(request).may_act()))


async def run_page(request: web.Request) -> web.Response:
    """One run with its batches."""
    number = run_id(request)
    asked = page(request, "after", default_limit=MAX_LIMIT)
    context = context_of(request)
    commands = context.commands
    found = await commands.run(number)
    if found is None:
        raise no_such_run(number)
    batches = await commands.batches(number, limit=asked.limit + 1, after=asked.cursor or 0)
    shown = batches[: asked.limit]
    following = shown[-1].number if len(batches) > asked.limit else None
    record = documents.RunShown(
        found, await commands.waits(number), await commands.quarantine(number), shown, following
    )
    return _live(documents.run_page(record, may_act=viewing_of(request).may_act()))


async def find_user(request: web.Request) -> web.Response:
    """The form that asks which user; from it to the user's page."""
    user_id = parameters(request, "id").get("id", "").strip()
    if not user_id:
        return _live(documents.users_page())
    _must_be_fit(user_id)
    # A dot alone would be taken for a folder by whoever follows.
    address = "/users/" + quote(user_id, safe="").replace(".", "%2E")
    return web.Response(status=303, headers={hdrs.LOCATION: address})


async def user_page(request: web.Request) -> web.Response:
    """One user's counts, live."""
    parameters(request)
    user_id = request.match_info["user_id"]
    _must_be_fit(user_id)
    context = context_of(request)
    # First the census: it knows whether this can be an id at all.
    census = await context.commands.user_census(user_id)
    backfilled = await context.commands.backfilled(user_id)
    may_act = viewing_of(request).may_act()
    return _live(documents.user_page(user_id, census, backfilled, may_act=may_act))


def chosen_span(request: web.Request) -> str:
    """`range`, one of SPANS. Raises ApiError."""
    span = parameters(request, "range").get("range", USUAL)
    if span not in SPANS:
        raise bad_request(f"range: expected {' or '.join(SPANS)}, found {span[:60]!r}.")
    return span


def _must_be_fit(user_id: str) -> None:
    expected = unfit_id(user_id)
    if expected is not None:
        raise bad_request(f"id: expected {expected}.")


def _live(text: str, status: int = 200) -> web.Response:
    headers = {"Content-Security-Policy": documents.LIVE_POLICY}
    return web.Response(text=text, status=status, content_type=HTML, headers=headers)


@web.middleware
async def errors_as_pages(request: web.Request, handler: Handler) -> web.StreamResponse:
    """An error that a person navigated into is a page; programs get what they got."""
    response = await handler(request)
    if response.status < web.HTTPBadRequest.status_code or not _navigated(request):
        return response
    if not isinstance(response, web.Response) or response.content_type != "application/json":
        return response
    message = json.loads(response.text or "{}").get("error", {}).get("message", "")
    told = web.Response(
        text=documents.error_page(response.status, message),
        status=response.status,
        content_type=HTML,
        headers={"Content-Security-Policy": documents.STILL_POLICY},
    )
    kept = (hdrs.WWW_AUTHENTICATE, hdrs.ALLOW, hdrs.RETRY_AFTER)
    told.headers.extend({name: response.headers[name] for name in kept if name in response.headers})
    return told


def _navigated(request: web.Request) -> bool:
    """A browser went there, and not a script or a program."""
    return (
        request.method in (hdrs.METH_GET, hdrs.METH_HEAD)
        and HTML in request.headers.get(hdrs.ACCEPT, "")
        and not request.path.startswith("/api/")
    )
