"""What was refused over HTTP, counted in this process since it started."""

from __future__ import annotations

from enum import StrEnum


class Refused(StrEnum):
    """Why a call was not let in."""

    NO_TOKEN = "no_token"
    UNKNOWN_TOKEN = "unknown_token"
    """A failed attempt: somebody guesses, or a token was rotated on one side only."""
    FORBIDDEN = "forbidden"
    """A known token that may not do this, or nobody may."""
    TOO_MANY_FAILURES = "too_many_failures"
    TOO_MANY_BACKFILLS = "too_many_backfills"
    TOO_MANY_CONNECTIONS = "too_many_connections"


class Refusals:
    """Totals by reason, 0 from the start."""

    def __init__(self) -> None:
        self._totals = dict.fromkeys(Refused, 0)

    def count(self, reason: Refused) -> None:
        """One more."""
        self._totals[reason] += 1

    def totals(self) -> tuple[tuple[Refused, int], ...]:
        """Every reason with its total."""
        return tuple(self._totals.items())
