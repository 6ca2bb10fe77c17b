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
class SqlMoment:
    """A moment that no column holds: an SQL expression over its own table."""

    sql: str


Moment = str | SqlMoment
"""A column, or an expression."""


@dataclass(frozen=True, slots=True)
class ArtworksSpec:
    """The artworks table. `where` is the operator's SQL over that table alone."""

    table: str = "art_sessions"
    id: str = "id"
    created_at: Moment = "created_at"
    owner: str | None = None
    where: str | None = None


@dataclass(frozen=True, slots=True)
class UsersSpec:
    """The users table. With `created_at`, artworks older than the user are never legacy."""

    table: str = "users"
    id: str = "id"
    created_at: Moment | None = None
    where: str | None = None


@dataclass(frozen=True, slots=True)
class ImpressionsSpec:
    """The impressions table, and how a row of it is made."""

    table: str = "user_art_impressions"
    user: str = "user_id"
    artwork: str = "artwork_id"
    viewed_at: Moment | None = "viewed_at"
    """None: the table does not say when."""
    where: str | None = None
    """Which rows exist for us."""
    counts: str | None = None
    """Which of them are impressions."""
    set: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Column to SQL expression: what brings a row that is there to count."""
    defaults: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Column to the SQL expression that fills it in a new row."""
    several: bool = False
    """Several rows a pair are normal."""
    key: tuple[str, ...] = ()
    """What tells rows apart; empty: the primary key."""

    @property
    def filled(self) -> tuple[str, ...]:
        """The columns that the service fills itself: the pair and, where it is a column, the
        moment."""
        viewed = (self.viewed_at,) if isinstance(self.viewed_at, str) else ()
        return (self.user, self.artwork, *viewed)

    @property
    def expressions(self) -> Mapping[str, tuple[str, str]]:
        """Column and SQL expression by their settings, of `set` and `defaults`."""
        return {
            f"catalog.impressions.{key}.{column}": (column, text)
            for key, values in (("set", self.set), ("defaults", self.defaults))
            for column, text in values.items()
        }

    @property
    def values(self) -> Mapping[str, str]:
        """Column to SQL expression, for a new row: `defaults`, overruled by `set`."""
        return MappingProxyType({**self.defaults, **self.set})

    @property
    def is_plain(self) -> bool:
        """A row is there or it is not, once a pair, and a column says when: what was written is
        known by the pair and that moment. False: by the whole row."""
        shaped = self.where is not None or self.counts is not None or self.several or self.set
        return isinstance(self.viewed_at, str) and not shaped

    @property
    def leaves_alone(self) -> bool:
        """Nothing brings a row to count that is there and does not: its pair is not written."""
        return self.counts is not None and not self.set


@dataclass(frozen=True, slots=True)
class SharedColumns:
    """Two columns in which the user and the artwork of a pair agree; NULL agrees with nothing."""

    user: str
    artwork: str


@dataclass(frozen=True, slots=True)
class ThroughSpec:
    """The table or view that lists the pairs. Before `since`, an artwork is truly unseen."""

    table: str
    user: str = "user_id"
    artwork: str = "artwork_id"
    since: Moment | None = None
    where: str | None = None


@dataclass(frozen=True, slots=True)
class PairsSpec:
    """Who may be shown what; everybody everything where both are empty."""

    same: tuple[SharedColumns, ...] = ()
    through: ThroughSpec | None = None


