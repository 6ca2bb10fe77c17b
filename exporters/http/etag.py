"""Answers that seldom change: whoever has the newest is told so, and not sent it again."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256

from aiohttp import hdrs, web

from exporters.http.auth import AUTHORIZER
from exporters.http.errors import ApiError
from exporters.http.requests import NoBody, RunbookParameters, StaticParameters
from exporters.http.routing import Call, PlainCall, Route
from exporters.http.strict_json import JSON
from exporters.page.assets import asset
from exporters.page.views import STATIC_POLICY, runbook_page

_REVALIDATE = "private, no-cache"
"""Kept by the caller alone, and asked about before every use."""
_IMMUTABLE = "private, max-age=31536000, immutable"


async def get_static(call: Call[StaticParameters, NoBody]) -> web.Response:
    """Style and scripts of the pages.

    To be kept for good under an address that names the version.
    """
    name, version = call.parameters.name, call.parameters.v
    found = asset(name)
    if found is None:
        raise ApiError("not_found", f"There is no static file {name[:60]!r}.")
    response = _unless_known(call.request, found.text, found.version, found.content_type)
    if version == found.version:
        response.headers[hdrs.CACHE_CONTROL] = _IMMUTABLE
    if response.status == web.HTTPOk.status_code:
        response.headers[hdrs.VARY] = hdrs.ACCEPT_ENCODING
        response.enable_compression()
    return response


async def get_runbook(call: Call[RunbookParameters, NoBody]) -> web.Response:
    """The runbook of an alert.

    What it means, what users see, what to look at and what to type.
    """
    name = call.parameters.name
    text = runbook_page(name)
    if text is None:
        raise ApiError("unknown_runbook", f"There is no runbook of an alert {name[:60]}.")
    headers = {"Content-Security-Policy": STATIC_POLICY}
    return _unless_known(call.request, text, _tag(text), "text/html", headers)


async def get_description(call: PlainCall) -> web.Response:
    """This description.

    OpenAPI 3.1.
    """
    version = call.context.board.current.version
    reads_need_token = bool(call.request.app[AUTHORIZER].tokens.read)
    # A fifth of a second, once: in a thread, so that nobody else waits for it.
    text = await asyncio.to_thread(_describe, call.context.routes, version, reads_need_token)
    return _unless_known(call.request, text, _tag(text), JSON)


@lru_cache(maxsize=2)
def _describe(routes: tuple[Route, ...], version: str, reads_need_token: bool) -> str:
    # Loaded when somebody asks: most services are never asked.
    from exporters.http.openapi import describe  # noqa: PLC0415

    return describe(routes, version, reads_need_token=reads_need_token)


def _tag(text: str) -> str:
    """What tells this text from every other."""
    return sha256(text.encode("utf-8")).hexdigest()[:32]


def _unless_known(
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
