"""The pieces that the statements are made of, for one catalogue: tables, filters, pairs, audience.

Every `where` of the operator is applied inside a subselect over its own table alone, so that its
column names can't become ambiguous in a join.

A column without time zone is read in `catalog.timezone`. Where a clock was set back, it showed an
hour twice and the column does not say which one is meant: PostgreSQL takes the later. A check that
accuses a row has to hold under both readings (`MomentColumn.first` and `last`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from psycopg import sql

from checks.citus.forms import materializations, tracked_audience
from checks.relations import Catalogue, Column, Engine, Relation
from checks.spec import Audience, PoolsSpec
from checks.statements import Fragments, identifier, operator_sql, raw

_NO_FILTER = raw("TRUE")

SKEW = timedelta(minutes=5)
"""How far the clocks of app servers and database may lie apart before a time counts as wrong."""

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
        if self.column.cast != "date":
            return self.moment()
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
    spec = catalogue.spec
    return MomentColumn(catalogue.artworks.columns[spec.artworks.created_at], spec.timezone)


def viewed_column(catalogue: Catalogue) -> MomentColumn:
    """When an impression was viewed."""
    spec = catalogue.spec
    return MomentColumn(catalogue.impressions.columns[spec.impressions.viewed_at], spec.timezone)


def _filter(where: str | None) -> sql.Composable:
    # The line break keeps a trailing comment in the operator's SQL from swallowing the bracket.
    return _NO_FILTER if where is None else sql.SQL("({}\n)").format(operator_sql(where))


def counted_artworks(
    catalogue: Catalogue, condition: sql.Composable | None = None
) -> sql.Composable:
    """The counted artworks (id, created_at, and owner_id where there is one) as a subselect.

    `condition` is about the table's own columns, and leaves out more than missing creation times.
    """
    spec = catalogue.spec.artworks
    owner = (
        sql.SQL("")
        if spec.owner is None
        else sql.SQL(", {} AS owner_id").format(identifier(spec.owner))
    )
    if condition is None:
        condition = sql.SQL("{} IS NOT NULL").format(identifier(spec.created_at))
    return sql.SQL(
        "(SELECT {id} AS id, {moment} AS created_at{owner}"
        " FROM {table} WHERE {condition} AND {filter})"
    ).format(
        id=identifier(spec.id),
        moment=created_column(catalogue).moment(),
        owner=owner,
        table=table(catalogue.artworks),
        condition=condition,
        filter=_filter(spec.where),
    )


def _counted_users(catalogue: Catalogue) -> sql.Composable:
    spec = catalogue.spec.users
    created = (
        sql.SQL("NULL::timestamptz")
        if spec.created_at is None
        else MomentColumn(
            catalogue.users.columns[spec.created_at], catalogue.spec.timezone
        ).moment()
    )
    return sql.SQL(
        "(SELECT {id} AS id, {created} AS created_at FROM {table} WHERE {filter})"
    ).format(
        id=identifier(spec.id),
        created=created,
        table=table(catalogue.users),
        filter=_filter(spec.where),
    )


def _pairs(catalogue: Catalogue) -> sql.Composable:
    spec = catalogue.spec.impressions
    return sql.SQL(
        "(SELECT {distinct}{user} AS user_id, {artwork} AS artwork_id FROM {table})"
    ).format(
        distinct=raw("" if catalogue.pair_is_unique else "DISTINCT "),
        user=identifier(spec.user),
        artwork=identifier(spec.artwork),
        table=table(catalogue.impressions),
    )


def in_audience(catalogue: Catalogue, pools: PoolsSpec, user_id: str) -> sql.Composable:
    """The condition under which the user `user_id` (an SQL expression) belongs to the audience."""
    if pools.audience is Audience.ALL:
        return raw("TRUE")
    return sql.SQL(
        "EXISTS (SELECT 1 FROM {table} AS any_impression WHERE any_impression.{user} = {id})"
    ).format(
        table=table(catalogue.impressions),
        user=identifier(catalogue.spec.impressions.user),
        id=raw(user_id),
    )


def _audience(
    catalogue: Catalogue, pools: PoolsSpec, counted_users: sql.Composable
) -> sql.Composable:
    """The audience (id, created_at) as a subselect."""
    if catalogue.engine is Engine.CITUS and pools.audience is Audience.TRACKED:
        user = identifier(catalogue.spec.impressions.user)
        return tracked_audience(table(catalogue.impressions), user, counted_users)
    return sql.SQL("(SELECT u.id, u.created_at FROM {} AS u WHERE {})").format(
        counted_users, in_audience(catalogue, pools, "u.id")
    )


_IS_LEGACY = raw(
    "(a.created_at <= %(legacy_until)s"
    " AND a.created_at < coalesce(%(created_before)s::timestamptz, 'infinity'))"
)
"""Artwork `a` is old enough to be legacy: the part of the definition that no user changes."""


def fragments(catalogue: Catalogue, pools: PoolsSpec) -> Fragments:
    """Every fragment that the SELECTs of `checks/sql` may name."""
    spec = catalogue.spec
    counted_users = _counted_users(catalogue)
    return {
        "artworks": table(catalogue.artworks),
        "users": table(catalogue.users),
        "impressions": table(catalogue.impressions),
        "user": identifier(spec.impressions.user),
        "artwork": identifier(spec.impressions.artwork),
        "viewed_at": identifier(spec.impressions.viewed_at),
        "impression_user_cast": raw(catalogue.impressions.columns[spec.impressions.user].cast),
        "impression_artwork_cast": raw(
            catalogue.impressions.columns[spec.impressions.artwork].cast
        ),
        "user_cast": raw(catalogue.users.columns[spec.users.id].cast),
        "artwork_cast": raw(catalogue.artworks.columns[spec.artworks.id].cast),
        "counted_artworks": counted_artworks(catalogue),
        "counted_users": counted_users,
        "pairs": _pairs(catalogue),
        "audience": _audience(catalogue, pools, counted_users),
        "everybody_counts": raw("TRUE" if pools.audience is Audience.ALL else "FALSE"),
        **materializations(catalogue.engine),
        "in_audience": in_audience(catalogue, pools, "u.id"),
        "is_legacy": _IS_LEGACY,
        "is_owned": raw("TRUE" if spec.artworks.owner is None else "a.owner_id = u.id"),
        "not_before_user": raw("coalesce(u.created_at <= a.created_at, TRUE)"),
        "artworks_filter": _filter(spec.artworks.where),
        "users_filter": _filter(spec.users.where),
        "artwork_created": identifier(spec.artworks.created_at),
        "artwork_created_moment": created_column(catalogue).moment(),
        "artwork_id": identifier(spec.artworks.id),
        "user_id": identifier(spec.users.id),
        "viewed_moment": viewed_column(catalogue).moment(),
    }
