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

from checks.fragments import MomentColumn, rows_of, viewed_column
from checks.relations import Catalogue, Relation
from checks.statements import compose, identifier, operator_sql, raw

ARTWORK, USER, PAIR = "artwork", "user", "pair"
"""What an expression calls the pair's own rows."""
NO_MOMENT = datetime(2000, 1, 1, tzinfo=UTC)
"""Bound as `now` where expressions are not evaluated."""

# What an expression may name; nothing else is joined, or computed anew, for it.
_MOMENT = re.compile(r"\bviewed_at\b", re.IGNORECASE)
_ROWS = {
    name: re.compile(rf'(?<![\w$."])(?:{spelt})\s*\.', re.IGNORECASE)
    for name, spelt in {ARTWORK: 'artwork|"artwork"', USER: '"user"', PAIR: 'pair|"pair"'}.items()
}
# In WHERE, PostgreSQL refuses aggregates, window functions and functions that return sets.
_FITS = "EXISTS (SELECT FROM {names} WHERE (({expression}\n){cast}) IS NOT NULL)"
_IDS = "m.user_id", "m.artwork_id"
# What an expression can't name by accident: where it is asked about, only its own names are there.
_HIDDEN_IDS = 'm."catalog.user_id"', 'm."catalog.artwork_id"'


def value_of(catalogue: Catalogue, column: str, expression: str) -> sql.Composable:
    """The expression as a value of the column's type for one pair `m`, where FROM has
    `value_sources`. The moment that is written is bound as `now`."""
    return _value(catalogue, expression, _cast(catalogue, column))


def bare_value(catalogue: Catalogue, expression: str) -> sql.Composable:
    """The same in the type that it has by itself: for who asks, and not for who writes."""
    return _value(catalogue, expression, raw(""))


def _value(catalogue: Catalogue, expression: str, cast: sql.Composable) -> sql.Composable:
    """What names the pair's rows or its moment is a subselect of its own, in which its names are
    found first; it refers to the pair, or PostgreSQL would compute it once for all rows."""
    value = sql.SQL("({}\n){}").format(operator_sql(expression), cast)
    if not is_of_pair(expression):
        return value
    return sql.SQL("(SELECT {} FROM {} WHERE (m.* IS NULL) IS NOT NULL)").format(
        value, _names(catalogue, expression)
    )


def _names(catalogue: Catalogue, expression: str) -> sql.Composable:
    """A FROM of what the expression may name, and nothing else: names of ours, and those of the
    row that is written, are further out."""
    rows = [
        raw(" CROSS JOIN (SELECT {0}.*) AS {0}").format(identifier(name))
        for name in (ARTWORK, USER, PAIR)
        if names_row(expression, name) and (name != PAIR or catalogue.through is not None)
    ]
    moment = sql.SQL("(SELECT {} AS viewed_at) AS moment").format(written_moment(catalogue))
    return sql.SQL("").join([moment, *rows])


def fits_column(catalogue: Catalogue, column: str, expression: str) -> sql.Composable:
    """A condition that PostgreSQL refuses unless the expression is one value that fits the
    column. Names mean in it what they do in `value_of`."""
    parts = {"expression": operator_sql(expression), "cast": _cast(catalogue, column)}
    return compose(_FITS, {**parts, "names": _names(catalogue, expression)})


def value_sources(
    catalogue: Catalogue, expressions: Iterable[str], ids: tuple[str, str] = _IDS
) -> sql.Composable:
    """The joins that follow `… AS m`, with `ids` of user and artwork, in a FROM: the rows of that
    pair that the expressions name, of those that their `where` admits."""
    spec, told = catalogue.spec, "\n".join(expressions)
    user_id, artwork_id = ids
    joins: list[sql.Composable] = [
        sql.SQL("\n    JOIN {} AS {alias} ON {alias}.{} = {}").format(
            rows_of(role, relation, role.where),
            identifier(role.ids[0]),
            raw(id_),
            alias=identifier(alias),
        )
        for role, relation, alias, id_ in (
            (spec.roles[0], catalogue.artworks, ARTWORK, artwork_id),
            (spec.roles[1], catalogue.users, USER, user_id),
        )
        if names_row(told, alias)
    ]
    if names_row(told, PAIR) and catalogue.through is not None:
        joins.append(_listed(catalogue, catalogue.through, ids))
    return sql.SQL("").join(joins)


def no_pair(catalogue: Catalogue, expressions: Iterable[str]) -> sql.Composable:
    """A FROM in which expressions can be asked about, and no row is found."""
    spec = catalogue.spec
    types = (
        catalogue.users.columns[spec.users.id].cast,
        catalogue.artworks.columns[spec.artworks.id].cast,
    )
    ids = [
        sql.SQL("NULL::{} AS {}").format(operator_sql(cast), raw(id_.removeprefix("m.")))
        for cast, id_ in zip(types, _HIDDEN_IDS, strict=True)
    ]
    return sql.SQL("(SELECT {}) AS m{}").format(
        sql.SQL(", ").join(ids), value_sources(catalogue, expressions, _HIDDEN_IDS)
    )


def is_of_pair(expression: str) -> bool:
    """Whether an expression may name the pair's own rows, or the moment that is written."""
    return bool(_MOMENT.search(expression)) or any(names_row(expression, one) for one in _ROWS)


def names_row(text: str, name: str) -> bool:
    """Whether an expression may name one of the pair's own rows: too often costs but a join."""
    return _ROWS[name].search(text) is not None


def mentions(text: str, name: str) -> bool:
    """Whether SQL may name it: too often costs but a question."""
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE) is not None


def _cast(catalogue: Catalogue, column: str) -> sql.Composable:
    """None for a column that is not there: that blocks healing, and counting goes on."""
    found = catalogue.impressions.columns.get(column)
    return raw("") if found is None else sql.SQL("::{}").format(operator_sql(found.cast))


def written_moment(catalogue: Catalogue) -> sql.Composable:
    """The moment that is written: as the column holds it, where `viewed_at` is a column."""
    viewed = catalogue.viewed
    is_column = viewed is not None and viewed.name in catalogue.spec.impressions.filled
    if viewed is None or not is_column or viewed.category != "D":  # D: a moment, or not counted
        return raw("%(now)s::timestamptz")
    return in_own_type(viewed_column(catalogue))


def in_own_type(moment: MomentColumn) -> sql.Composable:
    """The moment bound as `now`, of the column's own type."""
    if moment.column.has_time_zone:
        return moment.stored("now")
    return sql.SQL("{}::{}").format(moment.stored("now"), operator_sql(moment.column.cast))


def _listed(catalogue: Catalogue, through: Relation, ids: tuple[str, str]) -> sql.Composable:
    """The one row that stands for the pair among those that list it: always the same one, and of
    the earliest where it says since when."""
    role, spec = catalogue.spec.through_role, catalogue.spec.pairs.through
    assert role is not None and spec is not None, "there is such a relation"
    order: list[sql.Composable] = [raw("to_jsonb(l.*)")]
    if catalogue.since is not None:
        order.insert(0, raw("l.{} NULLS FIRST").format(identifier(catalogue.since.name)))
    return sql.SQL(
        "\n    CROSS JOIN LATERAL (SELECT l.* FROM {listed} AS l WHERE l.{user} = {user_id}"
        " AND l.{artwork} = {artwork_id} ORDER BY {order} LIMIT 1) AS pair"
    ).format(
        listed=rows_of(role, through, role.where),
        user=identifier(spec.user),
        artwork=identifier(spec.artwork),
        user_id=raw(ids[0]),
        artwork_id=raw(ids[1]),
        order=sql.SQL(", ").join(order),
    )
