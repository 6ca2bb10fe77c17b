"""GET /static/NAME: style, scripts and the chart library, all of them this package's own files."""

from __future__ import annotations

from aiohttp import hdrs, web

from exporters.http.errors import ApiError
from exporters.http.queries import parameters
from exporters.http.unchanged import text_or_unchanged
from exporters.page.assets import asset

_FOR_GOOD = "private, max-age=31536000, immutable"


async def static(request: web.Request) -> web.Response:
    """A file; for good where the address names its version, else to be asked for again."""
    version = parameters(request, "v").get("v")
    name = request.match_info["name"]
    found = asset(name)
    if found is None:
        raise ApiError(404, "not_found", f"There is no static file {name[:60]!r}.")
    response = text_or_unchanged(request, found.text, found.version, found.content_type)
    if version == found.version:
        response.headers[hdrs.CACHE_CONTROL] = _FOR_GOOD
    if response.status == web.HTTPOk.status_code:
        response.headers[hdrs.VARY] = hdrs.ACCEPT_ENCODING
        response.enable_compression()
    return response
