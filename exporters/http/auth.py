"""Who is let in: tokens, the limits on wrong tokens and on backfills, and what was refused.

The right token is let in whatever others behind the same address did: a token of 16 characters and
more is not found by trying, so that locking its holder out would only help whoever wants that. Who
fails too often is told so, and no longer why.

A browser can't send a bearer token when it navigates. With a read token configured it asks for a
password, and any token that may read will do, whatever the user name. It counts for reading and
nothing more: calls that change something take a bearer token only, which no other site can make a
browser send.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable, Iterator
from enum import StrEnum

from aiohttp import hdrs, web
from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from checks.errors import BusyError
from exporters.http.errors import ApiError
from exporters.http.rate_limits import RateLimiter, client_of
from exporters.http.tokens import Access, Role, Tokens, refusal
from exporters.prometheus import Clock
from exporters.prometheus.build import PREFIX

MAX_FAILURES = 20
FAILURES_PER_SECOND = 1 / 3
SECONDS_PER_MINUTE = 60.0
BASIC_CHALLENGE = 'Basic realm="conservator", charset="UTF-8"'
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

ROLE = web.RequestKey("role", Role)
_ADMITTED = web.RequestKey("admitted", tuple[Access, str | None])
"""What for, and by which Authorization header."""


class Reason(StrEnum):
    """Why a call was turned away."""

    NO_TOKEN = "no_token"
    WRONG_TOKEN = "wrong_token"
    FORBIDDEN = "forbidden"
    TOO_MANY_FAILURES = "too_many_failures"
    TOO_MANY_BACKFILLS = "too_many_backfills"
    TOO_MANY_CONNECTIONS = "too_many_connections"
    BUSY = "busy"


class RefusedCalls(Collector):
    """How many calls were turned away by this process, by reason."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys(Reason, 0)

    def collect(self) -> Iterator[Metric]:
        """One total for each reason, from the start."""
        family = CounterMetricFamily(
            PREFIX + "http_refused_total",
            "Calls that this process turned away, by reason.",
            labels=("reason",),
        )
        for reason, count in self.counts.items():
            family.add_metric((reason.value,), count)
        yield family


class Authorizer:
    """Lets calls in. `tokens` may be replaced while it is at work."""

    def __init__(self, tokens: Tokens, *, clock: Clock, backfills_a_minute: int | None) -> None:
        """`backfills_a_minute`: of one client with one kind of token; None: any number."""
        self.tokens = tokens
        self.refused = RefusedCalls()
        self._clock = clock
        self._failures = RateLimiter(burst=MAX_FAILURES, per_second=FAILURES_PER_SECOND)
        self._backfills = (
            None
            if backfills_a_minute is None
            else RateLimiter(
                burst=backfills_a_minute, per_second=backfills_a_minute / SECONDS_PER_MINUTE
            )
        )

    def admit(self, request: web.Request, access: Access) -> Role:
        """Whose call this is, where it may be made. Raises ApiError 401, 403, 429."""
        authorization = _authorization(request)
        role = self.tokens.role(authorization)
        request[ROLE], request[_ADMITTED] = role, (access, authorization)
        # Whoever asks whether it is alive is always told.
        guesses = authorization is not None and role is Role.STRANGER
        if guesses and access is not Access.PUBLIC:
            self._count_failure(request)
        error = refusal(access, role, self.tokens)
        if error is not None:
            self.count_refusal(_reason(error, authorization))
            raise _with_challenge(request, error)
        if access is Access.BACKFILL and self._backfills is not None:
            wait = self._backfills.take((client_of(request.remote), role), self._clock())
            if wait:
                self.count_refusal(Reason.TOO_MANY_BACKFILLS)
                raise _try_later("too_many_backfills", "Too many backfills from this client", wait)
        return role

    def still_admits(self, request: web.Request) -> bool:
        """Whether a call that was let in would be now: tokens may have been replaced."""
        access, authorization = request[_ADMITTED]
        return refusal(access, self.tokens.role(authorization), self.tokens) is None

    def count_refusal(self, reason: Reason) -> None:
        """Count a call that was turned away."""
        self.refused.counts[reason] += 1

    def _count_failure(self, request: web.Request) -> None:
        wait = self._failures.take(client_of(request.remote), self._clock())
        if wait:
            self.count_refusal(Reason.TOO_MANY_FAILURES)
            raise _try_later("too_many_failures", "Too many wrong tokens from this client", wait)


AUTHORIZER = web.AppKey("authorizer", Authorizer)


def requires(access: Access, handler: Handler) -> Handler:
    """`handler`, for those who may."""

    async def call(request: web.Request) -> web.StreamResponse:
        authorizer = request.app[AUTHORIZER]
        authorizer.admit(request, access)
        try:
            return await handler(request)
        except BusyError:
            authorizer.count_refusal(Reason.BUSY)
            raise

    return call


def navigates(request: web.Request) -> bool:
    """Whether a browser goes there, and neither a script nor a program asks."""
    return request.method in (hdrs.METH_GET, hdrs.METH_HEAD) and "text/html" in request.headers.get(
        hdrs.ACCEPT, ""
    )


def _reason(error: ApiError, authorization: str | None) -> Reason:
    if error.status != web.HTTPUnauthorized.status_code:
        return Reason.FORBIDDEN
    return Reason.NO_TOKEN if authorization is None else Reason.WRONG_TOKEN


def _try_later(code: str, what: str, wait: int) -> ApiError:
    return ApiError(code, f"{what}: try again in {wait} s.", {hdrs.RETRY_AFTER: str(wait)})


def _with_challenge(request: web.Request, error: ApiError) -> ApiError:
    """Have a browser that navigates ask for the password. Programs know what they need, and no
    dialog of the browser's must come over the page's own."""
    if error.status == web.HTTPUnauthorized.status_code and navigates(request):
        error.headers = {**error.headers, hdrs.WWW_AUTHENTICATE: BASIC_CHALLENGE}
    return error


def _authorization(request: web.Request) -> str | None:
    """The Authorization header; a password of who reads as the bearer token that it is."""
    header = request.headers.get(hdrs.AUTHORIZATION)
    if header is None or request.method not in (hdrs.METH_GET, hdrs.METH_HEAD):
        return header
    password = _password(header)
    return header if password is None else f"Bearer {password}"


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
