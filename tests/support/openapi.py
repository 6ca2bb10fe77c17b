"""The published description of the API, and whether an answer is what it says."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from schemathesis.specs.openapi.definitions import OPENAPI_31

from exporters.http.errors import CODES
from exporters.http.openapi import describe
from exporters.http.routes import ROUTES

Json = dict[str, Any]

CALLS = {(route.method, route.path): route for route in ROUTES}
META_SCHEMA: Json = OPENAPI_31
"""The official one; schemathesis brings it."""
FORMATS = FormatChecker(())


@FormatChecker.checks(FORMATS, "date-time", raises=ValueError)
def _is_moment(text: object) -> bool:
    return not isinstance(text, str) or datetime.fromisoformat(text).tzinfo is not None


@cache
def document(*, reads_need_token: bool = False) -> Json:
    """The description of the table of routes."""
    text = describe(ROUTES, "1.2.3", reads_need_token=reads_need_token)
    loaded: Json = json.loads(text)
    return loaded


def operations(described: Json) -> Iterator[tuple[str, str, Json]]:
    """Method, path and operation."""
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def validator(schema: Json, *, closed: bool = False) -> Draft202012Validator:
    """Of a schema that may refer to components; `closed`: fields that nobody has described are
    mistakes, although callers are told to expect some in time."""
    components = json.loads(json.dumps(document()["components"]["schemas"]))
    if closed:
        for component in components.values():
            if "properties" in component:
                component.setdefault("additionalProperties", False)
    whole = {**schema, "components": {"schemas": components}}
    return Draft202012Validator(whole, format_checker=FORMATS)


@cache
def _answers(method: str, path: str, status: str, media: str) -> Draft202012Validator | None:
    content = document()["paths"][path][method.lower()]["responses"][status]["content"]
    if media not in content:
        return None
    return validator(content[media]["schema"], closed=True)


def mistakes(
    method: str, path: str, status: int, headers: Mapping[str, str], text: str
) -> list[str]:
    """What of an answer the description doesn't say; `path` as the routes have it."""
    where = f"{method} {path} -> {status}"
    described = document()["paths"][path][method.lower()]["responses"].get(str(status))
    if described is None:
        return [f"{where}: this status is not described"]
    given = {name.lower() for name in headers}
    found = [
        f"{where}: without {name}"
        for name, header in described.get("headers", {}).items()
        if header["required"] and name.lower() not in given
    ]
    if "content" not in described:
        return [*found, *([f"{where}: has a body"] if text else [])]
    media = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
    return [*found, *(f"{where}: {why}" for why in _content(method, path, status, media, text))]


def _content(method: str, path: str, status: int, media: str, text: str) -> Iterator[str]:
    checker = _answers(method, path, str(status), media.partition(";")[0])
    if checker is None:
        yield f"{media!r} is not described"
        return
    answer: Any = json.loads(text) if media.startswith("application/json") else text
    for error in checker.iter_errors(answer):
        yield f"{error.json_path}: {error.message[:300]}"
    if status >= 400:
        code = answer["error"]["code"]
        if code not in codes(method, path, status):
            yield f"the code {code} is not described"


def codes(method: str, path: str, status: int) -> set[str]:
    """The codes that an error of a call may have."""
    found = CALLS[method, path].error_codes()
    return {code for code in found if CODES[code].status == status}
