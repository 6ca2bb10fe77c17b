"""Around every request: its id, its line in the access log, and the answer to what goes wrong.

No line of the access log holds a token, a query or a body. An error is JSON; a browser that
navigates gets the same sentence as a page, but never from a call of the API.
"""

from __future__ import annotations

import re
import time
import uuid

import structlog
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from checks.errors import (
    BusyError,
    ConservatorError,
    DatabaseUnavailableError,
    RefusedError,
    UnknownUserError,
)
from exporters.http.auth import AUTHORIZER, ROLE, Role, navigates
from exporters.http.errors import CODES, ApiError
from exporters.http.limits import Reason
from exporters.http.parsing import json_response
from exporters.page.views import STATIC_POLICY, error_page
from monitor.state.runs import UnknownRunError

log = structlog.get_logger(__name__)

REQUEST_ID = "X-Request-ID"
QUIET_ROUTES = frozenset({"/metrics", "/healthz", "/readyz", "/static/{name}"})
"""Asked for all the time: their lines are for who debugs."""
_PROXY_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""Ids that a proxy before us may have given; others are replaced."""
_ID = web.RequestKey("request_id", str)
_STATUSES: tuple[tuple[type[ConservatorError], int], ...] = (
    (UnknownUserError, 404),
    (UnknownRunError, 404),
    (RefusedError, 409),
    (DatabaseUnavailableError, 503),
    (BusyError, 503),
)
"""Of our errors; any other is 500, and logged."""


@web.middleware
async def access_log_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request an id, and log it once it is answered."""
    given = request.headers.get(REQUEST_ID, "")
    request_id = given if _PROXY_ID.fullmatch(given) else uuid.uuid4().hex
    request[_ID] = request_id
    started = time.perf_counter()
    status, size = 0, 0
    with structlog.contextvars.bound_contextvars(request_id=request_id):
        try:
            response = await handler(request)
            status, size = response.status, response.body_length if response.prepared else 0
            if not response.prepared:
                body = getattr(response, "body", None)
                size = len(body) if isinstance(body, bytes) else 0
            return response
        finally:
            _log_request(request, status, size, time.perf_counter() - started)


async def send_request_id(request: web.Request, response: web.StreamResponse) -> None:
    """Put the id into the answer's headers."""
    request_id = request.get(_ID)
    if request_id is not None:
        response.headers[REQUEST_ID] = request_id


def log_unreadable_request(
    response: web.Response, error: BaseException | None, client: str | None
) -> None:
    """Id and line of what could not be read, of which nothing is repeated."""
    request_id = response.headers[REQUEST_ID] = uuid.uuid4().hex
    with structlog.contextvars.bound_contextvars(request_id=request_id):
        log.info("request_unreadable", error=type(error).__name__, client=client)
        log.info(
            "request",
            method="other",
            route="unknown",
            status=response.status,
            seconds=0.0,
            bytes=response.content_length or 0,
            client=client,
            role=Role.STRANGER.value,
        )


def _log_request(request: web.Request, status: int, size: int, seconds: float) -> None:
    route = route_of(request)
    failed = status >= web.HTTPInternalServerError.status_code
    write = log.debug if route in QUIET_ROUTES and not failed else log.info
    write(
        "request",
        method=request.method if request.method in hdrs.METH_ALL else "other",
        route=route or "unknown",
        status=status or None,  # None: the client went away before the answer
        seconds=round(seconds, 4),
        bytes=size,
        client=request.remote,
        role=request.get(ROLE, Role.STRANGER).value,
    )


def error_response(error: ApiError) -> web.Response:
    """The answer to a call that went wrong."""
    payload = {**error.fields, "error": {"code": error.code, "message": error.message}}
    return json_response(payload, status=error.status, headers=error.headers)


@web.middleware
async def errors_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer whatever goes wrong; what nobody foresaw is logged, and not told."""
    try:
        return await handler(request)
    except Exception as raised:
        error = _api_error(request, raised)
    if request.path.startswith("/api/") or not navigates(request):
        return error_response(error)
    folders = request.rel_url.raw_path.count("/") - 1
    return web.Response(
        text=error_page(error.status, error.message, folders=folders),
        status=error.status,
        content_type="text/html",
        headers={**error.headers, "Content-Security-Policy": STATIC_POLICY},
    )


def _api_error(request: web.Request, raised: Exception) -> ApiError:
    match raised:
        case ApiError():
            return raised
        case web.HTTPException():
            return _from_http(request, raised)
        case web.RequestPayloadError():
            return ApiError("bad_body", CODES["bad_body"].example)
        case ConservatorError():
            return _from_ours(request, raised)
    log.error("request_failed", method=request.method, path=route_of(request), exc_info=raised)
    return ApiError("internal", CODES["internal"].example)


def _from_http(request: web.Request, error: web.HTTPException) -> ApiError:
    if isinstance(error, web.HTTPNotFound):
        return ApiError("not_found", "There is nothing at this path.")
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        message = f"{request.method} is not possible here; possible: {allowed}."
        return ApiError("method_not_allowed", message, {hdrs.ALLOW: allowed})
    return ApiError("http", f"{error.reason}.", status=error.status)


def _from_ours(request: web.Request, error: ConservatorError) -> ApiError:
    status = next((status for kind, status in _STATUSES if isinstance(error, kind)), None)
    if status is None:
        log.error("request_failed", path=route_of(request), code=error.code, error=str(error))
        return ApiError(error.code, str(error), status=500)
    if not isinstance(error, BusyError):
        return ApiError(error.code, str(error), status=status)
    request.app[AUTHORIZER].refused.counts[Reason.BUSY] += 1
    return ApiError(error.code, str(error), {hdrs.RETRY_AFTER: "1"}, status=status)


def route_of(request: web.Request) -> str:
    """The route as it stands in the table: an id in the path is nobody's business."""
    resource = request.match_info.route.resource
    return "" if resource is None else resource.canonical
