"""The whole configuration, key by key, with its defaults, and how it is made of a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from operator import attrgetter
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from pydantic import Field, model_validator

from checks.spec import (
    ArtworksSpec,
    Audience,
    CatalogueSpec,
    ImpressionsSpec,
    PairsSpec,
    PoolsSpec,
    ThroughSpec,
    UsersSpec,
)
from monitor.config.checks import Checks
from monitor.config.database_url import sqlalchemy_url
from monitor.config.errors import (
    ErrorCollector,
    InvalidValueError,
    repr_safe,
    suggestion,
    unusable,
)
from monitor.config.healing import Healing
from monitor.config.loader import Expanded, read_yaml
from monitor.config.repairs import Repair
from monitor.config.secrets import DatabaseUrl
from monitor.config.section import Section, validate
from monitor.config.server import Export, Server
from monitor.config.times import Moment, Zone, with_zone
from monitor.config.types import (
    Columns,
    Duration,
    Expressions,
    Interval,
    Maybe,
    MomentSetting,
    Positive,
    Query,
    Several,
    Shared,
    Switch,
    Text,
    Timeout,
)

ADMIN_TOKEN = "CONSERVATOR_ADMIN_TOKEN"
"""The variable that gives the admin token where the file does not mention one."""


class Database(Section):
    """How PostgreSQL is reached, and how patient the service is with it."""

    url: DatabaseUrl
    """The primary: postgres://, postgresql:// or postgresql+psycopg://, and what libpq reads."""
    read_url: Maybe[DatabaseUrl] = None
    """A replica for the checks. Healing and verification use `url`. null: `url` for all."""
    state_schema: Text = "conservator"
    """The schema for the service's own tables. `uninstall` drops it with all it holds."""
    pool_size: Positive = 5
    """The most connections at a time."""
    statement_timeout: Timeout = timedelta(seconds=60)
    """How long one statement of a check may take."""
    lock_timeout: Timeout = timedelta(milliseconds=500)
    """How long healing, or a check, waits for a lock before it steps back and tries again."""

    @property
    def sqlalchemy_url(self) -> str:
        """`url` in plain text with SQLAlchemy's scheme: `connect_parameters` tells what it says."""
        return sqlalchemy_url(self.url.get_secret_value())

    @property
    def sqlalchemy_read_url(self) -> str | None:
        """The same of `read_url`; None where there is no replica."""
        return sqlalchemy_url(self.read_url.get_secret_value()) if self.read_url else None

    def contradictions(self) -> Iterator[InvalidValueError]:
        schema = self.state_schema
        if schema in {"public", "information_schema"} or schema.startswith("pg_"):
            remedy = "choose a name that nothing else uses: uninstall drops the schema"
            found = repr_safe(schema)
            yield InvalidValueError("a schema of its own", found, remedy, "state_schema")


class Artworks(Section):
    """The artworks table."""

    table: Text = "art_sessions"
    """Its name; may be schema-qualified."""
    id: Text = "id"
    """Its key."""
    created_at: MomentSetting = "created_at"
    """When the artwork was made: a column, or {sql: …} over this table. Rows where it is null don't
    count."""
    owner: Maybe[Text] = None
    """The column with the only user who is shown the artwork. null: everybody is shown it."""
    where: Maybe[Query] = None
    """SQL over this table alone that admits the artworks that count. null: all."""


class Users(Section):
    """The users table."""

    table: Text = "users"
    """Its name; may be schema-qualified."""
    id: Text = "id"
    """Its key."""
    created_at: Maybe[MomentSetting] = None
    """When the user joined: a column, or {sql: …} over this table. Set: artworks older than the
    user are truly unseen, never legacy."""
    where: Maybe[Query] = None
    """SQL over this table alone that admits the users that count. null: all."""


