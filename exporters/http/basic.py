"""HTTP Basic, for people: a browser can't send a bearer token when it navigates.

With a read token configured, a browser asks for a password, and any token that may read will do,
whatever the user name. It counts for reading and nothing more: calls that change something take a
bearer token only, which no other site can make a browser send.
"""

from __future__ import annotations

import base64
import binascii

from aiohttp import hdrs, web

from exporters.http.errors import ApiError

CHALLENGE = 'Basic realm="conservator", charset="UTF-8"'
_READING = (hdrs.METH_GET, hdrs.METH_HEAD)


def authorization(request: web.Request) -> str | None:
    """The Authorization header, a password of who reads as the bearer token that it is."""
    header = request.headers.get(hdrs.AUTHORIZATION)
    if header is None or request.method not in _READING:
        return header
    password = _password(header)
    return header if password is None else f"Bearer {password}"


def ask(request: web.Request, error: ApiError) -> None:
    """Have a browser that navigates ask for the password. Programs know what they need, and no
    dialog of the browser's must come over the page's own."""
    navigates = request.method in _READING and "text/html" in request.headers.get(hdrs.ACCEPT, "")
    if navigates and error.status == web.HTTPUnauthorized.status_code:
        error.headers = {**error.headers, hdrs.WWW_AUTHENTICATE: CHALLENGE}


def _password(header: str) -> str | None:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return None
    _, colon, password = text.partition(":")
    return password if colon else None
