"""Asks the rows of the three tables whether they count: one pass over each, where a column by its
name or its values tells, and the planner's statistics leave it open.

A table of a million rows and more is not read where ANALYZE's sample of it shows no row that does
not count. What can't be read in time is estimated from the statistics, and else unknown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from psycopg import sql
from sqlalchemy import Row

from checks.catalogue import Facts
from checks.citus.forms import materializations
from checks.doctor.column_words import (
    Says,
    Sort,
    Telling,
    is_use,
    sort_of,
    tells_of_use,
    tells_of_view,
)
from checks.doctor.ddl import quoted
from checks.doctor.input import WITH_IDS
from checks.doctor.own_values import plain
from checks.doctor.row_tallies import (
    EPOCH_FROM,
    KindRows,
    Parent,
    RowEvidence,
    Statistics,
    Tally,
)
from checks.fragments import rows_of, table
from checks.made_rows import mentions
from checks.relations import Column, Relation, engine_of
from checks.spec import TableRole
from checks.statements import Fragments, identifier, raw

Admitted = Callable[[TableRole], sql.Composable]
"""The rows of a table that the operator's filter lets through."""
_LARGE = 1_000_000
"""Rows from which on a sample without a finding spares the table a pass."""
_FEW = 50
"""Values at most of a state or a kind."""
_FEW_WORDS = 10
"""Values at most of a column that only its values give away."""
_GROUPS = 10_000
_READINGS: Mapping[Sort, str] = {
    Sort.FLAG: "{0}::text",
    Sort.MOMENT: "CASE WHEN {0} >= '1969-12-31' AND {0} < '1970-01-03' THEN 'zero'"
    " WHEN {0} IS NOT NULL THEN 'set' END",
    Sort.NUMBER: "CASE WHEN {0} = 0 THEN 'zero' WHEN {0} = 1 THEN 'one'"
    f" WHEN {{0}} >= {EPOCH_FROM} THEN 'epoch' WHEN {{0}} IS NOT NULL THEN 'other' END",
    Sort.VALUE: "left({0}::text, 64)",
}


class Ask(Protocol):
    """Asks one statement within the doctor's patience; None where it was refused."""

    def __call__(
        self, statement: str, fragments: Fragments, parameters: Mapping[str, object], /
    ) -> Awaitable[Sequence[Row[Any]] | None]: ...


