"""What the pair's own rows have for a column that an impression must give: the artwork's wing, the
user's tenant. Foreign keys and names say where to look, and the rows that are there whether it is
so."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from checks.catalogue import Facts
from checks.doctor.ddl import quoted
from checks.fragments import impressions_of, sample_of, table
from checks.made_rows import ARTWORK, PAIR, USER
from checks.relations import Catalogue, Column, ForeignKey, Relation
from checks.statements import Fragments, identifier

Ask = Callable[[str, Fragments], Awaitable[Sequence[Row[Any]] | None]]
"""Asks a statement of `checks/sql` within the patience; None where it was refused."""

_MOSTLY = 0.95
"""The share of the rows that have the very value: an artwork may have been moved since."""
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class OwnValue:
    """A column of one of the pair's own rows that may be what an impression has."""

    source: str
    """As an expression."""
    referred: bool
    """Both refer to the same table."""
    rows: int = 0
    """Impressions looked at."""
    equal: int = 0
    """Of them, those that have the very value."""

    @property
    def holds(self) -> bool:
        """The rows say so, or there is none and the foreign keys do."""
        if self.rows == 0:
            return self.referred
        return self.equal >= _MOSTLY * self.rows


def unfilled(facts: Facts) -> tuple[Column, ...]:
    """The columns of the impressions that must be given, and that nothing fills yet."""
    impressions, spec = facts.impressions, facts.spec.impressions
    filled = {*spec.filled, *spec.values}
    columns = () if impressions is None else impressions.columns.values()
    return tuple(one for one in columns if one.required and one.name not in filled)


async def read_own_values(ask: Ask, facts: Facts) -> dict[str, tuple[OwnValue, ...]]:
    """By column that is unfilled: what may be its value."""
    catalogue = facts.catalogue
    if catalogue is None:
        return {}
    return {
        column.name: tuple([one async for one in _of_column(ask, catalogue, column)])
        for column in unfilled(facts)
    }


async def _of_column(ask: Ask, catalogue: Catalogue, column: Column) -> AsyncIterator[OwnValue]:
    spec = catalogue.spec
    impressions = catalogue.impressions
    looked_at = impressions_of(catalogue, sample=sample_of(impressions))
    for alias, relation, id_, key in (
        (ARTWORK, catalogue.artworks, spec.artworks.id, spec.impressions.artwork),
        (USER, catalogue.users, spec.users.id, spec.impressions.user),
    ):
        for own, referred in candidates(impressions, column, relation).items():
            if own == id_:
                continue
            names = {
                "impressions": looked_at,
                "column": identifier(column.name),
                "key": identifier(key),
                "table": table(relation),
                "id": identifier(id_),
                "own": identifier(own),
            }
            rows = await ask("catalogue_own_value", names)
            looked, equal = (rows[0].looked_at, rows[0].equal) if rows else (0, 0)
            yield OwnValue(named(alias, own), referred, looked, equal)
    if catalogue.through is not None:
        listed = catalogue.through.columns.get(column.name)
        if listed is not None and listed.cast == column.cast:
            yield OwnValue(named(PAIR, listed.name), referred=True)


def candidates(impressions: Relation, column: Column, owner: Relation) -> Mapping[str, bool]:
    """The owner's columns that refer to the same table, or have name and type in common; and
    whether they refer."""
    found = {
        own: True
        for key in impressions.foreign_keys
        if column.name in key.columns
        for own in _same_reference(owner, key, column.name)
    }
    same = owner.columns.get(column.name)
    if same is not None and same.cast == column.cast:
        found.setdefault(same.name, False)
    return found


def _same_reference(owner: Relation, key: ForeignKey, name: str) -> Iterator[str]:
    place = key.columns.index(name)
    for other in owner.foreign_keys:
        if (other.target_oid, other.target_columns) == (key.target_oid, key.target_columns):
            yield other.columns[place]


def named(alias: str, name: str) -> str:
    """A column of one of the pair's rows, as an expression."""
    return f"{quoted(alias) if alias == USER else alias}.{plain(name)}"


def plain(name: str) -> str:
    """The name as it stands in SQL, quoted where it must be."""
    return name if _PLAIN.fullmatch(name) else quoted(name)
