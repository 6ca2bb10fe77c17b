"""The pieces that the statements are made of, for one catalogue: tables, filters, pairs, audience.

Every expression of the operator over one table (`where`, `counts`, a moment as `{sql: …}`) is
applied inside a subselect over that table alone, so that its column names can't become ambiguous in
a join. A moment that is an expression is a further column there, `named_moment`; so statements name
moments as columns, whatever they are. PostgreSQL flattens these subselects.

A column without time zone is read in `catalog.timezone`. Where a clock was set back, it showed an
hour twice and the column does not say which one is meant: PostgreSQL takes the later. A check that
accuses a row has to hold under both readings (`MomentColumn.first` and `last`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType

from psycopg import sql

from checks.citus.forms import materializations, shown_pairs, tracked_audience
from checks.page_visits import among_pages
from checks.pair_fragments import pair_fragments
from checks.relations import Catalogue, Column, Engine, Kind, Relation, named_moment
from checks.spec import Audience, PoolsSpec, TableRole
from checks.statements import Fragments, identifier, operator_sql, raw

_NO_FILTER = raw("TRUE")

SKEW = timedelta(minutes=5)
"""How far the clocks of app servers and database may lie apart before a time counts as wrong."""

DATE = "date"
"""The type of a moment that is known to the day."""

# Zones lie at most 27 hours apart, so no change of a zone's offset moves a clock by two days.
_LONGEST_STEP = "interval '2 days'"


def table(relation: Relation) -> sql.SQL:
    """The relation's name, quoted and schema-qualified."""
    return identifier(relation.schema, relation.name)


@dataclass(frozen=True, slots=True)
class MomentColumn:
    """A column that holds moments; without a time zone of its own it is read in `timezone`."""

    column: Column
    timezone: str
    step: timedelta = timedelta(0)
    """To what its values were cut down, apart from what the type says of that."""

    def moment(self, alias: str | None = None) -> sql.Composable:
        """The column as timestamptz. `alias` is the name that its table has in the statement."""
        name = self._name if alias is None else identifier(alias, self.column.name)
        if self.column.has_time_zone:
            return name
        return sql.SQL("({}::timestamp AT TIME ZONE {})").format(name, sql.Literal(self.timezone))

    def stored(self, parameter: str) -> sql.Composable:
        """The bound moment `parameter`, converted to what the column stores."""
        bound = raw(f"%({parameter})s::timestamptz")
        if self.column.has_time_zone:
            return bound
        return sql.SQL("({} AT TIME ZONE {})").format(bound, sql.Literal(self.timezone))

    def first(self) -> sql.Composable:
        """The earliest moment that the column's value may mean.

        It reads the clock as it went a day before as well: for a day after a clock was set back
        that is more patience than need be, and at no other time.
        """
        if self.column.has_time_zone:
            return self.moment()
        return sql.SQL(
            "least({usual}, (({column}::timestamp - interval '1 day') AT TIME ZONE {zone})"
            " + interval '24 hours')"
        ).format(usual=self.moment(), column=self._name, zone=sql.Literal(self.timezone))

    def last(self) -> sql.Composable:
        """The latest moment that the column's value may mean: for a date, the end of the day."""
        if self.column.cast != DATE:
            step = sql.SQL("({} + {}::interval)").format(self.moment(), sql.Literal(self.step))
            return step if self.step else self.moment()
        return sql.SQL("(({} + 1)::timestamp AT TIME ZONE {})").format(
            self._name, sql.Literal(self.timezone)
        )

    def not_long_before(self, parameter: str) -> sql.Composable:
        """A condition that an index on the column and its statistics can answer.

        It lets through every row whose moment is not before the bound moment `parameter`, and some
        that are, where the column has no time zone: an exact comparison has to follow.
        """
        step = "" if self.column.has_time_zone else f" - {_LONGEST_STEP}"
        return raw(f"{{}} >= {{}}{step}").format(self._name, self.stored(parameter))

    def not_long_after(self, parameter: str) -> sql.Composable:
        """The same for rows whose moment is not after `parameter`; NULL is not let through."""
        step = "" if self.column.has_time_zone else f" + {_LONGEST_STEP}"
        return raw(f"{{}} <= {{}}{step}").format(self._name, self.stored(parameter))

    @property
    def _name(self) -> sql.SQL:
        return identifier(self.column.name)


