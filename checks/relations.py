"""Facts about the three tables, exactly as PostgreSQL's catalogue states them. No judgement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from checks.citus.cluster import Cluster, Distribution
from checks.spec import CatalogueSpec, Moment, SqlMoment, TableRole


class Kind(StrEnum):
    """What a relation is (pg_class.relkind, in words)."""

    TABLE = "table"
    PARTITIONED = "partitioned table"
    VIEW = "view"
    MATERIALIZED_VIEW = "materialized view"
    FOREIGN_TABLE = "foreign table"


TABLES = frozenset({Kind.TABLE, Kind.PARTITIONED})


class Command(StrEnum):
    """What policies of row security are for."""

    SELECT = "SELECT"
    INSERT = "INSERT"
    UPDATE = "UPDATE"
    DELETE = "DELETE"


class Engine(StrEnum):
    """What executes the statements: each has forms of its own where one would not do for both."""

    POSTGRESQL = "postgresql"
    CITUS = "citus"


@dataclass(frozen=True, slots=True)
class Column:
    """A column. `type` is as declared; `cast` is a type name that converts and never truncates."""

    name: str
    type: str
    cast: str
    not_null: bool
    has_default: bool
    """A default, an identity, or generated: an insert may leave it out."""
    category: str
    """pg_type.typcategory of the base type: D date/time, S string, N number, U user-defined …"""
    has_time_zone: bool
    """True for timestamptz; False for timestamp, date and everything else."""
    orderable: bool
    """A btree operator class exists for the type."""
    required: bool = False
    """An insert must give a value: nulls are refused and nothing else supplies one."""
    generated: bool = False
    """GENERATED ALWAYS, as an expression or an identity: an insert may not give a value."""
    default: str | None = None
    """The default's SQL expression."""
    oid: int = 0
    """pg_type.oid of the type as declared."""
    base_oid: int = 0
    """pg_type.oid of the type that `cast` names."""
    collation_oid: int = 0
    """pg_collation.oid; 0 where the type has none."""
    collation: str | None = None
    """By which it sorts and compares, quoted; None for that of the base type."""

    @property
    def storage(self) -> str:
        """What a column of ours is that holds its values: sorted as the original, and of the type
        under a domain, because that may admit no NULL and no '' for "none yet"."""
        type_name = self.type if self.oid == self.base_oid else self.cast
        return type_name if self.collation is None else f"{type_name} COLLATE {self.collation}"


def named_moment(role: str, key: str) -> str:
    """What a moment that is an expression is called in our statements, beside the table's own
    columns: nobody else calls a column so."""
    return f"catalog.{role}.{key}"


@dataclass(frozen=True, slots=True)
class Index:
    """An index. `columns` are its key columns in order, None for an expression."""

    name: str
    columns: tuple[str | None, ...]
    included: tuple[str, ...]
    method: str
    unique: bool
    primary: bool
    valid: bool
    """indisvalid and indisready: the planner uses it and it is enforced."""
    partial: bool
    immediate: bool
    """False for a deferrable constraint, which can't arbitrate ON CONFLICT."""
    constraint: str | None = None
    """The constraint that owns the index: it is dropped with that, not by DROP INDEX."""
    predicate: str | None = None
    """The WHERE clause, as PostgreSQL writes it out; None where there is none to name."""
    predicate_columns: tuple[str, ...] = ()
    """The columns in it."""

    @property
    def arbitrates(self) -> bool:
        """It makes its columns unique in all rows, and ON CONFLICT may name it: no other index than
        a btree is unique but those of WITHOUT OVERLAPS, which it may not."""
        whole = self.valid and self.immediate and not self.partial
        return self.unique and self.method == "btree" and whole

    @property
    def serves_every_row(self) -> bool:
        """The planner may walk it in the order of its columns, and finds every row there."""
        return self.valid and not self.partial and self.method == "btree"


@dataclass(frozen=True, slots=True)
class Arbiter:
    """What ON CONFLICT names: a unique index by which a pair has one impression that counts."""

    columns: tuple[str, ...]
    """User, artwork, and what is the same in every row that counts."""
    predicate: str | None = None
    """SQL over the table, of a partial index."""
    index: str = ""
    """Its name, for a person."""


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A foreign key of the relation. `target_oid` is the referenced table's."""

    name: str
    columns: tuple[str, ...]
    target_oid: int
    target: str
    target_columns: tuple[str, ...]
    validated: bool
    """convalidated, and on PostgreSQL 18 conenforced too; `enforced` at the moment."""
    enforced: bool = True
    """False for NOT ENFORCED, and where the key's triggers are disabled."""


