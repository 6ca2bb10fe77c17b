"""Who calls, by bearer token, and what they may call."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from aiohttp import hdrs

from exporters.http.errors import CODES, ApiError


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
    return ApiError(
        "unauthorized", CODES["unauthorized"].example, {hdrs.WWW_AUTHENTICATE: "Bearer"}
    )


def _forbidden(message: str) -> ApiError:
    return ApiError("forbidden", message)


def app_only_one_user() -> ApiError:
    """The app's token was used for a backfill of everyone."""
    return _forbidden("The app token may backfill one user; `all` needs the admin token.")