class Impressions(Section):
    """The impressions table: this user has been shown this artwork."""

    table: Text = "user_art_impressions"
    """Its name; may be schema-qualified."""
    user: Text = "user_id"
    """The column with the user."""
    artwork: Text = "artwork_id"
    """The column with the artwork."""
    viewed_at: Maybe[MomentSetting] = "viewed_at"
    """When the artwork was shown: a column, or {sql: …} over this table. null: the table does not
    say."""
    where: Maybe[Query] = None
    """SQL over this table alone that admits the rows that are about these artworks; no other row
    is read or written. null: all."""
    counts: Maybe[Query] = None
    """SQL over this table alone: which of these rows are impressions. null: all."""
    set: Expressions = Field(default_factory=dict)
    """Column to SQL expression: what brings a row that is there and does not count to count. It may
    use viewed_at, artwork.COLUMN, "user".COLUMN and pair.COLUMN."""
    defaults: Expressions = Field(default_factory=dict)
    """Column to SQL expression, for columns of new rows that have no default of their own. It may
    use the same."""
    several: Switch = False
    """Several rows a pair are normal here, as in a log of views: no unique index is asked for."""
    key: Columns = ()
    """The columns that tell rows apart. Empty: the primary key."""

    def contradictions(self) -> Iterator[InvalidValueError]:
        """The columns each play one part."""
        parts: dict[str, str] = {}
        for key in ("user", "artwork", "viewed_at"):
            column = getattr(self, key)
            if not isinstance(column, str):
                continue
            other = parts.setdefault(column, key)
            if other != key:
                found = f"{repr_safe(column)}, which is {other} already"
                remedy = "name another column"
                yield InvalidValueError("a column of its own", found, remedy, key, other)
        for column in (column for column in self.defaults if column in parts):
            found = f"one for {parts[column]}, which the service fills itself"
            keys = (("defaults", column), parts[column])
            yield InvalidValueError("defaults for other columns", found, "remove it", *keys)
        for column in (column for column in self.set if parts.get(column) in ("user", "artwork")):
            found = f"one for {parts[column]}, which says whose the row is"
            keys = (("set", column), parts[column])
            yield InvalidValueError("expressions for other columns", found, "remove it", *keys)
        if self.set and self.counts is None:
            found = "set without counts, so that every row counts already"
            remedy = "say in counts which rows count, or remove set"
            yield InvalidValueError("counts", found, remedy, "set", "counts")


class Through(Section):
    """The table or view that lists who may be shown what."""

    table: Text
    """Its name; may be schema-qualified."""
    user: Text = "user_id"
    """The column with the user."""
    artwork: Text = "artwork_id"
    """The column with the artwork."""
    since: Maybe[MomentSetting] = None
    """Since when: a column, or {sql: …} over this table. Artworks created before it are truly
    unseen by that user, never legacy."""
    where: Maybe[Query] = None
    """SQL over this table alone that admits the pairs that count. null: all."""


class Pairs(Section):
    """Who may be shown what; everybody everything where both are empty."""

    same: Shared = ()
    """Columns in which user and artwork agree: names, or {user: …, artwork: …}. NULL agrees with
    nothing."""
    through: Maybe[Through] = None
    """The table or view that lists the pairs. null: none does."""