@dataclass(frozen=True, slots=True)
class RowSecurity:
    """Row security of a table that a relation reads: it applies to the role that reads there."""

    relation: int
    """The oid of the relation that is read: the table itself, or a view above it."""
    viewer: str
    """The role that was asked about."""
    schema: str
    name: str
    role: str
    """By whose policies: the viewer's, or those of the owner of a view."""
    open_for: frozenset[Command]
    """For what a policy certainly lets the role have every row."""
    restrictive: tuple[str, ...]
    """Restrictive policies that apply to the role."""
    policies: tuple[str, ...]
    """The names of all policies of the table."""
    named: bool
    """The role owns the table, or a policy names it: it may well be the app's own."""
    service_roles: tuple[str, ...]
    """The service's roles, where the viewer is one of them or a member."""

    @property
    def shows_every_row(self) -> bool:
        """It is certain that no row is hidden from the role."""
        return Command.SELECT in self.open_for

    @property
    def by_owner_of_view(self) -> bool:
        """A view reads the table with its owner's rights."""
        return self.role != self.viewer


@dataclass(frozen=True, slots=True)
class Written:
    """A relation beneath a view."""

    schema: str
    name: str
    columns: Mapping[str, str]
    """Its column by the view's."""


@dataclass(frozen=True, slots=True)
class Base:
    """The one table whose rows a view shows, each at most once."""

    relation: Relation
    """As it is, with its own names."""
    columns: Mapping[str, str]
    """Its column by the view's; those that the view computes are left out."""
    filtering: frozenset[str | None] = frozenset()
    """Its columns by which rows are shown or not; None for what can't be named."""
    defaults: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """By its column: the default of a view above it, which comes before its own."""
    written_by_role: tuple[Written, ...] = ()
    """What is written to by the rights of whoever writes to the view, down to the table."""


