"""The breaker's judgement: pure functions from what was counted to a reason to stop, or none.

It is latched in the database (`monitor/policy/breaker_store.py`) and stays open until a person has
looked.
ARCHITECTURE.md, "Breaker", draws its states.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from checks.census import Census
from monitor.deadlines import LOOK_BACK
from monitor.policy.loss import Loss

ACCEPTED_GROWTH = 1.1
"""An accepted share may grow so much: artworks go on ageing until the heal has caught up."""
WAYS_ON = (
    "Once you have looked, `conservator reset-breaker` lets automatic healing go on, and"
    " `conservator heal --beyond-breaker` heals at once and leaves the breaker open."
)


class BreakerCode(StrEnum):
    """Why the breaker opens."""

    MAX_SHARE = "max_share"
    """More of the pairs is legacy than can be right."""
    LOSS = "loss"
    """Impressions are gone whose artworks and users are still there."""
    STUCK = "stuck"
    """Runs end without reducing the count."""


@dataclass(frozen=True, slots=True)
class BreakerSettings:
    """The limits. Shares 0 to 1; 1 means never."""

    max_share: float = 0.5
    max_tracked_drop: float = 0.1
    stuck_after: int = 3


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """How a heal run over the audience ended, as far as it says whether healing works."""

    id: int
    legacy_before: int | None
    legacy_after: int | None
    """None where it failed before it could count."""
    remaining: int | None
    """Of its plan, without what is in quarantine; None where it failed before it could count."""
    quarantined: int
    """Pairs that it put aside."""

    @property
    def reduced(self) -> bool:
        """Whether it left less to heal than it found.

        A run that left nothing of its plan did what it could, whatever aged or was imported
        meanwhile and whatever lies in quarantine: the count alone would call it stuck where much
        ages while little is healed. Pairs that it put aside are nobody's work any more.
        """
        if self.remaining == 0:
            return True
        if self.legacy_before is None or self.legacy_after is None:
            return False
        return self.legacy_after - self.quarantined < self.legacy_before


@dataclass(frozen=True, slots=True)
class BreakerInput:
    """What the breaker looks at."""

    census: Census
    accepted_share: float | None = None
    """The legacy share that a person has accepted, until it has fallen to max_share."""
    most_audience: int = 0
    """The largest audience of a census since the window began."""
    loss: Loss | None = None
    """From a tally taken just now; None where none was."""
    last_runs: Sequence[FinishedRun] = ()
    """The newest first, those that ended since the last reset."""


@dataclass(frozen=True, slots=True)
class Trip:
    """The breaker opens: why, as a word and as a sentence that says what to do."""

    code: BreakerCode
    reason: str


def trips(facts: BreakerInput, settings: BreakerSettings) -> Trip | None:
    """The reason to open, or None. A loss goes first: it makes the share rise, too."""
    return _lost(facts, settings) or share_trips(facts, settings) or _stuck(facts, settings)


def _lost(facts: BreakerInput, settings: BreakerSettings) -> Trip | None:
    limit = settings.max_tracked_drop
    loss = facts.loss
    if loss is not None and loss.share > limit:
        return Trip(
            BreakerCode.LOSS,
            f"At least {loss.lost} of {loss.expected} impressions ({loss.share:.1%}) have vanished"
            f" since {_minute(loss.since)} although their artworks and users are still there;"
            f" healing.breaker.max_tracked_drop is {limit:.1%}. Healing would put made-up"
            f" impressions in their place: restore them first, if you can. {WAYS_ON}",
        )
    if facts.census.audience == 0 and facts.most_audience > 0 and limit < 1:
        return Trip(
            BreakerCode.LOSS,
            f"The audience fell from {facts.most_audience} users to none within"
            f" {LOOK_BACK.total_seconds() / 3600:.0f} hours: the impressions or the users were"
            f" emptied, or catalog.users lets nobody in. {WAYS_ON}",
        )
    return None


def share_trips(facts: BreakerInput, settings: BreakerSettings) -> Trip | None:
    """Whether so much is legacy that the count or the data must be wrong."""
    census, limit = facts.census, settings.max_share
    accepted = facts.accepted_share
    if census.legacy_share <= limit:
        return None
    if accepted is not None and census.legacy_share <= accepted * ACCEPTED_GROWTH:
        return None
    return Trip(
        BreakerCode.MAX_SHARE,
        f"{census.legacy_untracked} of {census.pairs} pairs ({census.legacy_share:.1%}) are"
        f" legacy-untracked, healing.breaker.max_share is {limit:.1%}: the data or the"
        " configuration may be wrong. If they are right, as on a first run over a truly legacy"
        " gallery, `conservator heal --beyond-breaker` heals it now, or `conservator"
        " reset-breaker` accepts this share and lets it heal by itself.",
    )


def _stuck(facts: BreakerInput, settings: BreakerSettings) -> Trip | None:
    last = facts.last_runs[: settings.stuck_after]
    if facts.census.legacy_untracked == 0 or len(last) < settings.stuck_after:
        return None
    if any(run.reduced for run in last):
        return None
    runs = ", ".join(str(run.id) for run in reversed(last))
    return Trip(
        BreakerCode.STUCK,
        f"The last {len(last)} heal runs ({runs}) ended without leaving less than they found, and"
        f" {facts.census.legacy_untracked} pairs are legacy-untracked: what is written does not"
        " stay, or can't be written; `conservator runs` says how each of them ended."
        f" {WAYS_ON}",
    )


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
