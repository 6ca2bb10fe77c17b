"""The pages that a person opens: status, runs, one run, one user."""

from __future__ import annotations

from urllib.parse import quote

from aiohttp import hdrs, web

from exporters.http.requests import (
    BatchesPage,
    FindParameters,
    NoBody,
    RunsPage,
    SpanParameters,
    UserParameters,
)
from exporters.http.routing import Call
from exporters.http.runs import read_run, read_runs
from exporters.page import views
from exporters.page.counts import chart


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

    A form; with `id` it leads to that user's page.
    """
    user_id = call.parameters.id
    if not user_id:
        return _page(views.users_page())
    # A dot alone would be taken for a folder by whoever follows.
    address = "/users/" + quote(user_id, safe="").replace(".", "%2E")
    return web.Response(status=303, headers={hdrs.LOCATION: address})


async def get_user_page(call: Call[UserParameters, NoBody]) -> web.Response:
    """One user as a page.

    Counts, live; whether and when the user was backfilled.
    """
    user_id, commands = call.parameters.user_id, call.context.commands
    # First the census: it knows whether this can be an id at all.
    census = await commands.user_census(user_id)
    backfilled = await commands.backfilled(user_id)
    may_act = call.context.page.may_act()
    return _page(views.user_page(user_id, census, backfilled, may_act=may_act))


def _page(text: str) -> web.Response:
    headers = {"Content-Security-Policy": views.LIVE_POLICY}
    return web.Response(text=text, content_type="text/html", headers=headers)