class Catalog(Section):
    """What your tables and columns are called."""

    artworks: Artworks = Field(default_factory=Artworks)
    """The artworks table."""
    users: Users = Field(default_factory=Users)
    """The users table."""
    impressions: Impressions = Field(default_factory=Impressions)
    """The impressions table."""
    pairs: Pairs = Field(default_factory=Pairs)
    """Who may be shown what."""
    accept: tuple[Text, ...] = ()
    """Suspicions of `doctor` that a person has looked at and that are no fault, by their names."""
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

    def contradictions(self) -> Iterator[InvalidValueError]:
        yield from self.out_of_order("fresh_for", "legacy_after")


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
    repairs: Several[Repair] = ()
    """What else may be mended, each beside its check."""
    server: Server = Field(default_factory=Server)
    """The HTTP server, and who may call what."""
    export: Export = Field(default_factory=Export)
    """Where metrics are pushed to, besides being scraped."""
    history: Interval = timedelta(days=90)
    """How long results and runs are kept. Ledger rows live as long as their impression."""
    lease: Interval = timedelta(seconds=10)
    """Leadership; a new leader takes over within three of these."""

    @model_validator(mode="before")
    @classmethod
    def _ask_for_the_url(cls, data: Any) -> Any:
        """Where the whole section is left out, its one key without default is missing."""
        return {"database": {}, **data} if isinstance(data, dict) else data

    def contradictions(self) -> Iterator[InvalidValueError]:
        # a batch that outlives the lease would lose its work to the next leader
        yield from self.out_of_order("healing.pace.batch_target", "lease")
        writers, pool_size = self.healing.pace.writers, self.database.pool_size
        if writers > 1 and writers >= pool_size:
            # One stays for the lease, and for whoever looks who waits for a batch.
            remedy = "raise database.pool_size or lower healing.pace.writers"
            keys = ("healing.pace.writers", "database.pool_size")
            yield InvalidValueError(
                "fewer writers than connections", f"{writers} of {pool_size}", remedy, *keys
            )
        schema = self.database.state_schema
        for group in ("artworks", "users", "impressions", "pairs.through"):
            named = attrgetter(group)(self.catalog)
            table = "" if named is None else named.table
            if table.startswith((f"{schema}.", f'"{schema}".')):
                found = f"{repr_safe(schema)}, which holds {table}"
                remedy = "choose another: uninstall drops the schema"
                keys = ("database.state_schema", f"catalog.{group}.table")
                yield InvalidValueError("a schema of its own", found, remedy, *keys)
        yield from self._of_repairs()

    def _of_repairs(self) -> Iterator[InvalidValueError]:
        """Names that are taken, checks that are not there."""
        schema, known, taken = self.database.state_schema, self.checks.names(), dict[str, int]()
        for index, repair in enumerate(self.repairs):
            first = taken.setdefault(repair.name, index)
            if first != index:
                found = f"{repr_safe(repair.name)}, the name of repairs[{first}]"
                key: tuple[str | int, ...] = ("repairs", index, "name")
                yield InvalidValueError("a name of its own", found, "choose another", key)
            if isinstance(repair.check, str) and repair.check not in known:
                close = suggestion(repair.check, known)
                remedy = f"did you mean {close}?" if close else "name one of `checks`"
                key = ("repairs", index, "check")
                yield InvalidValueError("the name of a check", repr_safe(repair.check), remedy, key)
            named = repair.table if isinstance(repair.table, str) else ""
            if named.startswith((f"{schema}.", f'"{schema}".')):
                found = f"one of the service's own ({repair.table})"
                key = ("repairs", index, "table")
                yield InvalidValueError("a table of the app", found, "name another", key)

    @model_validator(mode="after")
    def _read_moments_in_the_catalogues_zone(self) -> Self:
        before = self.pools.legacy_created_before
        if before is None or before.tzinfo is not None:
            return self
        moment = with_zone(before, self.catalog.timezone)
        pools = self.pools.model_copy(update={"legacy_created_before": moment})
        return self.model_copy(update={"pools": pools})

    def catalog_spec(self) -> CatalogueSpec:
        """The tables, in the words of `checks`."""
        catalog = self.catalog
        impressions, through = catalog.impressions, catalog.pairs.through
        return CatalogueSpec(
            artworks=ArtworksSpec(**dict(catalog.artworks)),
            users=UsersSpec(**dict(catalog.users)),
            impressions=ImpressionsSpec(
                **{
                    **dict(impressions),
                    "set": MappingProxyType(dict(impressions.set)),
                    "defaults": MappingProxyType(dict(impressions.defaults)),
                }
            ),
            pairs=PairsSpec(
                same=catalog.pairs.same,
                through=None if through is None else ThroughSpec(**dict(through)),
            ),
            timezone=catalog.timezone,
            accept=catalog.accept,
        )

    def pools_spec(self) -> PoolsSpec:
        """The cutoffs of the pools, in the words of `checks`. Every moment has a time zone."""
        return PoolsSpec(**self.pools.model_dump())


def load_config(path: Path, environ: Mapping[str, str]) -> Settings:
    """The configuration in the file at `path`.

    Raises InvalidConfigError with every mistake that can be found in one go.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        remedy = "write one, or name another with -c; `conservator` alone says how to begin"
        raise unusable(str(path), "a configuration file", "none", remedy) from None
    except OSError as error:
        reason = error.strerror or "another"
        raise unusable(str(path), "a readable file", reason, "correct that") from None
    except UnicodeDecodeError:
        remedy = "save the file as UTF-8"
        raise unusable(str(path), "UTF-8 text", "other bytes", remedy) from None
    return parse_config(text, environ, source=str(path), base_dir=path.parent)


def parse_config(
    text: str, environ: Mapping[str, str], *, source: str, base_dir: Path | None
) -> Settings:
    """The configuration in `text`, which came from `source`.

    Files that it names are looked for from `base_dir` on, or else from the working directory.
    Raises InvalidConfigError with every mistake that can be found in one go.
    """
    errors = ErrorCollector()
    data = read_yaml(text, environ, source, errors)
    _take_admin_token(data, environ)
    return validate(Settings, data, errors, base_dir or Path())


def _take_admin_token(data: dict[str, Any], environ: Mapping[str, str]) -> None:
    """The default of server.admin_token is a variable, where the file says nothing of it."""
    server = {} if data.get("server") is None else data["server"]
    if isinstance(server, dict) and not server.keys() & {"admin_token", "admin_token_file"}:
        data["server"] = {**server, "admin_token": Expanded(environ.get(ADMIN_TOKEN, ""))}
