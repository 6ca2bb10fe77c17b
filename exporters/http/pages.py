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
    unknown_run,
)
from exporters.http.routing import Call
from exporters.page import views
from exporters.page.chart import chart
from exporters.page.context import RunsRead


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
    asked = call.parameters
    found = await call.context.commands.runs(limit=asked.limit + 1, before=asked.before)
    seen = RunsRead(found[: asked.limit], len(found) > asked.limit)
    return _page(views.runs_page(seen, may_act=call.context.page.may_act()))


async def get_run_page(call: Call[BatchesPage, NoBody]) -> web.Response:
    """One run as a page.

    With its batches in order.
    """
    asked, commands = call.parameters, call.context.commands
    run = await commands.run(asked.run_id)
    if run is None:
        raise unknown_run(asked.run_id)
    batches = await commands.batches(asked.run_id, limit=asked.limit + 1, after=asked.after or 0)
    shown = batches[: asked.limit]
    following = shown[-1].number if len(batches) > asked.limit else None
    waits, quarantine = await commands.waits(asked.run_id), await commands.quarantine(asked.run_id)
    record = views.RunShown(run, waits, quarantine, shown, following)
    return _page(views.run_page(record, may_act=call.context.page.may_act()))


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
