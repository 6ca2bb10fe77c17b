"""GET /static/NAME: style, scripts and the chart library, all of them this package's own files."""

from __future__ import annotations

from aiohttp import hdrs, web

from exporters.api.errors import ApiError
from exporters.api.queries import parameters
from exporters.page.assets import asset

_FOR_GOOD = "private, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"


async def static(request: web.Request) -> web.Response:
    """A file; for good where the address names its version, else to be asked for again."""
    version = parameters(request, "v").get("v")
    name = request.match_info["name"]
    found = asset(name)
    if found is None:
        raise ApiError(404, "not_found", f"There is no static file {name[:60]!r}.")
    tag = f'"{found.version}"'
    headers = {
        hdrs.ETAG: tag,
        hdrs.CACHE_CONTROL: _FOR_GOOD if version == found.version else _ASK_AGAIN,
        hdrs.VARY: hdrs.ACCEPT_ENCODING,
    }
    if any(one.value in (found.version, "*") for one in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    headers[hdrs.CONTENT_TYPE] = found.content_type
    if "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, ""):
        headers[hdrs.CONTENT_ENCODING] = "gzip"
        return web.Response(body=found.compressed, headers=headers)
    return web.Response(body=found.body, headers=headers)
