"""Every table of the database, as its catalogue describes it; no row is read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from checks.relations import Column, Kind
from checks.statements import template

_KINDS = {
    "r": Kind.TABLE,
    "p": Kind.PARTITIONED,
    "v": Kind.VIEW,
    "m": Kind.MATERIALIZED_VIEW,
    "f": Kind.FOREIGN_TABLE,
}


@dataclass(frozen=True, slots=True)
class Key:
    """A foreign key."""

    columns: tuple[str, ...]
    target: int
    """The oid of the table that it leads to."""
    target_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table or view, as far as names, types and keys describe it."""

    oid: int
    schema: str
    name: str
    kind: Kind
    visible: bool
    """It is found without its schema."""
    readable: bool
    rows: int
    """By the planner's statistics; 0 where there are none."""
    bytes: int
    """The same, of the table without its indexes."""
    columns: Mapping[str, Column] = field(default_factory=dict)
    keys: tuple[Key, ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()
    """The columns of each unique index over all rows, the primary key's first."""

    @property
    def configured(self) -> str:
        """The name as the configuration wants it."""
        parts = (self.name,) if self.visible else (self.schema, self.name)
        return ".".join(_as_configured(part) for part in parts)

    def is_unique(self, *columns: str) -> bool:
        """Whether an index proves these columns unique."""
        return any(set(one) == set(columns) for one in self.unique)

    @property
    def id(self) -> str:
        """What tells its rows apart: the one column of its primary key, else `id`, be it there or
        not."""
        return next((one[0] for one in self.unique[:1] if len(one) == 1), "id")


@dataclass(frozen=True, slots=True)
class Tables:
    """The whole database."""

    every: tuple[Table, ...]

    @property
    def readable(self) -> tuple[Table, ...]:
        """Those that the role may read."""
        return tuple(one for one in self.every if one.readable)

    @property
    def unseen(self) -> tuple[Table, ...]:
        """Those that it may not."""
        return tuple(one for one in self.every if not one.readable)

    def by_oid(self) -> dict[int, Table]:
        """Those that the role may read, by their oids."""
        return {one.oid: one for one in self.readable}


async def read_tables(connection: AsyncConnection) -> Tables:
    """Every table that is there, described where the role may read it."""
    found = await _rows(connection, "discover_tables", {})
    relations = {"relations": [row["oid"] for row in found if row["readable"]]}
    columns: defaultdict[int, dict[str, Column]] = defaultdict(dict)
    for row in await _rows(connection, "discover_columns", relations):
        relation = row.pop("relation")
        required = row["not_null"] and not row["has_default"]
        columns[relation][row["name"]] = Column(**row, required=required)
    keys: defaultdict[int, list[Key]] = defaultdict(list)
    unique: defaultdict[int, list[tuple[bool, tuple[str, ...]]]] = defaultdict(list)
    for row in await _rows(connection, "discover_keys", relations):
        names = tuple(row["columns"])
        if row["target"] is None:
            unique[row["relation"]].append((not row["primary"], names))
        else:
            key = Key(names, row["target"], tuple(row["target_columns"]))
            keys[row["relation"]].append(key)
    return Tables(
        tuple(
            Table(
                **{**row, "kind": _KINDS[row["kind"]]},
                columns=columns[row["oid"]],
                keys=tuple(keys[row["oid"]]),
                unique=tuple(names for _, names in sorted(unique[row["oid"]])),
            )
            for row in found
        )
    )


async def _rows(
    connection: AsyncConnection, statement: str, parameters: Mapping[str, object]
) -> Sequence[dict[str, Any]]:
    result = await connection.exec_driver_sql(template("checks", statement), dict(parameters))
    return [dict(row) for row in result.mappings()]


def _as_configured(part: str) -> str:
    """In quotes where a dot or a quote of its own would be taken for ours."""
    return '"{}"'.format(part.replace('"', '""')) if set(part) & set('."') else part
