"""JSON in and out, strictly: what two readers could read differently is refused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import NoReturn

from aiohttp import hdrs, web

from exporters.http.errors import BODY_SECONDS, ApiError

JSON = "application/json"


def json_response(
    payload: object, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """`payload` as strict JSON: a number that JSON doesn't have is an error of ours."""
    text = json.dumps(payload, allow_nan=False) + "\n"
    return web.json_response(text=text, status=status, headers=headers)


async def read_object(request: web.Request, *, may_be_empty: bool) -> dict[str, object]:
    """The body as a JSON object; {} for no body where that is allowed. Raises ApiError."""
    _check_coding(request)
    raw = await _read_in_time(request)
    if not raw and may_be_empty:
        return {}
    _check_content_type(request)
    document = parse_json(raw)
    if not isinstance(document, dict):
        message = f"The body: expected a JSON object, found {kind(document)}."
        raise ApiError("bad_request", message)
    return document


async def _read_in_time(request: web.Request) -> bytes:
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await request.read()
    except TimeoutError:
        message = f"The body did not come within {BODY_SECONDS:g} s."
        raise ApiError("body_too_slow", message, {hdrs.CONNECTION: "close"}) from None


def parse_json(raw: bytes) -> object:
    """RFC 8259 JSON in UTF-8, each key once, no NaN or Infinity. Raises ApiError."""
    try:
        return json.loads(
            raw.decode("utf-8"), object_pairs_hook=_unique_keys, parse_constant=_refuse_constant
        )
    except RecursionError:
        raise _not_json("it is nested too deeply") from None
    except UnicodeDecodeError:
        raise _not_json("it is not UTF-8") from None
    except ValueError as error:
        raise _not_json(str(error)) from None


def is_unicode(text: str) -> bool:
    """Whether `text` can be written as UTF-8: JSON's escapes can make lone surrogates."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _check_coding(request: web.Request) -> None:
    """Bodies are small, and what is packed small may be large: none is unpacked."""
    codings = ", ".join(request.headers.getall(hdrs.CONTENT_ENCODING, ()))
    if codings.strip().lower() not in {"", "identity"}:
        raise ApiError(
            "unsupported_media_type",
            f"Content-Encoding: expected none, found {codings[:60]!r}; send the body as it is.",
            {hdrs.ACCEPT_ENCODING: "identity"},
        )


def _check_content_type(request: web.Request) -> None:
    if hdrs.CONTENT_TYPE not in request.headers:
        return
    charset = request.charset or "utf-8"
    if request.content_type != JSON or charset.lower() not in {"utf-8", "utf8"}:
        message = f"Content-Type: expected {JSON} in UTF-8, found {request.content_type!r}."
        raise ApiError("unsupported_media_type", message)


def _unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    document: dict[str, object] = {}
    for key, value in pairs:
        if not is_unicode(key):
            raise ValueError("a key holds a lone surrogate")
        if key in document:
            raise ValueError(f"the key {key[:60]!r} stands twice in one object")
        document[key] = value
    return document


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _not_json(why: str) -> ApiError:
    return ApiError("bad_json", f"The body: expected JSON, but {why}.")


def kind(value: object) -> str:
    """What a parsed value is, in JSON's words."""
    kinds: dict[type, str] = {
        dict: "an object",
        list: "an array",
        str: "text",
        bool: "true or false",
        int: "a number",
        float: "a number",
    }
    return kinds.get(type(value), "null")
