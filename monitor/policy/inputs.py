"""What the policy looks at: the settings that decide, and how things are. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time

from checks.census import Census
from monitor.config.types import MaintenanceWindow
from monitor.state.control import Control
from monitor.state.runs import Run


@dataclass(frozen=True, slots=True)
class PolicySettings:
    """The settings that decide. Times in seconds, shares 0 to 1, of which 1 means never."""

    heals: bool
    threshold: int
    consecutive: int
    cooldown_seconds: float
    window: MaintenanceWindow | None
    max_share: float = 0.5
    max_tracked_drop: float = 0.1
    stuck_after: int = 3


@dataclass(frozen=True, slots=True)
class Side:
    """What the tallies of artworks, or of users, say of the time since a moment. In pairs."""

    missing: int
    """Of what is counted now: how much less each has than it had at most."""
    peak: int
    """Of what is counted now: the most that each had, summed."""
    left_with: int
    """The most that those had which left meanwhile: deleted, or no longer counted."""


@dataclass(frozen=True, slots=True)
class Loss:
    """At least so many impressions are gone of those that should be there. Counts are pairs."""

    lost: int
    expected: int
    """The most that were there since, of artworks and users that are still counted."""
    since: datetime
    """What was before this moment is not judged."""

    @property
    def share(self) -> float:
        """Lost as a share of expected, 0 to 1."""
        return self.lost / self.expected if self.expected > 0 else 0.0


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """How a heal run over the audience ended, or a repair's, as far as it says whether that works.
    Counts are pairs, or rows that `find` names of the plan."""

    id: int
    legacy_before: int | None
    legacy_after: int | None
    """None where it failed before it could count."""
    remaining: int | None
    """Of its plan, without what is in quarantine; None where it failed before it could count."""
    quarantined: int
    """Pairs that it put aside."""
    inserted: int
    """Impressions that it wrote."""

    def reduced(self, left: int | None) -> bool:
        """Whether it left less to heal than it found. `left`: the legacy pairs that were counted
        next, for a run that failed before it could count. What such a run wrote is enough, too: it
        was in the way of something else, and not stuck.

        A run that left nothing of its plan did what it could, whatever aged or was imported
        meanwhile and whatever lies in quarantine: the count alone would call it stuck where much
        ages while little is healed. Pairs that it put aside are nobody's work any more.
        """
        if self.remaining == 0:
            return True
        if self.legacy_after is None and self.inserted:
            return True
        after = left if self.legacy_after is None else self.legacy_after
        if self.legacy_before is None or after is None:
            return False
        return after - self.quarantined < self.legacy_before


@dataclass(frozen=True, slots=True)
class PolicyInput:
    """Everything that a decision looks at."""

    censuses: Sequence[Census]
    """The newest first; at least `consecutive` of them once the service has run that long."""
    census_error: str | None
    """Why the newest census could not be taken, or None."""
    control: Control
    active_run: Run | None
    seconds_since_run: float | None
    """Since the last heal run ended; None before the first."""
    local_time: time
    """In the catalogue's time zone, by the database's clock."""
    blockers: Sequence[str] = ()
    """What `doctor` says must be mended before anything is written, a suspicion apart."""
    suspicion: str = ""
    """What `doctor` suspects of the counts, in a paragraph; empty where nothing."""
    most_audience: int = 0
    """The largest audience of the last 24 hours' censuses."""
    loss: Loss | None = None
    """From a tally taken in this pass; None where none was."""
    tally_error: str | None = None
    """Why the tally that goes before a heal could not be taken."""
    last_runs: Sequence[FinishedRun] = ()
    """The heal runs that ended since the breaker's last reset, the newest first."""
    recurring: int = 0
    """Legacy pairs that appeared behind the last verified heal, as the pass's tally found them."""
    recurring_before: int = 0
    """The same of the runs of the last 24 hours."""
    quarantined: int = 0
    """Legacy pairs that can't be written, and are not due to be tried again: nobody's work."""
    retry_at: datetime | None = None
    """When the first of them is tried again."""
    left_alone: int = 0
    """Legacy pairs whose row is there and does not count, and nothing brings it to count: nobody's
    work either."""

    @property
    def counted(self) -> bool:
        """Whether the newest census could be taken; without it nothing is judged."""
        return self.census_error is None and bool(self.censuses)

    @property
    def not_written(self) -> str:
        """What a sentence about legacy pairs adds; empty where a run would write them all."""
        aside = f", {self.quarantined} of them in quarantine" if self.quarantined else ""
        alone = f", {self.left_alone} of them left alone" if self.left_alone else ""
        return aside + alone

    def to_heal(self, census: Census) -> int:
        """The legacy pairs of a census that a run would try to write."""
        return max(0, census.legacy_untracked - self.quarantined - self.left_alone)


def loss_between(artworks: Side, users: Side, undone: int, since: datetime) -> Loss:
    """The loss that both sides prove.

    An artwork lacks impressions because they were lost, because their users left, or because an
    undo took them back. Which of them is not known one by one, so everything that the users who
    left had at most is taken off, and everything undone: what remains is lost for certain. Users
    are treated likewise. Both are lower bounds of one and the same loss, so the larger one is
    nearer to it; gains hide losses of the same artwork, or the same user, from either.
    """
    sides = (
        _bound(artworks, users.left_with + undone, since),
        _bound(users, artworks.left_with + undone, since),
    )
    return max(sides, key=lambda loss: (loss.share, loss.lost))


def _bound(side: Side, excused: int, since: datetime) -> Loss:
    # Taken off above and below: had all of it been excused rightly, this is the share exactly,
    # and where it was too much, a smaller one.
    return Loss(max(0, side.missing - excused), max(0, side.peak - excused), since)
