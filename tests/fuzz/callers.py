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


CALLERS = (
    Caller("admin", TOKENS["admin_token"], 1.0),
    Caller("app", TOKENS["app_token"], 0.5),
    Caller("reader", TOKENS["read_token"], 0.3),
    Caller("alertmanager", TOKENS["alert_token"], 0.3),
    Caller("wrong token", "nobody-s-token-of-the-fuzzing-tests", 0.2),
    Caller("nobody", None, 0.2),
)