@dataclass(frozen=True, slots=True)
class TableRole:
    """One of the tables by its key in the configuration: artworks, users, impressions,
    pairs.through."""

    key: str
    table: str
    """Its configured name."""
    columns: Mapping[str, str | None]
    """The configured columns by their keys in the configuration."""
    ids: tuple[str, ...]
    """Of them, those that hold ids of artworks or users."""
    where: str | None = None
    counts: str | None = None
    written: tuple[str, ...] = ()
    """The columns that an insert names, of the one table that is written."""
    updated: tuple[str, ...] = ()
    """The columns that an update names, of that table."""
    moments: Mapping[str, SqlMoment] = field(default_factory=lambda: MappingProxyType({}))
    """The configured moments that are expressions, by their keys in the configuration."""

    @property
    def read(self) -> tuple[str, ...]:
        """The columns that statements read, each once, in the order of the configuration."""
        return tuple(dict.fromkeys(name for name in self.columns.values() if name is not None))

    @property
    def expressions(self) -> Mapping[str, str]:
        """The moments that are expressions, by their settings."""
        return {self.setting(key): one.sql for key, one in self.moments.items()}

    @property
    def conditions(self) -> Mapping[str, str]:
        """The operator's conditions over this table alone, by their settings."""
        found = {"where": self.where, "counts": self.counts}
        return {self.setting(key): text for key, text in found.items() if text is not None}

    @property
    def reads_whole_rows(self) -> bool:
        """Statements read every column, because the operator's SQL may name any."""
        timeless = self.key == "impressions" and "viewed_at" not in self.columns
        return bool(self.conditions or self.moments) or timeless

    def setting(self, key: str) -> str:
        """The path of a key in the configuration: of `columns`, of `moments`, or another."""
        return f"catalog.{key if key.startswith('pairs.') else f'{self.key}.{key}'}"


def _split(moments: Mapping[str, Moment | None]) -> tuple[dict[str, str], dict[str, SqlMoment]]:
    """The moments that are columns, and those that are expressions."""
    columns = {key: one for key, one in moments.items() if isinstance(one, str)}
    return columns, {key: one for key, one in moments.items() if isinstance(one, SqlMoment)}


@dataclass(frozen=True, slots=True)
class CatalogueSpec:
    """The tables, and the time zone in which columns without one are read."""

    artworks: ArtworksSpec = field(default_factory=ArtworksSpec)
    users: UsersSpec = field(default_factory=UsersSpec)
    impressions: ImpressionsSpec = field(default_factory=ImpressionsSpec)
    pairs: PairsSpec = field(default_factory=PairsSpec)
    timezone: str = "UTC"
    accept: tuple[str, ...] = ()
    """Suspicions that a person has looked at and that are no fault."""

    @property
    def roles(self) -> tuple[TableRole, TableRole, TableRole]:
        """Artworks, users, impressions."""
        return self._artworks_role(), self._users_role(), self._impressions_role()

    @property
    def through_role(self) -> TableRole | None:
        """The table that lists the pairs."""
        through = self.pairs.through
        if through is None:
            return None
        columns, moments = _split({"since": through.since})
        pair = {"user": through.user, "artwork": through.artwork}
        return TableRole(
            "pairs.through",
            through.table,
            {**pair, **columns},
            tuple(pair.values()),
            through.where,
            moments=moments,
        )

    def _artworks_role(self) -> TableRole:
        spec = self.artworks
        columns, moments = _split({"created_at": spec.created_at})
        named = {"id": spec.id, **columns, "owner": spec.owner, **self._shared("artwork")}
        return TableRole("artworks", spec.table, named, (spec.id,), spec.where, moments=moments)

    def _users_role(self) -> TableRole:
        spec = self.users
        columns, moments = _split({"created_at": spec.created_at})
        named = {"id": spec.id, **columns, **self._shared("user")}
        return TableRole("users", spec.table, named, (spec.id,), spec.where, moments=moments)

    def _impressions_role(self) -> TableRole:
        spec = self.impressions
        columns, moments = _split({"viewed_at": spec.viewed_at})
        pair = {"user": spec.user, "artwork": spec.artwork}
        named = {**pair, **columns}
        return TableRole(
            "impressions",
            spec.table,
            {**named, **{f"key[{number}]": name for number, name in enumerate(spec.key)}},
            (spec.user, spec.artwork),
            spec.where,
            spec.counts,
            written=tuple(dict.fromkeys((*named.values(), *spec.values))),
            updated=tuple(spec.set),
            moments=moments,
        )

    def _shared(self, side: str) -> dict[str, str]:
        """The columns of one side in which pairs agree, by their settings."""
        return {
            f"pairs.same[{number}].{side}": getattr(one, side)
            for number, one in enumerate(self.pairs.same)
        }


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
