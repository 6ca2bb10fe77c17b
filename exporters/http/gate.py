"""Who is let in: tokens, the limits on failed attempts and on backfills, and what was refused.

The right token is let in whatever others behind the same address did: a token of 16 characters and
more is not found by trying, so that locking its holder out would only help whoever wants that. Who
fails too often is told so, and no longer why.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from enum import StrEnum

from aiohttp import hdrs, web
from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from checks.errors import BusyError
from exporters.families.build import PREFIX
from exporters.http import basic
from exporters.http.errors import ApiError
from exporters.http.rates import Rates, client_of
from exporters.http.tokens import Access, Role, Tokens, refusal
from exporters.prometheus import Clock

FAILURES_AT_ONCE = 20
FAILURES_A_SECOND = 1 / 3
SECONDS_A_MINUTE = 60.0
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

ROLE = web.RequestKey("role", Role)
_ADMITTED = web.RequestKey("admitted", tuple[Access, str | None])
"""Where to, and by which Authorization header."""


class Reason(StrEnum):
    """Why a call was turned away."""

    NO_TOKEN = "no_token"
    WRONG_TOKEN = "wrong_token"
    FORBIDDEN = "forbidden"
    TOO_MANY_FAILURES = "too_many_failures"
    TOO_MANY_BACKFILLS = "too_many_backfills"
    TOO_MANY_CONNECTIONS = "too_many_connections"
    BUSY = "busy"


class Refused(Collector):
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


class Gate:
    """Lets calls in. `tokens` may be replaced while it is at work."""

    def __init__(self, tokens: Tokens, *, clock: Clock, backfills_a_minute: int | None) -> None:
        """`backfills_a_minute`: of one client with one kind of token; None: any number."""
        self.tokens = tokens
        self.refused = Refused()
        self._clock = clock
        self._failures = Rates(burst=FAILURES_AT_ONCE, per_second=FAILURES_A_SECOND)
        self._backfills = (
            None
            if backfills_a_minute is None
            else Rates(burst=backfills_a_minute, per_second=backfills_a_minute / SECONDS_A_MINUTE)
        )

    def admit(self, request: web.Request, access: Access, authorization: str | None) -> Role:
        """Whose call this is, where it may be made. Raises ApiError 401, 403, 429."""
        role = self.tokens.role(authorization)
        request[ROLE], request[_ADMITTED] = role, (access, authorization)
        # Whoever asks whether it is alive is always told.
        guesses = authorization is not None and role is Role.STRANGER
        if guesses and access is not Access.PUBLIC:
            self._fail(request)
        error = refusal(access, role, self.tokens)
        if error is not None:
            self.turned_away(_why(error, authorization))
            raise error
        if access is Access.BACKFILL and self._backfills is not None:
            wait = self._backfills.take((client_of(request.remote), role), self._clock())
            if wait:
                self.turned_away(Reason.TOO_MANY_BACKFILLS)
                raise _later("too_many_backfills", "Too many backfills from this client", wait)
        return role

    def still_admits(self, request: web.Request) -> bool:
        """Whether a call that was let in would be now: tokens may have been replaced."""
        access, authorization = request[_ADMITTED]
        return refusal(access, self.tokens.role(authorization), self.tokens) is None

    def _fail(self, request: web.Request) -> None:
        wait = self._failures.take(client_of(request.remote), self._clock())
        if wait:
            self.turned_away(Reason.TOO_MANY_FAILURES)
            raise _later("too_many_failures", "Too many wrong tokens from this client", wait)

    def turned_away(self, reason: Reason) -> None:
        """Count a call that was turned away."""
        self.refused.counts[reason] += 1


def _why(error: ApiError, authorization: str | None) -> Reason:
    if error.status != web.HTTPUnauthorized.status_code:
        return Reason.FORBIDDEN
    return Reason.NO_TOKEN if authorization is None else Reason.WRONG_TOKEN


def _later(code: str, what: str, wait: int) -> ApiError:
    return ApiError(
        web.HTTPTooManyRequests.status_code,
        code,
        f"{what}: try again in {wait} s.",
        {hdrs.RETRY_AFTER: str(wait)},
    )


GATE = web.AppKey("gate", Gate)


def guarded(access: Access, handler: Handler) -> Handler:
    """`handler`, for those who may."""

    async def call(request: web.Request) -> web.StreamResponse:
        gate = request.app[GATE]
        try:
            gate.admit(request, access, basic.authorization(request))
        except ApiError as error:
            basic.ask(request, error)
            raise
        try:
            return await handler(request)
        except BusyError:
            gate.turned_away(Reason.BUSY)
            raise

    return call
