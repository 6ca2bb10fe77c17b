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
class TableRole:
    """One of the three tables by its key in the configuration: artworks, users, impressions."""

    key: str
    table: str
    """Its configured name."""
    columns: Mapping[str, str | None]
    """The configured columns by their keys in the configuration."""
    ids: tuple[str, ...]
    """Of them, those that hold ids of artworks or users."""
    where: str | None = None
    written: tuple[str, ...] = ()
    """The columns that an insert names, of the one table that is written."""

    @property
    def read(self) -> tuple[str, ...]:
        """The columns that statements read, each once, in the order of the configuration."""
        return tuple(dict.fromkeys(name for name in self.columns.values() if name is not None))


@dataclass(frozen=True, slots=True)
class CatalogueSpec:
    """The three tables, and the time zone in which columns without one are read."""

    artworks: ArtworksSpec = field(default_factory=ArtworksSpec)
    users: UsersSpec = field(default_factory=UsersSpec)
    impressions: ImpressionsSpec = field(default_factory=ImpressionsSpec)
    timezone: str = "UTC"
    accept: tuple[str, ...] = ()
    """Suspicions that a person has looked at and that are no fault."""

    @property
    def roles(self) -> tuple[TableRole, TableRole, TableRole]:
        """Artworks, users, impressions."""
        artworks, users, impressions = self.artworks, self.users, self.impressions
        of_artworks = {
            "id": artworks.id,
            "created_at": artworks.created_at,
            "owner": artworks.owner,
        }
        of_users = {"id": users.id, "created_at": users.created_at}
        of_impressions = {
            "user": impressions.user,
            "artwork": impressions.artwork,
            "viewed_at": impressions.viewed_at,
        }
        written = tuple(dict.fromkeys((*of_impressions.values(), *impressions.defaults)))
        pair = (impressions.user, impressions.artwork)
        return (
            TableRole("artworks", artworks.table, of_artworks, (artworks.id,), artworks.where),
            TableRole("users", users.table, of_users, (users.id,), users.where),
            TableRole("impressions", impressions.table, of_impressions, pair, written=written),
        )


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
