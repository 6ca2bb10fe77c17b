"""The whole configuration, key by key, with its defaults. The first pass validates against it."""

from __future__ import annotations

from datetime import timedelta
from types import MappingProxyType

from pydantic import Field

from checks.spec import (
    ArtworksSpec,
    Audience,
    CatalogueSpec,
    ImpressionsSpec,
    PoolsSpec,
    UsersSpec,
)
from monitor.config.checks import Checks
from monitor.config.export import Export
from monitor.config.healing import Healing
from monitor.config.quantities import (
    Duration,
    Interval,
    Moment,
    Timeout,
    Zone,
)
from monitor.config.scalars import Expressions, Maybe, Positive, Text
from monitor.config.secrets import DatabaseUrl, sqlalchemy_url
from monitor.config.section import Section
from monitor.config.server import Server
from monitor.config.values import with_zone


class Database(Section):
    """How PostgreSQL is reached, and how patient the service is with it."""

    url: DatabaseUrl
    """The primary: postgres://, postgresql:// or postgresql+psycopg://."""
    read_url: Maybe[DatabaseUrl] = None
    """A replica for the checks. Healing and verification use `url`. null: `url` for all."""
    state_schema: Text = "conservator"
    """The schema for the service's own tables. `uninstall` drops it with all it holds."""
    pool_size: Positive = 5
    """The most connections at a time."""
    statement_timeout: Timeout = timedelta(seconds=60)
    """How long one statement of a check may take."""
    lock_timeout: Timeout = timedelta(milliseconds=500)
    """How long healing waits for a lock before it steps back and tries again."""

    @property
    def sqlalchemy_url(self) -> str:
        """`url` in plain text, as SQLAlchemy wants it: postgresql+psycopg://."""
        return sqlalchemy_url(self.url.get_secret_value())

    @property
    def sqlalchemy_read_url(self) -> str | None:
        """`read_url` in plain text, as SQLAlchemy wants it; None where there is no replica."""
        return sqlalchemy_url(self.read_url.get_secret_value()) if self.read_url else None


class Artworks(Section):
    """The artworks table."""

    table: Text = "art_sessions"
    """Its name; may be schema-qualified."""
    id: Text = "id"
    """Its key."""
    created_at: Text = "created_at"
    """When the artwork was made. Rows where it is null don't count."""
    owner: Maybe[Text] = None
    """The column with the only user who is shown the artwork. null: everybody is shown it."""
    where: Maybe[Text] = None
    """SQL over this table alone that admits the artworks that count. null: all."""


class Users(Section):
    """The users table."""

    table: Text = "users"
    """Its name; may be schema-qualified."""
    id: Text = "id"
    """Its key."""
    created_at: Maybe[Text] = None
    """When the user joined. Set: artworks older than the user are truly unseen, never legacy."""
    where: Maybe[Text] = None
    """SQL over this table alone that admits the users that count. null: all."""


class Impressions(Section):
    """The impressions table: this user has been shown this artwork."""

    table: Text = "user_art_impressions"
    """Its name; may be schema-qualified."""
    user: Text = "user_id"
    """The column with the user."""
    artwork: Text = "artwork_id"
    """The column with the artwork."""
    viewed_at: Text = "viewed_at"
    """When the artwork was shown."""
    defaults: Expressions = Field(default_factory=dict)
    """Column to SQL expression, for columns that are not null and have no default of their own."""


class Catalog(Section):
    """What your tables and columns are called."""

    artworks: Artworks = Field(default_factory=Artworks)
    """The artworks table."""
    users: Users = Field(default_factory=Users)
    """The users table."""
    impressions: Impressions = Field(default_factory=Impressions)
    """The impressions table."""
    timezone: Zone = "UTC"
    """In which columns without time zone, `cron` and `healing.window` are read."""


class Pools(Section):
    """Where fresh ends, where legacy begins, and who is counted."""

    fresh_for: Duration = timedelta(minutes=15)
    """Younger artworks are fresh."""
    legacy_after: Duration = timedelta(days=7)
    """Artworks of this age and more, without an impression, are legacy_untracked."""
    legacy_created_before: Maybe[Moment] = None
    """Set: only artworks made before this moment can be legacy. Without a time zone it is read in
    catalog.timezone."""
    audience: Audience = Audience.TRACKED
    """tracked: users with at least one impression; all: every user."""


class Settings(Section):
    """The configuration of conservator. Everything but database.url has a default."""

    database: Database
    """How PostgreSQL is reached."""
    catalog: Catalog = Field(default_factory=Catalog)
    """What your tables and columns are called."""
    pools: Pools = Field(default_factory=Pools)
    """Where fresh ends, where legacy begins, and who is counted."""
    checks: Checks = Field(default_factory=Checks)
    """What is examined, and how often."""
    healing: Healing = Field(default_factory=Healing)
    """When impressions are backfilled, how many, and how fast."""
    server: Server = Field(default_factory=Server)
    """The HTTP server, and who may call what."""
    export: Export = Field(default_factory=Export)
    """Where metrics are pushed to, besides being scraped."""
    history: Interval = timedelta(days=90)
    """How long results and runs are kept. Ledger rows live as long as their impression."""
    lease: Interval = timedelta(seconds=10)
    """Leadership; a new leader takes over within three of these."""

    def catalog_spec(self) -> CatalogueSpec:
        """The tables, in the words of `checks`."""
        impressions = self.catalog.impressions.model_dump(exclude={"defaults"})
        return CatalogueSpec(
            artworks=ArtworksSpec(**self.catalog.artworks.model_dump()),
            users=UsersSpec(**self.catalog.users.model_dump()),
            impressions=ImpressionsSpec(
                **impressions, defaults=MappingProxyType(dict(self.catalog.impressions.defaults))
            ),
            timezone=self.catalog.timezone,
        )

    def pools_spec(self) -> PoolsSpec:
        """The cutoffs of the pools, in the words of `checks`. Every moment has a time zone."""
        before = self.pools.legacy_created_before
        return PoolsSpec(
            fresh_for=self.pools.fresh_for,
            legacy_after=self.pools.legacy_after,
            legacy_created_before=before and with_zone(before, self.catalog.timezone),
            audience=self.pools.audience,
        )
