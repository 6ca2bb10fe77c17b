"""A repair and its table as it really is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from checks.relations import Column, Index, Relation
from checks.row_security import RowGuard

INSERT, UPDATE, DELETE = "insert", "update", "delete"
_FIRES = {INSERT: 4, DELETE: 8, UPDATE: 16}
"""Bits of pg_trigger.tgtype."""
UNDONE_BY = {INSERT: DELETE, UPDATE: UPDATE, DELETE: INSERT}


@dataclass(frozen=True, slots=True)
class RepairSpec:
    """What is wrong and what is done about it, as it is configured."""

    name: str
    table: str
    key: tuple[str, ...]
    """Empty: the primary key."""
    find: str
    action: str
    """insert, update or delete."""

    @property
    def kept(self) -> dict[str, object]:
        """What a run keeps: another of these is another repair."""
        return {
            "table": self.table,
            "key": list(self.key),
            "find": self.find,
            "action": self.action,
        }

    @classmethod
    def of_run(cls, name: str, kept: Mapping[str, Any]) -> RepairSpec:
        """The repair as a run of it was planned, with the key that the run went by."""
        return cls(name, kept["table"], tuple(kept["keyed_by"]), kept["find"], kept["action"])

    @property
    def select(self) -> str:
        """`find` without the semicolon that may end it."""
        return self.find.strip().rstrip(";")

    @property
    def privileges(self) -> tuple[str, ...]:
        """What the role needs of the table, to mend and to take back."""
        undone = self.privileges_to_undo
        return tuple(dict.fromkeys(("SELECT", self.action.upper(), *undone)))

    @property
    def privileges_to_undo(self) -> tuple[str, ...]:
        """What the role needs of the table to take back."""
        return ("SELECT", UNDONE_BY[self.action].upper())


@dataclass(frozen=True, slots=True)
class FoundColumn:
    """A column that `find` returns."""

    name: str
    oid: int
    """pg_type.oid; of a domain, the type beneath."""
    type: str


@dataclass(frozen=True, slots=True)
class TableNow:
    """The row of `repair_table`."""

    columns: Sequence[Sequence[Any]]
    """The fields of `ledger_columns.TableColumn`, of each."""
    named: bool
    """Its name still means this table."""
    keyed: bool
    """A unique index still proves that the key names one row."""
    generated: Sequence[str] | None
    numbered: Sequence[str] | None
    """GENERATED ALWAYS AS IDENTITY."""
    privileges: Sequence[str] | None
    deleted_along: Sequence[str]
    updated_along: Sequence[str]
    triggers: Sequence[str]
    """Those that fire for what is done."""
    rules: Sequence[str]
    heirs: Sequence[str]
    """Inheritance children, whose rows would be read and changed with its own."""
    impressions: bool
    """It is the impressions table, or a part of it."""


@dataclass(frozen=True)
class RepairTable:
    """A repair with the table that it changes."""

    spec: RepairSpec
    relation: Relation
    unique: Index
    """Proves that the key names one row."""
    key: tuple[str, ...]
    found: tuple[str, ...]
    """The columns that `find` returns; of a run that is taken back: that it returned and that are
    there still."""
    now: TableNow
    rows: RowGuard
    then: Mapping[str, str]
    """What the columns are called in the ledger; those that came after it are not here."""
    undoes: bool = False
    """It is read to take a run back."""

    @property
    def does(self) -> str:
        """What happens to the rows: insert, update or delete."""
        return UNDONE_BY[self.spec.action] if self.undoes else self.spec.action

    @cached_property
    def listed(self) -> tuple[Column, ...]:
        """The columns that the ledger has and that say something of their own: what PostgreSQL
        computes follows from the others."""
        return tuple(one for one in self.writable if one.name in self.then)

    @property
    def unlisted(self) -> tuple[Column, ...]:
        """The columns that came after the ledger."""
        return tuple(one for one in self.writable if one.name not in self.then)

    @cached_property
    def values(self) -> tuple[Column, ...]:
        """The columns that get new values, the key apart."""
        if self.spec.action == DELETE:
            return ()
        return tuple(self.relation.columns[one] for one in self.found if one not in self.key)

    @cached_property
    def key_columns(self) -> tuple[Column, ...]:
        """The columns of the key."""
        return tuple(self.relation.columns[one] for one in self.key)

    @cached_property
    def writable(self) -> tuple[Column, ...]:
        """The columns that hold values of their own."""
        computed = self.now.generated or ()
        return tuple(one for one in self.relation.columns.values() if one.name not in computed)

    @property
    def changeable(self) -> tuple[Column, ...]:
        """Of those that the ledger has, those that an update may write."""
        fixed = {*(self.now.numbered or ()), *self.key}
        return tuple(one for one in self.listed if one.name not in fixed)

    @property
    def asked_now(self) -> Mapping[str, object]:
        """The parameters of `repair_table`, for a batch."""
        return asked_table(self.relation, self.does, self.key, self.found)

    def consequences(self, now: TableNow) -> str | None:
        """Why nothing may be done with its rows, because of foreign keys."""
        return consequences(self.relation, self.does, now)

    def changed_since(self, now: TableNow | None) -> str | None:
        """What is another thing about the table than when it was read, apart from its triggers."""
        name = self.relation.configured
        if now is None or not now.named:
            return f"{name} is another table than the one that was read."
        if now.columns != self.now.columns:
            return f"The columns of {name} are others than when they were read."
        if not now.keyed:
            told = f"that {', '.join(self.key)} names one row of {name}"
            return f"No unique index proves any more {told}."
        if now.rules or now.heirs:
            told = ", ".join((*now.rules, *now.heirs))
            return f"{name} has got rules or inheritance children ({told})."
        return None


def asked_table(
    relation: Relation, does: str, key: Sequence[str], changed: Sequence[str]
) -> dict[str, object]:
    """The parameters of `repair_table`, but for the impressions table's."""
    return {
        "target": relation.oid,
        "schema": relation.schema,
        "name": relation.name,
        "key": list(key),
        "fires": _FIRES[does],
        "changed": list(changed),
    }


def consequences(relation: Relation, does: str, now: TableNow) -> str | None:
    """Why its rows may not be deleted or updated: what foreign keys would do to other tables."""
    along = {DELETE: now.deleted_along, UPDATE: now.updated_along}.get(does)
    if not along:
        return None
    return (
        f"With each row of {relation.configured}, foreign keys would change rows of other tables:"
        f" {', '.join(along)}. Nothing could give those back: mend them first, with a repair of"
        " their own, and make the key ON DELETE and ON UPDATE NO ACTION."
    )


def with_name(spec: RepairSpec, table: str | None) -> RepairSpec:
    """The same on the table by the name that it has now."""
    return spec if table is None else replace(spec, table=table)
