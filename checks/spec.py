"""What the operator says about the tables: names, filters, and the cutoffs of the pools."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType


class Audience(StrEnum):
    """Which users are counted and healed."""

    TRACKED = "tracked"
    """Users with at least one impression, of any artwork."""
    ALL = "all"
    """Every user."""


@dataclass(frozen=True, slots=True)
class ArtworksSpec:
    """The artworks table. `where` is the operator's SQL over that table alone."""

    table: str = "art_sessions"
    id: str = "id"
    created_at: str = "created_at"
    owner: str | None = None
    where: str | None = None


@dataclass(frozen=True, slots=True)
class UsersSpec:
    """The users table. With `created_at`, artworks older than the user are never legacy."""

    table: str = "users"
    id: str = "id"
    created_at: str | None = None
    where: str | None = None


@dataclass(frozen=True, slots=True)
class ImpressionsSpec:
    """The impressions table. `defaults` maps a column to the SQL expression that fills it."""

    table: str = "user_art_impressions"
    user: str = "user_id"
    artwork: str = "artwork_id"
    viewed_at: str = "viewed_at"
    defaults: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class CatalogueSpec:
    """The three tables, and the time zone in which columns without one are read."""

    artworks: ArtworksSpec = field(default_factory=ArtworksSpec)
    users: UsersSpec = field(default_factory=UsersSpec)
    impressions: ImpressionsSpec = field(default_factory=ImpressionsSpec)
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class PoolsSpec:
    """Where fresh ends, where legacy begins, and who is counted."""

    fresh_for: timedelta = timedelta(minutes=15)
    legacy_after: timedelta = timedelta(days=7)
    legacy_created_before: datetime | None = None
    audience: Audience = Audience.TRACKED


@dataclass(frozen=True, slots=True)
class Cutoffs:
    """The pools' cutoffs as moments, from one reading of the primary's clock.

    An artwork is fresh when created after `fresh_after`; legacy when created at or before
    `legacy_until` and, where set, before `created_before`. All moments carry a time zone.
    """

    now: datetime
    fresh_after: datetime
    legacy_until: datetime
    created_before: datetime | None

    @classmethod
    def at(cls, now: datetime, pools: PoolsSpec) -> Cutoffs:
        """The cutoffs that `pools` draws at the moment `now`."""
        # In a zone whose clocks move, Python subtracts on the clock's face, not in elapsed time.
        moment = now.astimezone(UTC)
        return cls(
            now=moment,
            fresh_after=moment - pools.fresh_for,
            legacy_until=moment - pools.legacy_after,
            created_before=pools.legacy_created_before,
        )
