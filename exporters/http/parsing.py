"""Requests read strictly: what two readers could read differently is refused, and a mistake says
which field, what was expected, what was found. JSON goes out as strictly."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from typing import NoReturn, TypeVar

from aiohttp import hdrs, web
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from exporters.http.errors import BODY_SECONDS, ApiError
from exporters.http.requests import MAX_REASON_CHARACTERS, Body, NoBody, Parameters, is_unicode

JSON = "application/json"
_SHOWN_CHARACTERS = 60
_MAX_MISTAKES = 10
_EXPECTED = {
    "bool_type": "true or false",
    "string_type": "text",
    "string_too_long": f"at most {MAX_REASON_CHARACTERS} characters",
    "list_type": "an array",
    "dict_type": "an object",
    "model_type": "an object",
}
_KINDS: Mapping[type, str] = {
    dict: "an object",
    list: "an array",
    str: "text",
    bool: "true or false",
    int: "a number",
    float: "a number",
}
P = TypeVar("P", bound=Parameters)
B = TypeVar("B", bound=Body)


def json_response(
    payload: object, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """`payload` as strict JSON: a number that JSON doesn't have is an error of ours."""
    text = json.dumps(payload, allow_nan=False) + "\n"
    return web.json_response(text=text, status=status, headers=headers)


def parse_parameters(model: type[P], request: web.Request) -> P:
    """Path and query as `model`, each parameter known and given once. Raises ApiError."""
    values: dict[str, str] = dict(request.match_info)
    if request.query_string and model.model_config.get("extra") == "forbid":
        known = [name for name in model.model_fields if name not in values]
        for name, value in request.query.items():
            if name not in known:
                expected = " or ".join(known) or "none"
                message = f"{name[:60]}: unknown parameter, expected {expected}."
                raise ApiError("bad_request", message)
            if len(request.query.getall(name)) > 1:
                raise ApiError("bad_request", f"{name}: expected once, found several times.")
            values[name] = value
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise _bad_request(error, (), lambda text: repr(str(text)[:_SHOWN_CHARACTERS])) from None


def accepted(request: web.Request, header: str) -> str:
    """What an Accept header takes, the dearest first; what it weighs with 0 it does not take."""
    weighed: list[tuple[float, str]] = []
    for one in ",".join(request.headers.getall(header, ())).split(","):
        name, *parameters = (part.strip() for part in one.split(";"))
        given = [part[2:].strip() for part in parameters if part[:2].lower() == "q="]
        rest = [part for part in parameters if part[:2].lower() != "q="]
        weight = _weight(given[0]) if given else 1.0
        if name and weight > 0:
            weighed.append((weight, ";".join((name.lower(), *rest))))
    return ",".join(text for _, text in sorted(weighed, key=lambda found: -found[0]))


def _weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 1.0


async def parse_body(model: type[B], request: web.Request) -> B:
    """The request's body as `model`. Raises ApiError that names every mistake."""
    if model is NoBody:
        return model()
    document = await _read_object(request, model)
    try:
        return model.model_validate(document)
    except ValidationError as error:
        known = [field.alias or name for name, field in model.model_fields.items()]
        raise _bad_request(error, known, _shown) from None


async def _read_object(request: web.Request, model: type[Body]) -> dict[str, object]:
    """The body as a JSON object; {} for no body where that is allowed. Raises ApiError."""
    _check_coding(request)
    raw = await _read_in_time(request, model.MAX_BYTES)
    if not raw and model.MAY_BE_EMPTY:
        return {}
    _check_content_type(request)
    document = _parse_json(raw)
    if not isinstance(document, dict):
        message = f"The body: expected a JSON object, found {_kind(document)}."
        raise ApiError("bad_request", message)
    return document


async def _read_in_time(request: web.Request, most: int) -> bytes:
    """The body. What is larger than `most` bytes is not read to its end."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > most:
                    raise ApiError("body_too_large", f"The body is larger than {most} bytes.")
        return bytes(body)
    except TimeoutError:
        message = f"The body did not come within {BODY_SECONDS:g} s."
        raise ApiError("body_too_slow", message, {hdrs.CONNECTION: "close"}) from None


def _parse_json(raw: bytes) -> object:
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


def _bad_request(
    error: ValidationError, known: Iterable[str], shown: Callable[[object], str]
) -> ApiError:
    errors = error.errors(include_url=False)[:_MAX_MISTAKES]
    return ApiError("bad_request", "; ".join(_sentence(one, known, shown) for one in errors) + ".")


def _sentence(error: ErrorDetails, known: Iterable[str], shown: Callable[[object], str]) -> str:
    field = _shown(".".join(str(part) for part in error["loc"])).strip('"')
    if error["type"] == "extra_forbidden":
        return f"{field}: unknown field, expected {' or '.join(known) or 'none'}"
    if error["type"] == "missing":
        return f"{field}: expected, but missing"
    if error["type"] == "literal_error":
        return f"{field}: expected {error['ctx']['expected']}, found {shown(error['input'])}"
    expected = _EXPECTED.get(error["type"], error["msg"])
    return f"{field}: expected {expected}, found {shown(error['input'])}"


def _shown(value: object) -> str:
    if isinstance(value, list | dict):
        return _kind(value)
    text = json.dumps(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def _kind(value: object) -> str:
    """What a parsed value is, in JSON's words."""
    return _KINDS.get(type(value), "null")
