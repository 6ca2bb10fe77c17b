"""Lets calls in, or refuses and counts them: tokens first, then how often this client has called.

A right token is let in whatever others behind the same address have tried. Guessing is hopeless by
the length of the tokens, not by the limit, which keeps guesses from filling logs and shows them in
the metrics; and a lock that also caught the right token would let anybody behind the app's proxy
lock out the app.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from aiohttp import hdrs, web

from exporters.api.buckets import Buckets, client_of
from exporters.api.errors import ApiError
from exporters.api.tokens import Access, Handler, Keyring, Role, refusal
from exporters.refusals import Refusals, Refused

ROLE = web.RequestKey("role", Role)
"""Who calls; not there before the doorman has looked."""

FAILURES_AT_ONCE = 10
FAILURES_PER_SECOND = 1 / 6
BACKFILLS_PER_MINUTE = 600


class Doorman:
    """Decides about every call before its handler sees it."""

    def __init__(
        self,
        keyring: Keyring,
        refusals: Refusals,
        *,
        backfills_per_minute: int = BACKFILLS_PER_MINUTE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keyring = keyring
        self._refusals = refusals
        self._failures = Buckets(
            at_once=FAILURES_AT_ONCE, per_second=FAILURES_PER_SECOND, clock=clock
        )
        self._backfills = Buckets(
            # A burst of log-ins is usual; a tenth of a minute's worth may come at once.
            at_once=max(1, backfills_per_minute // 10),
            per_second=backfills_per_minute / 60,
            clock=clock,
        )

    def guarded(self, access: Access, handler: Handler) -> Handler:
        """`handler`, for those who may."""

        async def call(request: web.Request) -> web.StreamResponse:
            self.admit(request, access)
            return await handler(request)

        return call

    def admit(self, request: web.Request, access: Access) -> None:
        """Notes who calls. Raises ApiError where they may not, or not so often."""
        tokens = self._keyring.current
        presented = request.headers.get(hdrs.AUTHORIZATION)
        role = request[ROLE] = tokens.role(presented)
        error = refusal(access, role, tokens)
        client = client_of(request.remote)
        if error is not None:
            raise self._refused(error, client, guessed=bool(presented))
        if access is Access.BACKFILL and (wait := self._backfills.take(client)):
            self._refusals.count(Refused.TOO_MANY_BACKFILLS)
            raise _too_many("Too many backfills from this address.", wait)

    def _refused(self, error: ApiError, client: str, *, guessed: bool) -> ApiError:
        if error.status != web.HTTPUnauthorized.status_code:
            self._refusals.count(Refused.FORBIDDEN)
            return error
        if not guessed:
            self._refusals.count(Refused.NO_TOKEN)
            return error
        if wait := self._failures.take(client):
            self._refusals.count(Refused.TOO_MANY_FAILURES)
            return _too_many("Too many unknown tokens from this address.", wait)
        self._refusals.count(Refused.UNKNOWN_TOKEN)
        return error


def _too_many(what: str, wait: float) -> ApiError:
    seconds = max(1, math.ceil(wait))
    return ApiError(
        429,
        "too_many_requests",
        f"{what} Try again in {seconds} s.",
        {hdrs.RETRY_AFTER: str(seconds)},
    )
