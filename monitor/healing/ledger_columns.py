"""The columns of a repair's ledger in the table as it is now: renamed, dropped, come since."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_WIDER: Mapping[str, Sequence[str]] = {
    "pg_catalog.int2": ("pg_catalog.int4", "pg_catalog.int8", "pg_catalog.numeric"),
    "pg_catalog.int4": ("pg_catalog.int8", "pg_catalog.numeric"),
    "pg_catalog.int8": ("pg_catalog.numeric",),
    "pg_catalog.varchar": ("pg_catalog.text",),
}
"""Types that hold every value of another one, and write it alike."""


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column as `repair_table` tells of it, and as a run keeps it."""

    number: int
    """It stays the same whatever the column is called (pg_attribute.attnum)."""
    name: str
    type_oid: int
    modifier: int
    type_name: str
    """With its schema."""
    generated: str
    identity: str


@dataclass(frozen=True, slots=True)
class LedgerColumns:
    """What the columns of the ledger are called in the table now."""

    then: Mapping[str, str]
    """The name in the ledger by the present one. Columns that came since are not here."""

    def now(self, names: Iterable[str]) -> tuple[str, ...]:
        """The present names of these of the ledger that are there still."""
        present = {then: now for now, then in self.then.items()}
        return tuple(present[name] for name in names if name in present)


class ColumnsDifferError(Exception):
    """The ledger's values don't fit the table's columns any more; a sentence."""


def follow_columns(
    kept: Sequence[Sequence[Any]], present: Sequence[Sequence[Any]], *, same_table: bool, name: str
) -> LedgerColumns:
    """Which columns of the table `name` are those that a run kept. Raises ColumnsDifferError.

    `same_table`: it is the table that the run wrote to, whose columns keep their numbers; else one
    that took its place, as after a restore, where only names can tell.
    """
    then, now = [TableColumn(*one) for one in kept], [TableColumn(*one) for one in present]
    if same_table:
        numbered = {one.number: one for one in then}
        pairs = [(numbered[one.number], one) for one in now if one.number in numbered]
    else:
        named = {one.name: one for one in then}
        pairs = [(named[one.name], one) for one in now if one.name in named]
        _refuse_missing(then, now, name)
    for before, after in pairs:
        if not _holds(before, after, same_table=same_table):
            raise ColumnsDifferError(
                f"Column {after.name} of {name} is of type {after.type_name} by now, and was of"
                f" {before.type_name} when the run wrote: what stood there can't be compared or"
                " given back."
            )
    return LedgerColumns({after.name: before.name for before, after in pairs})


def _refuse_missing(then: Sequence[TableColumn], now: Sequence[TableColumn], name: str) -> None:
    missing = sorted({one.name for one in then} - {one.name for one in now})
    if missing:
        raise ColumnsDifferError(
            f"{name} is another table than the one that the run wrote to, and has no column"
            f" {', '.join(missing)}: whether it was renamed or dropped nobody can tell."
        )


def _holds(then: TableColumn, now: TableColumn, *, same_table: bool) -> bool:
    """Whether the values of then are values of now. Of a length or a precision that was changed the
    database itself speaks."""
    alike = then.type_oid == now.type_oid if same_table else then.type_name == now.type_name
    return alike or now.type_name in _WIDER.get(then.type_name, ())