def created_column(catalogue: Catalogue) -> MomentColumn:
    """When an artwork was created."""
    return MomentColumn(catalogue.created, catalogue.spec.timezone)


def viewed_column(catalogue: Catalogue) -> MomentColumn:
    """When an impression was viewed; where the table does not say, NULL for every row."""
    viewed = catalogue.viewed
    return MomentColumn(_UNKNOWN_MOMENT if viewed is None else viewed, catalogue.spec.timezone)


_TIMESTAMPTZ = 1184  # pg_type.oid, the same everywhere
_UNKNOWN_MOMENT = Column(
    name=named_moment("impressions", "viewed_at"),
    type="timestamp with time zone",
    cast="timestamp with time zone",
    not_null=False,
    has_default=False,
    category="D",
    has_time_zone=True,
    orderable=True,
    oid=_TIMESTAMPTZ,
    base_oid=_TIMESTAMPTZ,
)


def condition(text: str | None) -> sql.Composable:
    """The operator's condition; TRUE where there is none."""
    # The line break keeps a trailing comment in the operator's SQL from swallowing the bracket.
    return _NO_FILTER if text is None else sql.SQL("({}\n)").format(operator_sql(text))


def rows_of(
    role: TableRole,
    relation: Relation,
    *conditions: str | None,
    sample: sql.Composable | None = None,
    besides: Mapping[str, sql.Composable] = MappingProxyType({}),
) -> sql.Composable:
    """The relation's rows that satisfy the operator's conditions, with every moment that is an
    expression as a further column; the bare table where there is neither. `sample`: a TABLESAMPLE
    clause. `besides`: more columns, over the table under its own name.
    """
    further = [
        sql.SQL(", {} AS {}").format(column, identifier(name)) for name, column in besides.items()
    ]
    moments = [
        sql.SQL(", ({}\n) AS {}").format(
            operator_sql(moment.sql), identifier(named_moment(role.key, key))
        )
        for key, moment in role.moments.items()
    ]
    if role.key == "impressions" and "viewed_at" not in {*role.columns, *role.moments}:
        unknown = sql.SQL(", NULL::timestamptz AS {}").format(identifier(_UNKNOWN_MOMENT.name))
        moments.append(unknown)
    moments += further
    told = [condition(text) for text in conditions if text is not None]
    if not moments and not told and sample is None:
        return table(relation)
    return sql.SQL("(SELECT {name}.*{moments} FROM {table} AS {name}{sample} WHERE {told})").format(
        sample=sample or sql.SQL(""),
        name=identifier(relation.name),
        moments=sql.SQL("").join(moments),
        table=table(relation),
        told=sql.SQL(" AND ").join(told or [_NO_FILTER]),
    )


def impressions_of(catalogue: Catalogue, *, sample: sql.Composable | None = None) -> sql.Composable:
    """The rows that count as impressions. `sample`: a TABLESAMPLE clause."""
    role = catalogue.spec.roles[2]
    return rows_of(role, catalogue.impressions, role.where, role.counts, sample=sample)


def rows_in_the_way(catalogue: Catalogue) -> sql.Composable:
    """The rows whose pair gets no impression of ours: those that count and, where nothing brings a
    row to count, every one that is there."""
    role = catalogue.spec.roles[2]
    if catalogue.spec.impressions.leaves_alone:
        return rows_of(role, catalogue.impressions, role.where)
    return impressions_of(catalogue)


def uncounted_rows(catalogue: Catalogue) -> sql.Composable:
    """The rows that are there and do not count."""
    role = catalogue.spec.roles[2]
    uncounted = "FALSE" if role.counts is None else f"({role.counts}\n) IS NOT TRUE"
    return rows_of(role, catalogue.impressions, role.where, uncounted)


_LOOKED_AT = 100_000
_WHOLE = 2 * _LOOKED_AT  # up to here all are looked at
_SAMPLED = frozenset({Kind.TABLE, Kind.PARTITIONED, Kind.MATERIALIZED_VIEW})


def sample_of(relation: Relation) -> sql.Composable | None:
    """A part of the blocks, always the same ones; None where all rows are looked at."""
    if relation.kind not in _SAMPLED or relation.estimated_rows <= _WHOLE:
        return None
    percent = 100 * _LOOKED_AT / relation.estimated_rows
    return sql.SQL(" TABLESAMPLE SYSTEM ({}) REPEATABLE (0)").format(sql.Literal(percent))