class RowProbes:
    """What to ask the rows of one catalogue."""

    def __init__(self, ask: Ask, facts: Facts, admitted: Admitted) -> None:
        self._ask, self._facts, self._admitted = ask, facts, admitted

    async def gather(self) -> RowEvidence:
        """What the rows say, as far as they can be read."""
        found = [(role, one) for role, one in self._facts.found if one.can_select]
        tallies = {role.key: await self._tallies(role, relation) for role, relation in found}
        kinds = {
            one.name: await self._kinds(one.telling.column)
            for one in tallies.get("impressions", ())
            if one.telling.says is Says.KIND and one.rows is not None and len(one.rows) > 1
        }
        mixed = {role.key for role, relation in found if await self._is_mixed(role, relation)}
        parents = {
            role.key: [one async for one in self._parents(role, relation)]
            for role, relation in found
            if role.key in WITH_IDS
        }
        return RowEvidence(tallies, kinds, parents, frozenset(mixed))

    async def _parents(self, role: TableRole, relation: Relation) -> AsyncIterator[Parent]:
        """What tables whose rows the ids are say of them, unless the filter speaks of the table."""
        configured = {one.oid for _, one in self._facts.found}
        for key in relation.foreign_keys:
            name = key.target.rpartition(".")[2]
            told = any(mentions(text, name) for text in role.conditions.values())
            if key.columns != role.ids or key.target_oid in configured or told:
                continue
            rows = await self._ask("catalogue_columns", {}, {"relation": key.target_oid}) or ()
            columns = [Column(**row._asdict()) for row in rows]
            tellings = [
                telling
                for column in columns
                if (telling := tells_of_use(column, name, of_users=role.key == "users"))
                and telling.sort is not Sort.VALUE
            ]
            ours = sql.SQL("{} IN (SELECT {} FROM {} WHERE {})").format(
                identifier(key.target_columns[0]),
                identifier(key.columns[0]),
                table(relation),
                self._admitted(role),
            )
            counted = await self._count(raw(key.target.replace("%", "%%")), ours, tellings) or {}
            tallies = [Tally(one, plain(one.column.name), rows) for one, rows in counted.items()]
            yield Parent(key.target, plain(key.target_columns[0]), tallies)

    async def _tallies(self, role: TableRole, relation: Relation) -> tuple[Tally, ...]:
        tellings = list(_tellings(role, relation))
        others = list(_unnamed(role, relation, tellings))
        names = [one.column.name for one in tellings] + [column.name for column in others]
        if not names:
            return ()
        quotes, known = await self._statistics(relation, names)
        tellings += [
            Telling(column, Says.STATE, Sort.VALUE)
            for column in others
            if column.name in known and _is_use(known[column.name])
        ]
        tellings = [one for one in tellings if _is_open(one, relation, known.get(one.column.name))]
        counted = await self._count(table(relation), self._admitted(role), tellings)
        if counted is not None:
            return tuple(
                Tally(one, quotes[one.column.name], dict(sorted(rows.items(), key=_most_first)))
                for one, rows in counted.items()
            )
        return tuple(
            Tally(one, quotes[one.column.name], None)
            if (seen := known.get(one.column.name)) is None
            else Tally(
                one, quotes[one.column.name], seen.rows(one, relation.estimated_rows), exact=False
            )
            for one in tellings
        )

    async def _statistics(
        self, relation: Relation, names: Sequence[str]
    ) -> tuple[dict[str, str], dict[str, Statistics]]:
        """The names as they stand in SQL, and what the planner knows."""
        asked = {
            "relation": relation.oid,
            "schema": relation.schema,
            "table": relation.name,
            "columns": list(names),
        }
        rows = await self._ask("column_statistics", {}, asked) or ()
        known = {
            row.name: Statistics(
                nulls=row.nulls,
                distinct_values=row.distinct_values,
                shares=dict(zip(row.common_values or (), row.common_shares or (), strict=True)),
                reaches_zero=row.reaches_zero,
            )
            for row in rows
            if row.nulls is not None
        }
        return {name: quoted(name) for name in names} | {r.name: r.quoted for r in rows}, known

    async def _count(
        self, named: sql.Composable, admitted: sql.Composable, tellings: Sequence[Telling]
    ) -> dict[Telling, Counter[str | None]] | None:
        """How many rows say what; once more without the columns of many values, should there be
        too many combinations; None where it could not be told."""
        for _ in range(2):
            if not tellings:
                return {}
            rows = await self._readings(named, admitted, tellings)
            if rows is None:
                return None
            counted: dict[Telling, Counter[str | None]] = {one: Counter() for one in tellings}
            for row in rows:
                for one, reading in zip(tellings, tuple(row)[1:], strict=True):
                    counted[one][reading] += row.number
            few = [one for one in tellings if len(counted[one]) <= _FEW]
            if len(rows) < _GROUPS:
                return {one: counted[one] for one in few}
            some_go = len(few) < len(tellings)
            tellings = [one for one in few if some_go or one.sort is not Sort.VALUE]
        return None

    async def _readings(
        self, named: sql.Composable, admitted: sql.Composable, tellings: Sequence[Telling]
    ) -> Sequence[Row[Any]] | None:
        fragments = {
            "readings": sql.SQL(", ").join([_reading(one) for one in tellings]),
            "positions": raw(", ".join(str(2 + place) for place in range(len(tellings)))),
            "table": named,
            "filter": admitted,
        }
        return await self._ask("row_readings", fragments, {"groups": _GROUPS})

    async def _kinds(self, column: Column) -> tuple[KindRows, ...] | None:
        facts, spec = self._facts, self._facts.spec
        if facts.artworks is None or facts.impressions is None:
            return None
        fragments = {
            "kind": identifier(column.name),
            "artwork": identifier(spec.impressions.artwork),
            "impressions": table(facts.impressions),
            "artworks": table(facts.artworks),
            "artwork_id": identifier(spec.artworks.id),
            **materializations(engine_of(facts.artworks, facts.impressions)),
        }
        rows = await self._ask("row_kinds", fragments, {"kinds": _FEW})
        if rows is None:
            return None
        return tuple(KindRows(row.kind, row.number, row.ids, row.artworks) for row in rows)

    async def _is_mixed(self, role: TableRole, relation: Relation) -> bool:
        """Whether an id that is unique among the rows that the filter admits comes back outside,
        and the impressions that exist for us are of several of the columns that tell these rows
        apart."""
        impressions, (id_, *_) = self._facts.impressions, role.ids
        beside = relation.key_beside(id_)
        if role.where is None or not beside or impressions is None:
            return False
        if not impressions.columns.keys() >= set(beside):
            return False
        asked = {"table": table(relation), "filter": raw("TRUE"), "columns": identifier(id_)}
        if not await self._ask("catalogue_duplicates", asked, {}):
            return False
        rest = sql.SQL(", ").join([identifier(name) for name in beside])
        there = rows_of(self._facts.spec.roles[2], impressions, self._facts.spec.impressions.where)
        differing = {"table": there, "columns": rest}
        return len(await self._ask("key_rest", differing, {}) or ()) > 1


