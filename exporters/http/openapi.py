"""The description of the HTTP side, as OpenAPI 3.1: what the table of routes says, for programs."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Mapping
from typing import Any, get_args

from aiohttp import hdrs
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema

from exporters.http.auth import ALLOWED, Access
from exporters.http.errors import CODES
from exporters.http.parsing import JSON
from exporters.http.requests import NoBody
from exporters.http.responses import Accepted, Answer, Problem
from exporters.http.routing import Route, Tag
from exporters.http.runs import RunList

Json = dict[str, Any]
_REFERENCE = "#/components/schemas/{model}"
_ABOUT = """\
Finds artworks that an app will show again for ever because their impression is missing, and repairs
them.

Errors are JSON with a code for programs and a sentence for people; a browser that navigates
(`Accept` names text/html) gets the sentence as a page, except below /api/. Where reads need a
token, a browser may give it as the password of HTTP Basic, with GET and HEAD only. Every GET
answers HEAD likewise. A parameter or field that is not known is refused, so that a misspelt one is
not overlooked; answers may get new fields. Every answer carries an `X-Request-ID`, the caller's own
where it sent one; the service's log names it. Nothing is to be cached unless it has an `ETag`.
Moments are ISO 8601 in UTC, durations seconds, ids text."""
_SCHEMES = {
    "adminToken": "`server.admin_token`: may do everything. Not configured: nothing can be changed"
    " over HTTP.",
    "appToken": "`server.app_token`, for the app's own backend: reads, and backfills one user.",
    "alertToken": "`server.alert_token`, for Alertmanager: hands alerts in and nothing else.",
    "readToken": "`server.read_token`: reads. Where it is configured, reads need a token.",
}
_STATUSES = {
    303: "There is the page of this user.",
    304: "The caller has the newest version.",
    400: "The request is not as it should be.",
    401: "A token is needed, and none that is known was given.",
    403: "The token given is for something else, or none is configured for this.",
    404: "There is no such thing.",
    408: "The body did not come in time.",
    409: "Not now, or never.",
    413: "The body is too large.",
    415: "The body is something else than JSON in UTF-8, or compressed.",
    429: "Too much of it came from this client.",
    500: "Something went wrong that no caller can mend; the service's log says more.",
    503: "Not to be had now; try again in a moment.",
}


def _header(description: str, example: str, *, always: bool = True) -> Json:
    return {
        "description": description,
        "required": always,
        "schema": {"type": "string"},
        "example": example,
    }


_TAG = '"2c26b46b68ffc68ff99b453c1d304134"'
_ETAG: Json = {hdrs.ETAG: _header("Tells this version from every other.", _TAG)}
_IF_NONE_MATCH = {
    "name": hdrs.IF_NONE_MATCH,
    "in": "header",
    "required": False,
    "description": "The `ETag` of what the caller has.",
    "schema": {"type": "string"},
    "example": _TAG,
}
_HEADERS: Mapping[int, Json] = {
    303: {hdrs.LOCATION: _header("The page.", "/users/42")},
    304: _ETAG,
    401: {hdrs.WWW_AUTHENTICATE: _header("How to authenticate.", "Bearer")},
    415: {
        hdrs.ACCEPT_ENCODING: _header(
            "identity, where the body was compressed.", "identity", always=False
        )
    },
    429: {hdrs.RETRY_AFTER: _header("In so many seconds.", "3")},
    503: {hdrs.RETRY_AFTER: _header("In so many seconds.", "3", always=False)},
}
_NEXT = _header(
    "Where another page follows: its address, relative to this one.",
    '<?limit=2&before=7>; rel="next"',
    always=False,
)


class _WithoutTitles(GenerateJsonSchema):
    """Titles would only repeat the names of fields."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def describe(routes: Iterable[Route], version: str, *, reads_need_token: bool) -> str:
    """The document as text. `reads_need_token`: a read token is configured."""
    routes = tuple(routes)
    schemas = _schemas(routes)
    paths: dict[str, Json] = {}
    for route in routes:
        operation = _operation(route, schemas, reads_need_token=reads_need_token)
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "conservator",
            "version": version,
            "description": _ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "../"}],
        "tags": [{"name": tag.name.lower(), "description": tag.value} for tag in Tag],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                name: {"type": "http", "scheme": "bearer", "description": text}
                for name, text in _SCHEMES.items()
            },
        },
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n"


def _schemas(routes: Iterable[Route]) -> Json:
    """Every model of answers and bodies once, by name."""
    asked: dict[type[BaseModel], JsonSchemaMode] = {Problem: "serialization"}
    for route in routes:
        for answer in route.answers.values():
            asked.update(dict.fromkeys(_models(answer), "serialization"))
        if route.body is not NoBody:
            asked[route.body] = "validation"
    _, found = models_json_schema(
        list(asked.items()), ref_template=_REFERENCE, schema_generator=_WithoutTitles
    )
    named: Json = found["$defs"]
    return named