@dataclass(frozen=True, slots=True)
class Relation:
    """One table as it really is. Of a view of one table, what that proves of the view's rows."""

    configured: str
    """The name in the configuration."""
    oid: int
    schema: str
    name: str
    kind: Kind
    columns: Mapping[str, Column]
    indexes: tuple[Index, ...]
    foreign_keys: tuple[ForeignKey, ...]
    row_security: tuple[RowSecurity, ...]
    """Where row security applies to the connected role; empty: nowhere, it is above it."""
    can_select: bool
    """SELECT on every column that this service reads, which may be all (`reads_whole_rows`)."""
    can_insert: bool
    """INSERT on every column that this service writes (impressions only)."""
    can_delete: bool
    insert_triggers: tuple[str, ...]
    """Enabled user triggers that fire on INSERT."""
    publications: tuple[str, ...]
    estimated_rows: int
    """pg_class.reltuples, summed over partitions; 0 where never analysed."""
    total_bytes: int
    """Table, TOAST and indexes, summed over partitions."""
    row_bytes: int
    """The pages of its rows alone, without TOAST and indexes."""
    visible_bytes: int
    """Those pages of them of which VACUUM found every row visible to all: what lies there is read
    from an index alone."""
    can_update: bool = True
    """UPDATE on every column that `impressions.set` names."""
    can_use_schema: bool = True
    """USAGE on the schema, without which no other privilege counts."""
    row_changing_triggers: tuple[str, ...] = ()
    """Those of `insert_triggers` that see each row before it is there, and may change it."""
    update_triggers: tuple[str, ...] = ()
    """Enabled user triggers that fire on UPDATE, be it of certain columns."""
    write_rules: tuple[str, ...] = ()
    """Rules on INSERT or UPDATE, with which PostgreSQL refuses ON CONFLICT."""
    inherited_by: tuple[str, ...] = ()
    """Inheritance children (not partitions): read together with it, bound by none of its keys."""
    partition_key: tuple[str | None, ...] = ()
    """Columns of the partition key, None for an expression; empty where not partitioned."""
    analysed: bool = True
    """ANALYZE has seen it: `estimated_rows` is an estimate and not just unknown."""
    moments: Mapping[str, Column] = field(default_factory=lambda: MappingProxyType({}))
    """The configured moments that are expressions, by their keys: the type of each, under the name
    that it has in our statements (`named_moment`)."""
    distribution: Distribution | None = None
    """How Citus spreads it; None for a plain table. A spread one has no estimate of its rows here:
    the coordinator's statistics are those of an empty table."""

    base: Base | None = None
    """Of a view of one table."""
    obstacles: tuple[str, ...] = ()
    """Of a view, why nothing can be written through it: each completes "it …"."""

    @property
    def takes_writes(self) -> bool:
        """A table, or a view through which PostgreSQL writes by itself."""
        return self.kind in TABLES or (self.base is not None and not self.obstacles)

    @property
    def beneath(self) -> Relation:
        """What holds the rows: the table beneath a view, or itself."""
        return self if self.base is None else self.base.relation

    def beneath_columns(self, *names: str) -> tuple[str, ...]:
        """What these columns are called there."""
        return names if self.base is None else tuple(self.base.columns.get(n, n) for n in names)

    def is_hashed_by(self, column: str) -> bool:
        """Whether Citus keeps it in hash shards by `column`."""
        return self.distribution is not None and self.distribution.is_hash_by(column)

    def unique_on(self, *columns: str) -> Index | None:
        """An index that proves `columns` unique, in any order: valid, immediate, not partial.

        None for an inheritance parent, whose keys don't bind the children read with it.
        """
        if self.inherited_by:
            return None
        wanted = frozenset(columns)
        for index in self.indexes:
            fits = len(index.columns) == len(wanted) and frozenset(index.columns) == wanted
            if fits and index.arbitrates:
                return index
        return None

    def arbiter_on(self, *columns: str) -> Arbiter | None:
        """The index that proves them unique, for ON CONFLICT."""
        index = self.unique_on(*columns)
        return None if index is None else Arbiter(columns, None, index.name)

    def key_beside(self, column: str) -> tuple[str, ...]:
        """The columns that make a row known only together with `column`: those beside it in the
        primary key, else in another unique index; none where it is unique by itself."""
        if self.unique_on(column) is not None:
            return ()
        keys = [one for one in self.indexes if one.arbitrates and column in one.columns]
        for index in sorted(keys, key=lambda one: not one.primary):
            others = tuple(name for name in index.columns if name is not None and name != column)
            if len(others) + 1 == len(index.columns):
                return others
        return ()

    def index_leading_with(self, column: str, *, beside: str | None = None) -> Index | None:
        """A usable btree index over all rows whose first key column is `column`, and which has
        `beside`, too."""
        for index in self.indexes:
            has = beside is None or beside in (*index.columns, *index.included)
            if has and index.serves_every_row and index.columns[0] == column:
                return index
        return None

    def foreign_keys_to(
        self, target: Relation, column: str, target_column: str
    ) -> tuple[ForeignKey, ...]:
        """The foreign keys from `column` to `target_column` of `target`, validated or not."""
        wanted = (target.oid, (column,), (target_column,))
        return tuple(
            key
            for key in self.foreign_keys
            if (key.target_oid, key.columns, key.target_columns) == wanted
        )

    def foreign_key_to(
        self, target: Relation, column: str, target_column: str
    ) -> ForeignKey | None:
        """A validated foreign key among them: it proves that each row's target exists.

        None for an inheritance parent, as for `unique_on`.
        """
        keys = () if self.inherited_by else self.foreign_keys_to(target, column, target_column)
        return next((key for key in keys if key.validated), None)

    def key_of(self, column: str) -> ForeignKey | None:
        """A validated foreign key by which `column`, where it is not null, names what is there, in
        whatever table: alone, or beside columns that are never null."""
        if self.inherited_by:
            return None
        for key in self.foreign_keys:
            others = [self.columns[name] for name in key.columns if name != column]
            if key.validated and column in key.columns and all(one.not_null for one in others):
                return key
        return None


@dataclass(frozen=True, slots=True)
class OtherRelation:
    """A relation beside those configured that the operator's SQL reads, or that is beneath a view
    which reads by the rights of whoever reads it (security_invoker)."""

    oid: int
    schema: str
    name: str
    can_use_schema: bool
    can_select: bool
    """SELECT on all of it; beneath a view, on what views name of it."""
    settings: tuple[str, ...] = ()
    """Those whose SQL names it, or whose view reads it."""
    row_security: tuple[RowSecurity, ...] = ()
    """Where row security applies to the connected role."""


def engine_of(*relations: Relation) -> Engine:
    """One table that Citus plans is enough: every statement joins it."""
    spread = any(relation.distribution is not None for relation in relations)
    return Engine.CITUS if spread else Engine.POSTGRESQL


