"""Answers that seldom change: whoever has the newest is told so, and not sent it again."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from aiohttp import hdrs, web

_REVALIDATE = "private, no-cache"
"""Kept by the caller alone, and asked about before every use."""


def tag_of(text: str) -> str:
    """What tells this text from every other."""
    return sha256(text.encode("utf-8")).hexdigest()[:32]


def text_or_unchanged(
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
