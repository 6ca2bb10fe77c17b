"""A row that `defaults` and `set` make must be one that `where` admits and that counts: its pair
would be written for ever otherwise. Asked of rows that are made in a SELECT, and not written."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import sql
from sqlalchemy import Row

from checks.catalogue import Facts
from checks.errors import Refusal
from checks.fragments import condition, fragments, rows_of, viewed_column
from checks.made_rows import ARTWORK, PAIR, USER, mentions, names_row, value_of, value_sources
from checks.relations import Catalogue, Column, Kind
from checks.spec import PoolsSpec
from checks.statements import Fragments, identifier, operator_sql, raw

Ask = Callable[[str, Fragments, Mapping[str, object]], Awaitable[Sequence[Row[Any]] | Refusal]]
"""Asks a statement of `checks/sql` that may write nothing, within the patience."""

NEW, BROUGHT = "catalog.impressions.defaults", "catalog.impressions.set"
"""What makes a row of a pair that has none, and what brings one to count."""
_NONE = "(SELECT NULL::{user_cast} AS user_id, NULL::{artwork_cast} AS artwork_id)"
_SOME = "(SELECT u.id AS user_id, a.id AS artwork_id FROM {pairs} LIMIT 1000)"
_ALL_PAIRS = "{counted_users} AS u JOIN {counted_artworks} AS a ON {agree}"
_LISTED_PAIRS = (
    "{listed} AS l JOIN {counted_users} AS u ON u.id = l.{listed_user}"
    " JOIN {counted_artworks} AS a ON a.id = l.{listed_artwork} AND {agree}"
)
_ROWS = (
    "(SELECT u.id AS user_id, a.id AS artwork_id{columns} FROM {uncounted} AS i"
    " JOIN {counted_users} AS u ON u.id = i.{user}"
    " JOIN {counted_artworks} AS a ON a.id = i.{artwork} LIMIT 1000)"
)


@dataclass(frozen=True, slots=True)
class Made:
    """Rows that were made to be judged."""

    made: int
    outside: int
    """Of them, those that `where` does not admit."""
    uncounted: int
    """Of them, those of which `counts` is not true."""


class _UntoldError(Exception):
    """What a column would hold can't be told; the message says why."""


async def read_made_rows(ask: Ask, facts: Facts, pools: PoolsSpec) -> dict[str, Made | str]:
    """By setting: how rows so made are judged, or why that can't be told; nothing where every row
    counts."""
    catalogue = facts.catalogue
    spec = facts.spec.impressions
    if catalogue is None or (spec.where is None and spec.counts is None):
        return {}
    trial = _Trial(catalogue, pools)
    makers = {NEW: trial.new_rows, **({BROUGHT: trial.brought_rows} if spec.set else {})}
    clock = await ask("catalogue_now", {}, {})
    now = {} if isinstance(clock, Refusal) else {"now": clock[0].now}
    found: dict[str, Made | str] = {}
    for setting, make in makers.items():
        try:
            answer = await ask("catalogue_made_rows", {**trial.conditions, **make()}, now)
        except _UntoldError as untold:
            found[setting] = str(untold)
            continue
        if isinstance(answer, Refusal):
            found[setting] = answer.message
        else:
            found[setting] = Made(**answer[0]._asdict())
    return found