def _operation(route: Route, schemas: Json, *, reads_need_token: bool) -> Json:
    summary, _, rest = (inspect.getdoc(route.handler) or "").partition("\n\n")
    first, *others = route.handler.__name__.split("_")
    security: list[Json] = []
    if route.access is not Access.PUBLIC:
        security = [{f"{role}Token": []} for role in ALLOWED[route.access]]
    if route.access is Access.READ and not reads_need_token:
        security.insert(0, {})
    written: Json = {
        "operationId": first + "".join(word.capitalize() for word in others),
        "tags": [route.tag.name.lower()],
        "summary": summary.rstrip("."),
        "description": rest.replace("\n", " "),
        "security": security,
    }
    parameters = _parameters(route)
    if parameters:
        written["parameters"] = parameters
    if route.body is not NoBody:
        values = route.body.EXAMPLES or {"example": _example(schemas[route.body.__name__], schemas)}
        examples = {name: {"value": value} for name, value in values.items()}
        written["requestBody"] = {
            "description": (inspect.getdoc(route.body) or "").replace("\n", " "),
            "required": not route.body.MAY_BE_EMPTY,
            "content": {JSON: {"schema": _reference(route.body), "examples": examples}},
        }
    written["responses"] = _responses(route, schemas)
    return written


def _parameters(route: Route) -> list[Json]:
    found = route.parameters.model_json_schema(schema_generator=_WithoutTitles)
    written = []
    for name, described in found.get("properties", {}).items():
        in_path = f"{{{name}}}" in route.path
        schema = {key: value for key, value in described.items() if key != "description"}
        # Null only stands for what is left out.
        schema.update(schema.pop("anyOf", [{}])[0])
        if schema.get("default", ...) is None:
            del schema["default"]
        examples = schema.pop("examples", [])
        one = {
            "name": name,
            "in": "path" if in_path else "query",
            "required": in_path,
            "description": described["description"],
            "schema": schema,
        }
        written.append({**one, "example": examples[0]} if examples else one)
    return [*written, _IF_NONE_MATCH] if route.has_etag else written


def _responses(route: Route, schemas: Json) -> Json:
    codes: dict[int, list[str]] = {}
    for code in route.error_codes():
        codes.setdefault(CODES[code].status, []).append(code)
    statuses = {*route.answers, *codes, *({304} if route.has_etag else ())}
    return {
        str(status): _error(route, status, codes[status], schemas)
        if status in codes
        else _reply(route, status, schemas)
        for status in sorted(statuses)
    }


def _error(route: Route, status: int, codes: list[str], schemas: Json) -> Json:
    model = route.answers.get(status, Problem)
    told = ", ".join(f"`{code}`" for code in codes)
    base = _example(schemas[model.__name__], schemas)
    examples = {
        code: {"value": {**base, "error": {"code": code, "message": CODES[code].example}}}
        for code in codes
    }
    written = {
        "description": f"{_STATUSES[status]} Codes: {told}.",
        "content": {JSON: {"schema": _reference(model), "examples": examples}},
    }
    return {**written, "headers": _HEADERS[status]} if status in _HEADERS else written


def _reply(route: Route, status: int, schemas: Json) -> Json:
    answer, headers = route.answers.get(status, ()), dict(_HEADERS.get(status, {}))
    models = _models(answer)
    description = " ".join((inspect.getdoc(model) or "").replace("\n", " ") for model in models)
    written: Json = {"description": description or _STATUSES.get(status, "As asked.")}
    if models:
        references = [_reference(model) for model in models]
        written["content"] = {
            JSON: {
                "schema": references[0] if len(models) == 1 else {"anyOf": references},
                "examples": {
                    model.__name__: {"value": _example(schemas[model.__name__], schemas)}
                    for model in models
                },
            }
        }
    elif answer:
        written["content"] = {
            media: {"schema": {"type": "object" if media == JSON else "string"}} for media in answer
        }
    if any("next" in model.model_fields for model in models):
        headers[hdrs.LINK] = _NEXT
    if route.has_etag:
        headers.update(_ETAG)
    if headers:
        written["headers"] = headers
    if Accepted in models:
        written["links"] = _link("run", "The run that was started.", "run_id")
    if RunList in models:
        written["links"] = _link("newest", "The newest.", "runs/0/id")
    return written


def _link(name: str, description: str, place: str) -> Json:
    parameters = {"run_id": f"$response.body#/{place}"}
    return {name: {"operationId": "getRun", "description": description, "parameters": parameters}}


def _models(answer: Any) -> tuple[type[Answer], ...]:
    """The models that an entry of `Route.answers` names; none where it names media types."""
    if isinstance(answer, tuple):
        return ()
    return get_args(answer) or (answer,)


def _reference(model: type[BaseModel]) -> Json:
    return {"$ref": _REFERENCE.format(model=model.__name__)}


def _example(schema: Json, schemas: Json) -> Any:
    """A value as this schema describes it."""
    if "$ref" in schema:
        return _example(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    for key in ("examples", "enum"):
        if key in schema:
            return schema[key][0]
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    if "anyOf" in schema:
        return _example(schema["anyOf"][0], schemas)
    match schema["type"]:
        case "object":
            properties = schema.get("properties", {})
            return {name: _example(one, schemas) for name, one in properties.items()}
        case "array":
            return [_example(schema["items"], schemas)]
        case kind:
            return {"string": "…", "boolean": True, "integer": 1, "number": 1.0, "null": None}[kind]