def counted_artworks(
    catalogue: Catalogue, admitted: sql.Composable | None = None
) -> sql.Composable:
    """The counted artworks (id, created_at, owner_id where there is one, and same_0, same_1, … for
    the columns in which pairs agree) as a subselect.

    `admitted` is about the table's own columns, and leaves out more than missing creation times.
    """
    spec = catalogue.spec.artworks
    owner = (
        sql.SQL("")
        if spec.owner is None
        else sql.SQL(", {} AS owner_id").format(identifier(spec.owner))
    )
    if admitted is None:
        admitted = sql.SQL("{} IS NOT NULL").format(identifier(catalogue.created.name))
    return sql.SQL(
        "(SELECT {id} AS id, {moment} AS created_at{owner}{shared}"
        " FROM {table} AS counted WHERE {admitted})"
    ).format(
        id=identifier(spec.id),
        moment=created_column(catalogue).moment(),
        owner=owner,
        shared=_shared(one.artwork for one in catalogue.spec.pairs.same),
        table=rows_of(catalogue.spec.roles[0], catalogue.artworks, spec.where),
        admitted=admitted,
    )


def _shared(columns: Iterable[str]) -> sql.Composable:
    named = [
        sql.SQL(", {} AS {}").format(identifier(column), identifier(f"same_{number}"))
        for number, column in enumerate(columns)
    ]
    return sql.SQL("").join(named)


def _counted_users(catalogue: Catalogue) -> sql.Composable:
    spec, joined = catalogue.spec.users, catalogue.joined
    created = (
        sql.SQL("NULL::timestamptz")
        if joined is None
        else MomentColumn(joined, catalogue.spec.timezone).moment()
    )
    return sql.SQL(
        "(SELECT {id} AS id, {created} AS created_at{shared} FROM {table} AS counted)"
    ).format(
        id=identifier(spec.id),
        created=created,
        shared=_shared(one.user for one in catalogue.spec.pairs.same),
        table=rows_of(catalogue.spec.roles[1], catalogue.users, spec.where),
    )


def _pairs(catalogue: Catalogue) -> sql.Composable:
    spec = catalogue.spec.impressions
    return sql.SQL(
        "(SELECT {distinct}{user} AS user_id, {artwork} AS artwork_id FROM {table} AS counted)"
    ).format(
        distinct=raw("" if catalogue.pair_is_unique else "DISTINCT "),
        user=identifier(spec.user),
        artwork=identifier(spec.artwork),
        table=impressions_of(catalogue),
    )


def in_audience(catalogue: Catalogue, pools: PoolsSpec, user_id: str) -> sql.Composable:
    """The condition under which the user `user_id` (an SQL expression) belongs to the audience."""
    if pools.audience is Audience.ALL:
        return raw("TRUE")
    return sql.SQL(
        "EXISTS (SELECT 1 FROM {table} AS any_impression WHERE any_impression.{user} = {id})"
    ).format(
        table=impressions_of(catalogue),
        user=identifier(catalogue.spec.impressions.user),
        id=raw(user_id),
    )


def _audience(
    catalogue: Catalogue, pools: PoolsSpec, counted_users: sql.Composable
) -> sql.Composable:
    """The audience, with the columns of `counted_users`, as a subselect."""
    if catalogue.engine is Engine.CITUS and pools.audience is Audience.TRACKED:
        user = identifier(catalogue.spec.impressions.user)
        return tracked_audience(impressions_of(catalogue), user, counted_users)
    return sql.SQL("(SELECT u.* FROM {} AS u WHERE {})").format(
        counted_users, in_audience(catalogue, pools, "u.id")
    )


def _pairing(catalogue: Catalogue) -> Fragments:
    role, through = catalogue.spec.through_role, catalogue.through
    if role is None or through is None:
        return pair_fragments(catalogue, None, None)
    began = catalogue.since
    since = None if began is None else MomentColumn(began, catalogue.spec.timezone).moment("l")
    return pair_fragments(catalogue, rows_of(role, through, role.where), since)


_IS_LEGACY = raw(
    "(a.created_at <= %(legacy_until)s"
    " AND a.created_at < coalesce(%(created_before)s::timestamptz, 'infinity'))"
)
"""Artwork `a` is old enough to be legacy: the part of the definition that no user changes."""


