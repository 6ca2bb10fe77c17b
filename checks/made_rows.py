"""What a row of ours is made of: the operator's expressions, and the rows that they may read.

An expression of `impressions.set` or `defaults` is SQL over `viewed_at`, the moment that is
written, and over the pair's own rows: `artwork`, `"user"` and `pair`, which is the row of
`pairs.through`. Whoever writes a row and whoever asks whether it may be written compose it here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from psycopg import sql

from checks.fragments import rows_of, viewed_column
from checks.relations import Catalogue, Relation
from checks.statements import compose, identifier, operator_sql, raw

ARTWORK, USER, PAIR = "artwork", "user", "pair"
"""What an expression calls the pair's own rows."""
NO_MOMENT = datetime(2000, 1, 1, tzinfo=UTC)
"""Bound as `now` where expressions are not evaluated."""

_VALUE = "(SELECT ({expression}\n)::{type} FROM {moment})"
_BARE = "(SELECT ({expression}\n) FROM {moment})"
# In WHERE, PostgreSQL refuses aggregates, window functions and functions that return sets.
_FITS = "EXISTS (SELECT FROM {moment} WHERE (({expression}\n)::{type}) IS NOT NULL)"


def value_of(catalogue: Catalogue, column: str, expression: str) -> sql.Composable:
    """The expression as a value of the column's type, where FROM has `value_sources`. The moment
    that is written is bound as `now`."""
    return compose(_VALUE, _parts(catalogue, column, expression))


def bare_value(catalogue: Catalogue, column: str, expression: str) -> sql.Composable:
    """The same in the type that it has by itself: for who asks, and not for who writes."""
    return compose(_BARE, _parts(catalogue, column, expression))


def fits_column(catalogue: Catalogue, column: str, expression: str) -> sql.Composable:
    """A condition that PostgreSQL refuses unless the expression is one value that fits the
    column. Names mean in it what they do in `value_of`."""
    return compose(_FITS, _parts(catalogue, column, expression))


def value_sources(catalogue: Catalogue, expressions: Iterable[str]) -> sql.Composable:
    """The joins that follow `… AS m`, with `m.user_id` and `m.artwork_id`, in a FROM: the rows of
    that pair that the expressions mention, of those that their `where` admits."""
    spec, told = catalogue.spec, " ".join(expressions)
    joins: list[sql.Composable] = []
    for role, relation, alias, id_ in (
        (spec.roles[0], catalogue.artworks, ARTWORK, "m.artwork_id"),
        (spec.roles[1], catalogue.users, USER, "m.user_id"),
    ):
        if mentions(told, alias):
            joins.append(
                sql.SQL(" JOIN {} AS {alias} ON {alias}.{} = {}").format(
                    rows_of(role, relation, role.where),
                    identifier(role.ids[0]),
                    raw(id_),
                    alias=identifier(alias),
                )
            )
    if mentions(told, PAIR) and catalogue.through is not None:
        joins.append(_listed(catalogue, catalogue.through))
    return sql.SQL("").join(joins)


def no_pair(catalogue: Catalogue, expressions: Iterable[str]) -> sql.Composable:
    """A FROM in which expressions can be asked about, and no row is found."""
    spec = catalogue.spec
    return sql.SQL("(SELECT NULL::{} AS user_id, NULL::{} AS artwork_id) AS m{}").format(
        operator_sql(catalogue.users.columns[spec.users.id].cast),
        operator_sql(catalogue.artworks.columns[spec.artworks.id].cast),
        value_sources(catalogue, expressions),
    )


def mentions(text: str, name: str) -> bool:
    """Whether SQL may name it: too often costs nothing but a join or a question."""
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE) is not None


def _parts(catalogue: Catalogue, column: str, expression: str) -> dict[str, sql.Composable]:
    return {
        "expression": operator_sql(expression),
        "type": operator_sql(catalogue.impressions.columns[column].cast),
        "moment": sql.SQL("(SELECT {} AS viewed_at) AS moment").format(_written_moment(catalogue)),
    }


def _written_moment(catalogue: Catalogue) -> sql.Composable:
    """As the column holds it, where `viewed_at` is a column."""
    viewed = catalogue.viewed
    is_column = viewed is not None and viewed.name in catalogue.spec.impressions.filled
    if viewed is None or not is_column or viewed.category != "D":  # D: a moment, or not counted
        return raw("%(now)s::timestamptz")
    stored = viewed_column(catalogue).stored("now")
    return sql.SQL("{}::{}").format(stored, operator_sql(viewed.type))


def _listed(catalogue: Catalogue, through: Relation) -> sql.Composable:
    """One of the rows that list the pair, always the same."""
    role, spec = catalogue.spec.through_role, catalogue.spec.pairs.through
    assert role is not None and spec is not None, "there is such a relation"
    key = next((index for index in through.indexes if index.primary), None)
    names = [name for name in key.columns if name] if key is not None else list(through.columns)
    order = [name for name in names if through.columns[name].orderable]
    return sql.SQL(
        " CROSS JOIN LATERAL (SELECT l.* FROM {listed} AS l WHERE l.{user} = m.user_id"
        " AND l.{artwork} = m.artwork_id ORDER BY {order} LIMIT 1) AS pair"
    ).format(
        listed=rows_of(role, through, role.where),
        user=identifier(spec.user),
        artwork=identifier(spec.artwork),
        order=sql.SQL(", ").join(identifier("l", name) for name in order),
    )
