"""Who calls: every token, and none."""

from __future__ import annotations

from dataclasses import dataclass

from tests.support.commands import ADMIN_TOKEN

TOKENS = {
    "admin_token": ADMIN_TOKEN,
    "app_token": "app-token-of-the-fuzzing-tests-0000",
    "alert_token": "alert-token-of-the-fuzzing-tests-00",
    "read_token": "read-token-of-the-fuzzing-tests-000",
}


@dataclass(frozen=True)
class Caller:
    """Somebody with a token, or without one."""

    name: str
    token: str | None
    share: float
    """Of the examples: those who may do little are refused the same way each time."""
    short: bool = True
    """Calls in the short form, too. Each call of the others is tried without a token and with a
    wrong one as well."""


CALLERS = (
    Caller("admin", TOKENS["admin_token"], 1.0),
    Caller("app", TOKENS["app_token"], 0.5),
    Caller("reader", TOKENS["read_token"], 0.3, short=False),
    Caller("alertmanager", TOKENS["alert_token"], 0.3),
    Caller("wrong token", "nobody-s-token-of-the-fuzzing-tests", 0.2, short=False),
    Caller("nobody", None, 0.2),
)
