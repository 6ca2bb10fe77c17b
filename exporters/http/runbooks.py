"""/runbooks/NAME: what to do about an alert, where its notification leads."""

from __future__ import annotations

from aiohttp import web

from exporters.http.errors import ApiError
from exporters.http.queries import parameters
from exporters.http.unchanged import tag_of, text_or_unchanged
from exporters.page.documents import STILL_POLICY
from exporters.runbooks import render_runbook


async def runbook(request: web.Request) -> web.Response:
    """The runbook of an alert."""
    parameters(request)
    name = request.match_info["name"]
    text = render_runbook(name)
    if text is None:
        raise ApiError(404, "unknown_runbook", f"There is no runbook of an alert {name[:60]}.")
    headers = {"Content-Security-Policy": STILL_POLICY}
    return text_or_unchanged(request, text, tag_of(text), "text/html", headers)