class _Trial:
    """Rows of one catalogue, made in a SELECT."""

    def __init__(self, catalogue: Catalogue, pools: PoolsSpec) -> None:
        self._catalogue, self._spec = catalogue, catalogue.spec.impressions
        self._names = {**fragments(catalogue, pools), "agree": _agreement(catalogue)}
        self._asked = " ".join(catalogue.spec.roles[2].conditions.values())
        self.conditions: Fragments = {
            "where": condition(self._spec.where),
            "counts": condition(self._spec.counts),
            "name": identifier(catalogue.impressions.name),
        }

    def new_rows(self) -> Fragments:
        """What is made where a pair has no row."""
        columns = {one.name: self._new_value(one) for one in self._columns()}
        used = [text for name, text in self._spec.values.items() if name in columns]
        of_pair = {self._spec.user, self._spec.artwork} & columns.keys()
        named = any(names_row(text, name) for text in used for name in (ARTWORK, USER, PAIR))
        pairs = self._some_pairs() if of_pair or named else raw(_NONE).format(**self._names)
        return self._parts(columns, pairs, used)

    def brought_rows(self) -> Fragments:
        """What becomes of rows that are there and do not count."""
        catalogue, spec = self._catalogue, self._spec
        columns: dict[str, sql.Composable] = {}
        kept: list[sql.Composable] = []
        for one in self._columns():
            if one.name in spec.set:
                columns[one.name] = value_of(catalogue, one.name, spec.set[one.name])
            elif one.generated:
                raise _UntoldError(f"column {one.name} is generated from others")
            else:
                name = f"c{len(kept)}"
                kept.append(sql.SQL(", i.{} AS {}").format(identifier(one.name), raw(name)))
                columns[one.name] = raw(f"m.{name}")
        uncounted = f"({spec.counts}\n) IS NOT TRUE"
        role = catalogue.spec.roles[2]
        rows = raw(_ROWS).format(
            **{
                **self._names,
                "columns": sql.SQL("").join(kept),
                "uncounted": rows_of(role, catalogue.impressions, spec.where, uncounted),
            }
        )
        used = [text for name, text in spec.set.items() if name in columns]
        return self._parts(columns, rows, used)

    def _columns(self) -> Iterator[Column]:
        """Those that the conditions name."""
        for one in self._catalogue.impressions.columns.values():
            if mentions(self._asked, one.name):
                yield one

    def _new_value(self, column: Column) -> sql.Composable:
        spec, name = self._spec, column.name
        cast = operator_sql(column.cast)
        if name in spec.values:
            return value_of(self._catalogue, name, spec.values[name])
        if name in (spec.user, spec.artwork):
            id_ = raw("m.user_id" if name == spec.user else "m.artwork_id")
            return sql.SQL("{}::{}").format(id_, cast)
        if name == spec.viewed_at:
            return sql.SQL("{}::{}").format(viewed_column(self._catalogue).stored("now"), cast)
        if column.default is not None and not column.generated:
            if "nextval(" in column.default:
                raise _UntoldError(f"column {name} is numbered by a sequence")
            return sql.SQL("({})::{}").format(operator_sql(column.default), cast)
        if column.has_default or column.generated:
            raise _UntoldError(f"column {name} gets its value from PostgreSQL")
        if self._catalogue.impressions.kind not in (Kind.TABLE, Kind.PARTITIONED):
            raise _UntoldError(f"what column {name} gets is for the table beneath the view to say")
        return sql.SQL("NULL::{}").format(cast)

    def _some_pairs(self) -> sql.Composable:
        role, through = self._catalogue.spec.through_role, self._catalogue.through
        spec = self._catalogue.spec.pairs.through
        text, names = _ALL_PAIRS, self._names
        if role is not None and through is not None and spec is not None:
            text = _LISTED_PAIRS
            names = {
                **names,
                "listed": rows_of(role, through, role.where),
                "listed_user": identifier(spec.user),
                "listed_artwork": identifier(spec.artwork),
            }
        return raw(_SOME).format(pairs=raw(text).format(**names))

    def _parts(
        self, columns: Mapping[str, sql.Composable], pairs: sql.Composable, used: Sequence[str]
    ) -> Fragments:
        named = [sql.SQL("{} AS {}").format(one, identifier(name)) for name, one in columns.items()]
        return {
            "columns": sql.SQL(", ").join(named),
            "pairs": pairs,
            "sources": value_sources(self._catalogue, used),
        }


def _agreement(catalogue: Catalogue) -> sql.Composable:
    """Whether user `u` and artwork `a` are a pair, but for what lists pairs."""
    told = [f"a.same_{n} = u.same_{n}" for n in range(len(catalogue.spec.pairs.same))]
    owner = [] if catalogue.spec.artworks.owner is None else ["a.owner_id = u.id"]
    return raw(" AND ".join([*told, *owner]) or "TRUE")
