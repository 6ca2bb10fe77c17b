"""Who calls, by bearer token, what they may call, and how often they may be wrong or backfill.

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
import hmac
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from aiohttp import hdrs, web

from exporters.http.errors import CODES, ApiError
from exporters.http.limits import RateLimiter, Reason, RefusedCalls, client_of
from exporters.prometheus import Clock

MAX_FAILURES = 20
FAILURES_PER_SECOND = 1 / 3
SECONDS_PER_MINUTE = 60.0
BASIC_CHALLENGE = 'Basic realm="conservator", charset="UTF-8"'


class Role(StrEnum):
    """Who calls."""

    ADMIN = "admin"
    APP = "app"
    ALERT = "alert"
    READ = "read"
    STRANGER = "stranger"
    """No token, or none that is known."""


class Access(StrEnum):
    """What a route asks of its callers."""

    PUBLIC = "public"
    READ = "read"
    BACKFILL = "backfill"
    """The per-user backfill: the app's token will do."""
    ALERT = "alert"
    """Alertmanager's webhook: the alert token will do."""
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Tokens:
    """The configured tokens. None and the empty text: there is no such token."""

    admin: str | None = field(default=None, repr=False)
    app: str | None = field(default=None, repr=False)
    alert: str | None = field(default=None, repr=False)
    read: str | None = field(default=None, repr=False)

    def role(self, authorization: str | None) -> Role:
        """Whose token an Authorization header carries; the mightiest where tokens are equal."""
        scheme, _, presented = (authorization or "").partition(" ")
        if scheme.lower() != "bearer":
            return Role.STRANGER
        given = _bytes(presented.strip())
        known = (
            (Role.ADMIN, self.admin),
            (Role.APP, self.app),
            (Role.ALERT, self.alert),
            (Role.READ, self.read),
        )
        # Every token is compared, so that the time taken doesn't say which one came close.
        matching = [
            role for role, token in known if token and hmac.compare_digest(_bytes(token), given)
        ]
        return matching[0] if matching else Role.STRANGER


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


ALLOWED: Mapping[Access, tuple[Role, ...]] = {
    Access.PUBLIC: tuple(Role),
    Access.READ: (Role.READ, Role.APP, Role.ADMIN),
    Access.BACKFILL: (Role.APP, Role.ADMIN),
    Access.ALERT: (Role.ALERT, Role.ADMIN),
    Access.ADMIN: (Role.ADMIN,),
}
"""Whose tokens open what; reads are open to strangers, too, where no read token is configured."""
_NO_ALERT_TOKEN = (
    "No alert token is configured, so no alert can be handed in. Set server.alert_token, or"
    " server.alert_token_file, and restart."
)
_NO_ADMIN_TOKEN = (
    "No admin token is configured, so nothing can be changed over HTTP. Set"
    " server.admin_token, or the variable CONSERVATOR_ADMIN_TOKEN, and restart."
)


def refusal(access: Access, role: Role, tokens: Tokens) -> ApiError | None:
    """Why `role` may not call a route that asks for `access`, or None."""
    if role in ALLOWED[access]:
        return None
    if access is Access.ALERT:
        if not tokens.alert and not tokens.admin:
            return _forbidden(_NO_ALERT_TOKEN)
        others = "the alert token and the admin's may"
    elif role is Role.ALERT:
        return _forbidden("The alert token may only call /api/alerts.")
    elif access is Access.READ:
        return _unauthorized() if tokens.read else None
    elif not tokens.admin:
        return _forbidden(_NO_ADMIN_TOKEN)
    else:
        others = "the admin token may"
    if role is Role.STRANGER:
        return _unauthorized()
    return _forbidden(f"The {role} token may not do this; {others}.")


def _unauthorized() -> ApiError:
    challenge: dict[str, str] = {hdrs.WWW_AUTHENTICATE: "Bearer"}
    return ApiError("unauthorized", CODES["unauthorized"].example, challenge)


def _forbidden(message: str) -> ApiError:
    return ApiError("forbidden", message)


def app_only_one_user() -> ApiError:
    """The app's token was used for a backfill of everyone."""
    return _forbidden("The app token may backfill one user; `all` needs the admin token.")


ROLE = web.RequestKey("role", Role)
_ADMITTED = web.RequestKey("admitted", tuple[Access, str | None])
"""What for, and by which Authorization header."""


class Authorizer:
    """Lets calls in. `tokens` may be replaced while it is at work."""

    def __init__(self, tokens: Tokens, *, clock: Clock, backfills_a_minute: int | None) -> None:
        """`backfills_a_minute`: of one client with one kind of token; None: any number."""
        self.tokens = tokens
        self.refused = RefusedCalls()
        self._clock = clock
        self._failures = RateLimiter(burst=MAX_FAILURES, per_second=FAILURES_PER_SECOND)
        self._backfills: RateLimiter | None = None
        if backfills_a_minute is not None:
            per_second = backfills_a_minute / SECONDS_PER_MINUTE
            self._backfills = RateLimiter(burst=backfills_a_minute, per_second=per_second)

    def admit(self, request: web.Request, access: Access) -> None:
        """Let a call in, where it may be made. Raises ApiError 401, 403, 429."""
        authorization = _authorization(request)
        role, client = self.tokens.role(authorization), client_of(request.remote)
        request[ROLE], request[_ADMITTED] = role, (access, authorization)
        # Whoever asks whether it is alive is always told.
        guesses = authorization is not None and role is Role.STRANGER
        if guesses and access is not Access.PUBLIC:
            self._limit(self._failures, client, Reason.TOO_MANY_FAILURES, "wrong tokens")
        error = refusal(access, role, self.tokens)
        if error is not None:
            self._count_refusal(error, authorization)
            if error.code == "unauthorized" and navigates(request):
                # Programs know what they need, and no dialog of the browser's must come over the
                # page's own.
                error.headers = {hdrs.WWW_AUTHENTICATE: BASIC_CHALLENGE}
            raise error
        if access is Access.BACKFILL and self._backfills is not None:
            who = (client, role)
            self._limit(self._backfills, who, Reason.TOO_MANY_BACKFILLS, "backfills")

    def still_admits(self, request: web.Request) -> bool:
        """Whether a call that was let in would be now: tokens may have been replaced."""
        access, authorization = request[_ADMITTED]
        return refusal(access, self.tokens.role(authorization), self.tokens) is None

    def _count_refusal(self, error: ApiError, authorization: str | None) -> None:
        reason = Reason.FORBIDDEN
        if error.code == "unauthorized":
            reason = Reason.NO_TOKEN if authorization is None else Reason.WRONG_TOKEN
        self.refused.counts[reason] += 1

    def _limit(self, limiter: RateLimiter, who: Hashable, reason: Reason, what: str) -> None:
        wait = limiter.take(who, self._clock())
        if wait:
            self.refused.counts[reason] += 1
            sentence = f"Too many {what} from this client: try again in {wait} s."
            raise ApiError(reason.value, sentence, {hdrs.RETRY_AFTER: str(wait)})


AUTHORIZER = web.AppKey("authorizer", Authorizer)


def navigates(request: web.Request) -> bool:
    """Whether a browser goes there, and neither a script nor a program asks."""
    return request.method in (hdrs.METH_GET, hdrs.METH_HEAD) and "text/html" in request.headers.get(
        hdrs.ACCEPT, ""
    )


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
