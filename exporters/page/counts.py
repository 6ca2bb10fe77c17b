"""The four counts, each with the words that say what it counts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from checks.census import AffectedUsers, Census
from exporters.current import current_census, current_users
from exporters.page.context import PageContext
from exporters.page.formatting import share


@dataclass(frozen=True, slots=True)
class Count:
    """One of the four."""

    key: str
    name: str
    number: int
    share: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Counts:
    """All four, over one snapshot of the database."""

    as_of: datetime
    stale: bool
    """Not to be shown as how things are."""
    counts: tuple[Count, ...]
    pairs: int
    audience: int
    legacy_artworks: int
    appeared: int
    users: AffectedUsers | None


def counts_of(context: PageContext) -> Counts | None:
    """The newest census, or None before the first."""
    census = context.status.census
    if census is None:
        return None
    # What a database says that can't be reached is how things were.
    old = current_census(context.status, context.now) is None
    stale = old or not context.status.database_up
    return Counts(
        as_of=census.as_of,
        stale=stale,
        counts=_counts(census),
        pairs=census.pairs,
        audience=census.audience,
        legacy_artworks=census.legacy_artworks,
        appeared=census.appeared,
        users=current_users(context.status, context.now),
    )


def _counts(census: Census) -> tuple[Count, ...]:
    told = (
        ("legacy_untracked", "Legacy untracked", "old, never recorded: shown again and again"),
        ("storage", "Storage", "unseen for now, and rightly still offered"),
        ("fresh", "Fresh", "new, nobody is expected to have seen them"),
        ("tracked", "Tracked", "seen and recorded"),
    )
    return tuple(
        Count(key, name, number, share(number, census.pairs), meaning)
        for key, name, meaning in told
        for number in [int(getattr(census, key))]
    )
