"""What a route is, and how a request becomes a call and an answer a response."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Generic, TypeVar, get_args, get_type_hints

from aiohttp import hdrs, web
from prometheus_client import CollectorRegistry

from exporters.http.auth import AUTHORIZER, ROLE, Access, Role
from exporters.http.parsing import json_response, parse_body, parse_parameters
from exporters.http.requests import (
    AnyParameters,
    Body,
    NoBody,
    NoParameters,
    Parameters,
)
from exporters.http.responses import Answer
from exporters.page.state import PageState
from exporters.prometheus import Clock
from monitor.commands import Commands
from monitor.status import StatusBoard

_PARAMETER = re.compile(r"{(\w+)}")
P = TypeVar("P", bound=Parameters)
B = TypeVar("B", bound=Body)
HTML = ("text/html",)


@dataclass(frozen=True, slots=True)
class Context:
    """What the handlers share: the snapshot to show, the service to ask."""

    board: StatusBoard
    commands: Commands
    registry: CollectorRegistry
    observe: bool
    clock: Clock
    page: PageState
    routes: tuple[Route, ...]


CONTEXT = web.AppKey("context", Context)


@dataclass(frozen=True, slots=True)
class Call(Generic[P, B]):
    """One request of somebody who may, as far as it could be read."""

    request: web.Request
    parameters: P
    body: B

    @property
    def context(self) -> Context:
        """The application's."""
        return self.request.app[CONTEXT]

    @property
    def role(self) -> Role:
        """Whose token came with it."""
        return self.request[ROLE]


PlainCall = Call[NoParameters, NoBody]
ProbeCall = Call[AnyParameters, NoBody]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with another status than 200, or with headers."""

    answer: Answer
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Replied = Answer | Reply | web.StreamResponse


class Tag(Enum):
    """What a call is about; in the published description its name and this sentence."""

    ARTWORKS = "Counts and backfills."
    CHECKS = "Is the data right, and is the counting?"
    RUNS = "What was healed, and taking it back."
    HEALING = "Decision, kill switch, breaker."
    REPAIRS = "What else is mended, and starting it."
    ALERTS = "What Alertmanager tells."
    SERVICE = "The service itself."
    PAGES = "For people."


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """One call. Who may make it, what it takes, answers and refuses follow from here.

    What it takes stands in the handler's annotation, Call[parameters, body]; name and docstring of
    the handler are those of the published description.
    """

    method: str
    path: str
    access: Access
    handler: Callable[[Any], Awaitable[Replied]]
    tag: Tag
    answers: Mapping[int, Any]
    """Status -> a model or a union of them; or media types, of which () means no body."""
    errors: tuple[str, ...] = ()
    """Codes beside those that follow from access, parameters, body and database."""
    touches_database: bool = False
    has_etag: bool = False
    """Who has the newest version is told so with 304."""
    parameters: type[Parameters] = field(init=False)
    body: type[Body] = field(init=False)

    def __post_init__(self) -> None:
        [call, *_] = get_type_hints(self.handler).values()
        parameters, body = get_args(call)
        object.__setattr__(self, "parameters", parameters)
        object.__setattr__(self, "body", body)

    def error_codes(self) -> tuple[str, ...]:
        """Every code that an answer of this call may have."""
        codes = ["bad_http", "internal", *self.errors]
        if self.access is not Access.PUBLIC:
            codes += ["unauthorized", "forbidden", "too_many_failures"]
        if self.access is Access.BACKFILL:
            codes += ["too_many_backfills"]
        if self.parameters is not AnyParameters:
            codes += ["bad_request"]
        if self.body is not NoBody:
            codes += ["bad_request", "bad_json", "bad_body", "body_too_slow", "body_too_large"]
            codes += ["unsupported_media_type"]
        if self.touches_database:
            codes += ["statement", "catalogue", "error", "database_unavailable", "busy"]
        return tuple(dict.fromkeys(codes))


def add_route(app: web.Application, route: Route) -> None:
    """Have `app` serve it; a GET answers HEAD likewise."""

    async def serve(request: web.Request) -> web.StreamResponse:
        request.app[AUTHORIZER].admit(request, route.access)
        parameters = parse_parameters(route.parameters, request)
        body = await parse_body(route.body, request)
        return _respond(await route.handler(Call(request, parameters, body)))

    # aiohttp's own pattern leaves out braces, which ids may hold.
    path = _PARAMETER.sub(r"{\1:[^/]+}", route.path)
    app.router.add_route(route.method, path, serve)
    if route.method == hdrs.METH_GET:
        app.router.add_route(hdrs.METH_HEAD, path, serve)


def _respond(replied: Replied) -> web.StreamResponse:
    if isinstance(replied, web.StreamResponse):
        return replied
    reply = replied if isinstance(replied, Reply) else Reply(replied)
    payload = reply.answer.model_dump(mode="json")
    return json_response(payload, status=reply.status, headers=reply.headers)
