"""How many impressions were lost at least, from the tallies of both sides. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


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
