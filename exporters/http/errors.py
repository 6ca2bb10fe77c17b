"""Exceptions in words: one JSON shape for everything that goes wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping

import structlog
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from checks.errors import BusyError, ConservatorError, DatabaseUnavailableError, RefusedError
from checks.pairs import UnknownUserError
from exporters.http.shapes.base import Fault, Problem
from monitor.state.runs import UnknownRunError

log = structlog.get_logger(__name__)

MAX_BODY_BYTES = 65_536

_HARDENING = {
    hdrs.CACHE_CONTROL: "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""On every response that doesn't say otherwise."""


class ApiError(Exception):
    """Answer with this status, code and sentence."""

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}


def bad_request(message: str, code: str = "bad_request") -> ApiError:
    """The request itself is wrong: 400."""
    return ApiError(400, code, message)


def json_response(
    payload: object, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """`payload` as strict JSON: a number that JSON doesn't have is an error of ours."""
    text = json.dumps(payload, allow_nan=False) + "\n"
    return web.json_response(text=text, status=status, headers=headers)


def error_response(error: ApiError) -> web.Response:
    """The answer to a call that went wrong."""
    payload = Problem(error=Fault(code=error.code, message=error.message))
    return json_response(payload, status=error.status, headers=error.headers)


@web.middleware
async def errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every exception into JSON; what nobody foresaw is logged, and not told."""
    try:
        return await handler(request)
    except ApiError as error:
        return error_response(error)
    except web.HTTPException as error:
        return error_response(_from_http(request, error))
    except web.RequestPayloadError:
        return error_response(bad_request("The body could not be read.", "bad_body"))
    except ConservatorError as error:
        return error_response(_from_ours(request, error))
    except Exception:
        log.exception("request_failed", method=request.method, path=_route(request))
        message = "Something unforeseen went wrong; the service's log says what."
        return error_response(ApiError(500, "internal", message))


def _from_http(request: web.Request, error: web.HTTPException) -> ApiError:
    if isinstance(error, web.HTTPNotFound):
        return ApiError(404, "not_found", "There is nothing at this path.")
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        message = f"{request.method} is not possible here; possible: {allowed}."
        return ApiError(405, "method_not_allowed", message, {hdrs.ALLOW: allowed})
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        message = f"The body is larger than {MAX_BODY_BYTES} bytes."
        return ApiError(413, "body_too_large", message)
    return ApiError(error.status, "http", f"{error.reason}.")


def _from_ours(request: web.Request, error: ConservatorError) -> ApiError:
    if isinstance(error, UnknownUserError | UnknownRunError):
        return ApiError(404, error.code, str(error))
    if isinstance(error, RefusedError):
        return ApiError(409, error.code, str(error))
    if isinstance(error, DatabaseUnavailableError):
        return ApiError(503, error.code, str(error))
    if isinstance(error, BusyError):
        return ApiError(503, error.code, str(error), {hdrs.RETRY_AFTER: "1"})
    log.error("request_failed", path=_route(request), code=error.code, error=str(error))
    return ApiError(500, error.code, str(error))


def _route(request: web.Request) -> str:
    """The route's pattern, without ids."""
    resource = request.match_info.route.resource
    return "" if resource is None else resource.canonical


async def harden(request: web.Request, response: web.StreamResponse) -> None:
    """Complete the headers of a response that goes out."""
    complete(response)
    if request.secure:
        response.headers.setdefault(hdrs.STRICT_TRANSPORT_SECURITY, "max-age=31536000")


def complete(response: web.StreamResponse) -> None:
    """Nothing is stored, framed, sniffed or run."""
    for name, value in _HARDENING.items():
        response.headers.setdefault(name, value)
    response.headers[hdrs.SERVER] = "conservator"
