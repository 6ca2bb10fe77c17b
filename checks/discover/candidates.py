"""Which tables fit together as users, artworks and impressions: by keys and names alone.

Each sign weighs something, and is told: a candidate is no more than the place to look first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import permutations

from checks.discover.tables import Table, Tables
from checks.discover.words import (
    NameRank,
    has_logins,
    has_titles,
    is_bare_key,
    rank_of,
    says_otherwise,
    says_people,
    says_seeing,
    says_works,
    stem,
)
from checks.doctor.column_words import Says, Sort, sort_of, tells_of_view, words_of
from checks.relations import TABLES, Column

ENOUGH = 8.0
"""What the signs of a candidate have to weigh."""
DOUBT = -4.0
"""The weight of a sign that these are no people, or those no works."""
_MOST_REFERENCES = 12
"""A table with more of them is no table of impressions."""
_MOST_OF_A_NAME = 3
_INTEGERS = frozenset({"smallint", "integer", "bigint"})


@dataclass(frozen=True, slots=True)
class Reference:
    """A column that names the rows of another table."""

    column: str
    table: Table
    id: str
    how: str
    """By what: for a person."""
    weight: float


@dataclass(frozen=True, slots=True)
class Sign:
    """Something that speaks for a candidate, or against it."""

    weight: float
    text: str
    tells: bool = False
    """It says that something was shown."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Three tables that may be the ones."""

    impressions: Table
    user: Reference
    artwork: Reference
    signs: tuple[Sign, ...] = field(default=(), hash=False)

    @property
    def score(self) -> float:
        """What all signs weigh."""
        return sum(one.weight for one in self.signs)

    def with_signs(self, *signs: Sign) -> Candidate:
        """The same, with what was seen since."""
        return replace(self, signs=(*self.signs, *signs))

    @property
    def fits(self) -> bool:
        """Whether it is one to propose: that people saw works, and not any other pairs."""
        tells = any(one.tells for one in self.signs)
        return self.score >= ENOUGH and tells and not self.is_doubtful

    @property
    def is_doubtful(self) -> bool:
        """Nothing says that these are people, or that those are works."""
        return any(one.weight == DOUBT for one in self.signs)


def candidates(tables: Tables) -> tuple[Candidate, ...]:
    """Every table with a reference to people and one to something else, the best first."""
    index = _Index(tables)
    found = [one for table in tables.readable for one in _of_table(index, table)]
    return tuple(sorted(found, key=lambda one: (-one.score, one.impressions.configured)))


def unresolved(tables: Tables) -> tuple[tuple[Table, tuple[Reference, ...]], ...]:
    """Tables that by their names say what was seen, with the references that are known: the other
    column can be found by its values only."""
    index = _Index(tables)
    return tuple(
        (table, tuple(index.references(table)))
        for table in tables.readable
        if says_seeing(table.name)
        or any(tells_of_view(one, table.name) for one in table.columns.values())
    )


def may_lead(table: Table, column: Column, tables: Tables) -> list[Table]:
    """The tables whose ids the column may hold, by types: those of people and works first."""
    found = [
        other
        for other in tables.readable
        if other.oid != table.oid
        and other.id in other.columns
        and comparable(column, other.columns[other.id])
        and (says_people(other.name) or says_works(other.name) or beginnings(other))
    ]
    return sorted(
        found,
        key=lambda other: (
            other.schema != table.schema,
            not (says_people(other.name) or says_works(other.name)),
        ),
    )


def combined(table: Table, references: tuple[Reference, ...]) -> Iterator[Candidate]:
    """The candidates that a table's references make, each of them as the user's and another as the
    artwork's."""
    if len(references) > _MOST_REFERENCES:
        return
    for user, artwork in permutations(references, 2):
        # No table is both, and a name that is one of works alone is nobody's.
        same = user.column == artwork.column or user.table.oid == artwork.table.oid
        if not same and table.oid not in {user.table.oid, artwork.table.oid}:
            yield Candidate(table, user, artwork, signs_of(table, user, artwork))


def signs_of(table: Table, user: Reference, artwork: Reference) -> tuple[Sign, ...]:
    """What names and keys say for these three, and against them."""
    return tuple(_signs(table, user, artwork))


def are_people(user: Reference) -> bool:
    """Whether names say so."""
    named = says_people(user.table.name, user.column)
    return named or has_logins(user.table.columns)


def _of_table(index: _Index, table: Table) -> Iterator[Candidate]:
    yield from combined(table, tuple(index.references(table)))


