"""All of it -> one document."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from exporters.http.openapi.calls import CALLS
from exporters.http.openapi.parts import JSON, Body, Call, Header, Parameter, Reply, Where
from exporters.http.openapi.replies import refusals
from exporters.http.openapi.schemas import Schemas
from exporters.http.tokens import Access

Json = dict[str, Any]
Routes = Iterable[tuple[str, str, Access]]
"""Method, path, who may call."""

_ABOUT = """\
Finds artworks that an app will show again for ever because their impression is missing, and repairs
them.

Errors are JSON with a code for programs and a sentence for people; a browser that navigates
(`Accept` names text/html) gets the sentence as a page. Where reads need a token, a browser may give
it as the password of HTTP Basic, with GET and HEAD only. Every GET answers HEAD likewise. A
parameter or field that is not known is refused, so that a misspelt one is not overlooked; answers
may get new fields. Every answer carries an `X-Request-ID`, the caller's own where it sent one; the
service's log names it. Nothing is to be cached unless it has an `ETag`. Moments are ISO 8601 in
UTC, durations seconds, ids text."""

_SCHEMES = {
    "adminToken": "`server.admin_token`: may do everything. Not configured: nothing can be changed"
    " over HTTP.",
    "appToken": "`server.app_token`, for the app's own backend: reads, and backfills one user.",
    "alertToken": "`server.alert_token`, for Alertmanager: hands alerts in and nothing else.",
    "readToken": "`server.read_token`: reads. Where it is configured, reads need a token.",
}
_MAY: Mapping[Access, tuple[str, ...]] = {
    Access.PUBLIC: (),
    Access.READ: ("readToken", "appToken", "adminToken"),
    Access.BACKFILL: ("appToken", "adminToken"),
    Access.ALERT: ("alertToken", "adminToken"),
    Access.ADMIN: ("adminToken",),
}
_TAGS = {
    "artworks": "Counts and backfills.",
    "checks": "Is the data right, and is the counting?",
    "runs": "What was healed, and taking it back.",
    "healing": "Decision, kill switch, breaker.",
    "alerts": "What Alertmanager tells.",
    "service": "The service itself.",
    "pages": "For people.",
}


def describe(routes: Routes, version: str, *, reads_need_token: bool) -> str:
    """The document as text. `reads_need_token`: a read token is configured."""
    writer = _Writer(reads_need_token=reads_need_token)
    paths: dict[str, Json] = {}
    for method, path, access in routes:
        call = CALLS[method, path]
        paths.setdefault(path, {})[method.lower()] = writer.operation(call, access)
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "conservator",
            "version": version,
            "description": _ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": writer.schemas.named,
            "securitySchemes": {
                name: {"type": "http", "scheme": "bearer", "description": text}
                for name, text in _SCHEMES.items()
            },
        },
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n"


class _Writer:
    def __init__(self, *, reads_need_token: bool) -> None:
        self._reads_need_token = reads_need_token
        replies = [reply for call in CALLS.values() for reply in call.replies]
        replies += [reply for access in Access for reply in refusals(access)]
        self.schemas = Schemas(
            (reply.shape for reply in replies if reply.shape is not None),
            (call.body.model for call in CALLS.values() if call.body is not None),
        )

    def operation(self, call: Call, access: Access) -> Json:
        """One method of one path."""
        replies = sorted((*call.replies, *refusals(access)), key=lambda reply: reply.status)
        written: Json = {
            "operationId": call.operation,
            "tags": [call.tag.value],
            "summary": call.summary,
            "description": call.description,
            "security": self._security(access),
        }
        if call.parameters:
            written["parameters"] = [_parameter(one) for one in call.parameters]
        if call.body is not None:
            written["requestBody"] = self._body(call.body)
        written["responses"] = {str(reply.status): self._reply(reply) for reply in replies}
        return written

    def _security(self, access: Access) -> list[Json]:
        schemes: list[Json] = [{name: []} for name in _MAY[access]]
        open_to_all = access is Access.READ and not self._reads_need_token
        return [{}, *schemes] if open_to_all else schemes

    def _body(self, body: Body) -> Json:
        content = {"schema": self.schemas.of(body.model), "examples": _examples(body.examples)}
        return {
            "description": body.description,
            "required": body.required,
            "content": {JSON: content},
        }

    def _reply(self, reply: Reply) -> Json:
        codes = ", ".join(f"`{code}`" for code in reply.codes)
        written: Json = {"description": reply.description + (f" Codes: {codes}." if codes else "")}
        if reply.headers:
            written["headers"] = {header.name: _header(header) for header in reply.headers}
        if reply.media:
            written["content"] = {media: self._content(reply, media) for media in reply.media}
        if reply.links:
            written["links"] = {
                link.name: {
                    "operationId": link.operation,
                    "description": link.description,
                    "parameters": dict(link.parameters),
                }
                for link in reply.links
            }
        return written

    def _content(self, reply: Reply, media: str) -> Json:
        if media != JSON or reply.shape is None:
            return {"schema": {"type": "string"}}
        schema, examples = self.schemas.of(reply.shape), _examples(reply.examples)
        return {"schema": schema, "examples": examples} if examples else {"schema": schema}


def _examples(examples: Mapping[str, object]) -> Json:
    return {name: {"value": value} for name, value in examples.items()}


def _parameter(one: Parameter) -> Json:
    written: Json = {
        "name": one.name,
        "in": one.where.value,
        "required": one.where is Where.PATH,
        "description": one.description,
        "schema": dict(one.schema),
    }
    return written if one.example is None else {**written, "example": one.example}


def _header(header: Header) -> Json:
    return {
        "description": header.description,
        "required": header.always,
        "schema": {"type": "string"},
        "example": header.example,
    }