def moment_column(relation: Relation, key: str, moment: Moment) -> Column | None:
    """The column that holds the moment `key`, or the expression as one; None where it is not
    there."""
    if isinstance(moment, SqlMoment):
        return relation.moments.get(key)
    return relation.columns.get(moment)


def _moment(relation: Relation, key: str, moment: Moment) -> Column:
    column = moment_column(relation, key, moment)
    assert column is not None, "a catalogue is made where nothing is missing"
    return column


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The relations together with what the operator said about them."""

    spec: CatalogueSpec
    artworks: Relation
    users: Relation
    impressions: Relation
    server_version: int
    """server_version_num, for example 150018."""
    role: str
    """current_user of the connection that read this."""
    through: Relation | None = None
    """What lists the pairs, where anything does."""
    engine: Engine = Engine.POSTGRESQL
    """Which forms of the statements these tables need."""
    cluster: Cluster | None = None
    """The Citus extension; None where it is not installed."""
    named_sequences: tuple[tuple[str, str], ...] = ()
    """Column and sequence, for each that new impressions draw from by an expression."""
    read_elsewhere: tuple[OtherRelation, ...] = ()
    """What else the operator's SQL reads."""
    proven: Arbiter | None = None
    """What `read_arbiter` found beyond an index on exactly the pair."""

    @property
    def relations(self) -> tuple[tuple[TableRole, Relation], ...]:
        """Every relation that the operator named, with what it is."""
        found = (self.artworks, self.users, self.impressions)
        through = self.spec.through_role
        listed = () if through is None or self.through is None else ((through, self.through),)
        return (*zip(self.spec.roles, found, strict=True), *listed)

    @property
    def created(self) -> Column:
        """When an artwork was created."""
        return _moment(self.artworks, "created_at", self.spec.artworks.created_at)

    @property
    def joined(self) -> Column | None:
        """When a user was created; None where the operator does not say."""
        moment = self.spec.users.created_at
        return None if moment is None else _moment(self.users, "created_at", moment)

    @property
    def viewed(self) -> Column | None:
        """When an impression was viewed; None where the table does not say."""
        moment = self.spec.impressions.viewed_at
        return None if moment is None else _moment(self.impressions, "viewed_at", moment)

    @property
    def since(self) -> Column | None:
        """Since when a listed pair is one; None where the operator does not say."""
        through = self.spec.pairs.through
        if through is None or through.since is None or self.through is None:
            return None
        return _moment(self.through, "since", through.since)

    @property
    def arbiter(self) -> Arbiter | None:
        """What ON CONFLICT can name; None where several impressions a pair are possible."""
        spec = self.spec.impressions
        return self.impressions.arbiter_on(spec.user, spec.artwork) or self.proven

    @property
    def is_plain(self) -> bool:
        """What was written is known by the pair and its moment, as `ImpressionsSpec.is_plain` says,
        and a view shows whatever is written."""
        return self.spec.impressions.is_plain and self.shows_every_row

    @property
    def shows_every_row(self) -> bool:
        """No row of the table is kept from us by a view's WHERE: one that we don't see is gone."""
        base = self.impressions.base
        return base is None or not base.filtering

    @property
    def counts_every_row(self) -> bool:
        """Each row of the table is an impression, so that an index alone can count them."""
        spec = self.spec.impressions
        return spec.where is None and spec.counts is None and self.shows_every_row

    @property
    def row_key(self) -> tuple[str, ...]:
        """The columns that tell rows of the impressions apart; none where nothing does."""
        if self.spec.impressions.key:
            return self.spec.impressions.key
        primary = (one.columns for one in self.impressions.indexes if one.primary)
        return tuple(name for name in next(primary, ()) if name is not None)

    @property
    def pair_is_unique(self) -> bool:
        """A pair can have at most one impression that counts: an arbiter, and neither column is
        nullable."""
        spec = self.spec.impressions
        columns = self.impressions.columns
        return (
            self.arbiter is not None
            and columns[spec.user].not_null
            and columns[spec.artwork].not_null
        )

    @property
    def impressions_belong_to_users(self) -> bool:
        """Every impression's user exists: a validated foreign key to the configured users table."""
        spec = self.spec
        return (
            self.impressions.foreign_key_to(self.users, spec.impressions.user, spec.users.id)
            is not None
        )

    @property
    def impressions_belong_to_artworks(self) -> bool:
        """Every impression's artwork exists: a validated foreign key to the configured table."""
        spec = self.spec
        return (
            self.impressions.foreign_key_to(
                self.artworks, spec.impressions.artwork, spec.artworks.id
            )
            is not None
        )