class _Index:
    """Tables by what a column may call them."""

    def __init__(self, tables: Tables) -> None:
        self._by_oid = tables.by_oid()
        self._named: defaultdict[tuple[str | None, str], list[Table]] = defaultdict(list)
        """By schema, None for all, and the last word of the name, or the key's name."""
        for one in tables.readable:
            words, key = stem(one.name), one.id
            for schema in (one.schema, None):
                if words:
                    self._named[schema, words[-1]].append(one)
                if not is_bare_key(key):
                    self._named[schema, f"key {key}"].append(one)

    def references(self, table: Table) -> Iterator[Reference]:
        """The columns that name rows of another table: by foreign keys, else by their names."""
        led = set[str]()
        for key in table.keys:
            target = self._by_oid.get(key.target)
            for name, id_ in zip(key.columns, key.target_columns, strict=True):
                shared = sum(name in one.columns for one in table.keys) > 1
                if target is None or (len(key.columns) > 1 and shared):
                    continue
                part = "" if len(key.columns) == 1 else "part of "
                led.add(name)
                yield Reference(name, target, id_, f"{part}a foreign key", 2)
        for column in table.columns.values():
            if column.name not in led:
                yield from self._by_name(table, column)

    def _by_name(self, table: Table, column: Column) -> Iterator[Reference]:
        words = stem(column.name)
        if not words or column.category not in "NSU":
            return
        if len(words) == 1 or {*words_of(column.name)} != {*words}:
            yield from self._meant(table, column, words[-1], "its name")
        yield from self._meant(table, column, f"key {column.name}", "the name of the other's key")

    def _meant(self, table: Table, column: Column, name: str, how: str) -> Iterator[Reference]:
        """By name: in the same schema, else in any."""
        own = self._named.get((table.schema, name)) or self._named.get((None, name), [])
        for target in own[:_MOST_OF_A_NAME]:
            id_ = target.id
            if target.oid == table.oid or id_ not in target.columns:
                continue
            if comparable(column, target.columns[id_]) and not table.is_unique(column.name):
                yield Reference(column.name, target, id_, how, 1)


def comparable(one: Column, other: Column) -> bool:
    """Whether both hold ids of one kind."""
    whole = one.cast in _INTEGERS and other.cast in _INTEGERS
    return whole or one.cast == other.cast or (one.category == other.category == "S")


def _signs(table: Table, user: Reference, artwork: Reference) -> Iterator[Sign]:
    yield from _signs_of_impressions(table, user, artwork)
    yield Sign(user.weight, f"{user.column} leads to {user.table.configured} by {user.how}")
    yield Sign(
        artwork.weight, f"{artwork.column} leads to {artwork.table.configured} by {artwork.how}"
    )
    if says_people(user.table.name, user.column):
        yield Sign(3, f"{user.table.configured} is named as people are")
    elif has_logins(user.table.columns):
        yield Sign(2, f"{user.table.configured} has columns of people who sign in")
    else:
        yield Sign(DOUBT, f"nothing says that {user.table.configured} are people")
    if says_people(artwork.table.name):
        yield Sign(DOUBT, f"{artwork.table.configured} is named as people are")
    if says_works(artwork.table.name, artwork.column):
        yield Sign(2, f"{artwork.table.configured} is named as works are")
    elif has_titles(artwork.table.columns):
        yield Sign(1, f"{artwork.table.configured} has columns of something that is looked at")
    else:
        yield Sign(DOUBT, f"nothing says that {artwork.table.configured} are shown to anybody")
    if made := beginnings(artwork.table):
        yield Sign(1, f"{artwork.table.configured} says when each was made ({made[0].name})")
    elif artwork.table.kind in TABLES:
        yield Sign(-1, f"nothing in {artwork.table.configured} is named as when each was made")


def _signs_of_impressions(table: Table, user: Reference, artwork: Reference) -> Iterator[Sign]:
    pair, others = {user.column, artwork.column}, _others(table, user, artwork)
    if says_seeing(table.name):
        yield Sign(4, f"{table.configured} is named as what was seen is", tells=True)
    elif says_otherwise(table.name):
        yield Sign(-5, f"{table.configured} is named as something else is")
    tellings = [tells_of_view(one, table.name) for one in others]
    seen = [one for one in tellings if one is not None and one.says is Says.COUNTS]
    if seen:
        yield Sign(3, f"{seen[0].column.name} says that it was seen", tells=True)
    if any(sort_of(one) is Sort.MOMENT for one in others):
        yield Sign(1, "it has a moment")
    if any(set(one) == pair for one in table.unique):
        yield Sign(2, "a pair is there once, by a unique index")
    elif any(pair <= set(one) for one in table.unique):
        yield Sign(1, "a unique index has both columns")
    if {*stem(user.table.name), *stem(artwork.table.name)} & {*stem(table.name)}:
        yield Sign(1, "its name has that of the others in it")
    if table.kind not in TABLES:
        yield Sign(-1, f"it is a {table.kind.value}")
    if len(table.columns) > 3 * _MOST_REFERENCES:
        yield Sign(-2, f"it has {len(table.columns)} columns")


def _others(table: Table, *references: Reference) -> list[Column]:
    named = {one.column for one in references}
    return [one for one in table.columns.values() if one.name not in named]


def beginnings(table: Table) -> list[Column]:
    """The columns that may say when a row was made, by name and type: the best first."""
    found = {
        one.name: rank_of(one.name)
        for one in table.columns.values()
        if sort_of(one) is Sort.MOMENT
        or (sort_of(one) is Sort.NUMBER and rank_of(one.name) is NameRank.CREATED)
    }
    kept = [name for name, rank in found.items() if rank is not NameRank.GONE]
    order: Mapping[str, tuple[int, bool]] = {
        name: (found[name], not table.columns[name].not_null) for name in kept
    }
    return [table.columns[name] for name in sorted(kept, key=lambda name: order[name])]