def fragments(catalogue: Catalogue, pools: PoolsSpec) -> Fragments:
    """Every fragment that the SELECTs of `checks/sql` may name."""
    spec = catalogue.spec
    counted_users = _counted_users(catalogue)
    artworks, users, impressions = spec.roles
    return {
        "artworks": rows_of(artworks, catalogue.artworks),
        "artworks_there": rows_of(artworks, catalogue.artworks, artworks.where),
        "users": rows_of(users, catalogue.users),
        "users_there": rows_of(users, catalogue.users, users.where),
        "impressions": impressions_of(catalogue),
        "impressions_there": rows_of(impressions, catalogue.impressions, impressions.where),
        "impressions_table": table(catalogue.impressions),
        "shows_every_row": raw("TRUE" if catalogue.shows_every_row else "FALSE"),
        "rows_in_the_way": rows_in_the_way(catalogue),
        "uncounted_rows": uncounted_rows(catalogue),
        "user": identifier(spec.impressions.user),
        "artwork": identifier(spec.impressions.artwork),
        "viewed_at": identifier(viewed_column(catalogue).column.name),
        "impression_user_cast": raw(catalogue.impressions.columns[spec.impressions.user].cast),
        "impression_artwork_cast": raw(
            catalogue.impressions.columns[spec.impressions.artwork].cast
        ),
        "user_cast": raw(catalogue.users.columns[spec.users.id].cast),
        "artwork_cast": raw(catalogue.artworks.columns[spec.artworks.id].cast),
        "counted_artworks": counted_artworks(catalogue),
        "counted_users": counted_users,
        "pairs": _pairs(catalogue),
        "shown_pairs": shown_pairs(
            catalogue.engine,
            _pairs(catalogue),
            impressions_of(catalogue),
            identifier(spec.impressions.user),
            identifier(spec.impressions.artwork),
        ),
        "audience": _audience(catalogue, pools, counted_users),
        "everybody_counts": raw("TRUE" if pools.audience is Audience.ALL else "FALSE"),
        **materializations(catalogue.engine),
        "in_audience": in_audience(catalogue, pools, "u.id"),
        "is_legacy": _IS_LEGACY,
        **_pairing(catalogue),
        "artworks_filter": condition(spec.artworks.where),
        "users_filter": condition(spec.users.where),
        "artwork_created": identifier(catalogue.created.name),
        "artwork_created_moment": created_column(catalogue).moment(),
        "artwork_id": identifier(spec.artworks.id),
        "user_id": identifier(spec.users.id),
        "viewed_moment": viewed_column(catalogue).moment(),
    }


def few_artworks(
    catalogue: Catalogue, names: Fragments, *, one_pass: bool = False, by_pages: bool = False
) -> Fragments:
    """`names` for statements about the artworks `%(incomplete)s` alone, whose ids are bound as
    text. Users stay who they are: what makes the audience are all of the impressions, and
    `impressions` may be written to.

    `one_pass`: of the impressions that need their user, too, all are read; no index is offered.
    `by_pages`: they are looked up all at once, as `visiting_pages` has it.
    """
    spec = catalogue.spec.impressions
    ids = raw("%(incomplete)s::text[]::{artwork_cast}[]").format(**names)
    among = raw(" = ANY ({})").format(ids)
    rows = sql.SQL("(SELECT few.* FROM {} AS few WHERE few.{}{})")
    pairs = rows.format(names["pairs"], raw("artwork_id"), among)
    if by_pages:
        # Joined with the artworks, they would be looked up for one after the other.
        pairs = raw("(SELECT few.* FROM {} AS few WHERE {} OFFSET 0)").format(
            names["pairs"], among_pages(raw("few.artwork_id"), ids)
        )
    elif one_pass:
        # An index is used for a column, and not for what is computed of it. PostgreSQL 18 would
        # step through one that begins with the user, which for many users costs several passes.
        pairs = raw(
            "(SELECT few.user_id, coalesce(few.artwork_id, few.artwork_id) AS artwork_id"
            " FROM {} AS few WHERE coalesce(few.artwork_id, few.artwork_id){})"
        ).format(names["pairs"], among)
    return {
        **names,
        "counted_artworks": rows.format(names["counted_artworks"], raw("id"), among),
        "pairs": pairs,
        "shown_pairs": shown_pairs(
            catalogue.engine,
            pairs,
            names["impressions"],
            identifier(spec.user),
            identifier(spec.artwork),
        ),
    }