def _tellings(role: TableRole, relation: Relation) -> Iterator[Telling]:
    """The columns that by their names tell whether a row counts."""
    viewed_at = role.columns.get("viewed_at")
    if role.key not in {*WITH_IDS, "impressions"}:
        return
    for column in relation.columns.values():
        telling = None
        if column.name == viewed_at:
            sort = sort_of(column)
            if sort in (Sort.MOMENT, Sort.NUMBER) and not _is_told(role, column):
                telling = Telling(column, Says.COUNTS, sort)
        elif not _is_spoken_of(role, column):
            telling = (
                tells_of_view(column, relation.name)
                if role.key == "impressions"
                else tells_of_use(column, relation.name, of_users=role.key == "users")
            )
        if telling is not None:
            yield telling


def _unnamed(role: TableRole, relation: Relation, tellings: Sequence[Telling]) -> Iterator[Column]:
    """The other columns of artworks or users whose values may tell."""
    named = {one.column.name for one in tellings}
    for column in relation.columns.values():
        if role.key not in WITH_IDS or column.category not in "SE" or column.name in named:
            continue
        if not _is_spoken_of(role, column):
            yield column


def _is_spoken_of(role: TableRole, column: Column) -> bool:
    """The configuration says already what the column is about."""
    told = (*role.conditions.values(), *role.expressions.values())
    return column.name in role.read or any(mentions(text, column.name) for text in told)


def _is_told(role: TableRole, column: Column) -> bool:
    """A condition says which rows count by it."""
    return any(mentions(text, column.name) for text in role.conditions.values())


def _is_use(known: Statistics) -> bool:
    few = known.distinct_values == len(known.shares) and 1 < len(known.shares) <= _FEW_WORDS
    return few and is_use(known.shares)


def _is_open(telling: Telling, relation: Relation, known: Statistics | None) -> bool:
    """Whether the rows have to be read for it."""
    if known is None:
        return True
    values = known.distinct_values
    many = (values if values >= 0 else -values * relation.estimated_rows) > _FEW
    if telling.sort is Sort.VALUE and many:
        return False
    # Where it can't be NULL either, the earliest moment is the only question.
    sampled = relation.estimated_rows >= _LARGE or (
        telling.sort is Sort.MOMENT and telling.column.not_null
    )
    return not (sampled and known.show_nothing(telling))


def _most_first(counted: tuple[str | None, int]) -> tuple[int, bool, str]:
    reading, rows = counted
    return -rows, reading is None, reading or ""


def _reading(telling: Telling) -> sql.Composable:
    return raw(_READINGS[telling.sort]).format(identifier(telling.column.name))
