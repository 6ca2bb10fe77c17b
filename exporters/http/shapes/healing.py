"""Decision, switches, breaker."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from exporters.http.shapes.base import Count, Moment, described
from monitor.policy import Code, Verdict


@described
class Decided(TypedDict):
    """The last decision."""

    kind: Verdict
    code: Code
    """Why, as a word."""
    reason: str
    """Why, as a sentence."""
    decided_at: Moment | None


@described
class Breaker(TypedDict):
    """Healing stops by itself where the numbers look wrong, until a person has looked."""

    open: bool
    code: str | None
    reason: str | None
    since: Moment | None
    reset_at: Moment | None
    """When a person last reset it."""
    accepted_share: float | None
    """The legacy share, 0 to 1, that was accepted then, until it has fallen."""


@described
class Healing(TypedDict):
    """How healing stands."""

    mode: Literal["observe", "heal"]
    """`observe`: only a person heals."""
    decision: Decided | None
    """Null before the first."""
    paused: bool
    """The kill switch: nobody writes."""
    paused_reason: str | None
    suspended: bool
    """Automatic healing is off; runs by hand work."""
    suspended_reason: str | None
    breaker: Breaker
    recurring: Count
    """Pairs that appeared within 24 hours although their users had been healed: impressions vanish,
    or are not recorded."""


@described
class Paused(TypedDict):
    """Nobody writes from now on."""

    paused: Literal[True]
    reason: str


@described
class Resumed(TypedDict):
    """Pause and suspension have ended."""

    paused: Literal[False]
    suspended: Literal[False]


@described
class BreakerClosed(TypedDict):
    """The breaker is closed."""

    breaker_open: Literal[False]
    was_open: bool
    """False: it was closed, and nothing was changed."""
    code: str | None
    """What it had opened for."""
    reason: str | None
    since: Moment | None
    accepted_share: float | None
    """The legacy share that is accepted until it has fallen; null where it was not too large."""
