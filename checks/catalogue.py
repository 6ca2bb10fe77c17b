"""Reads the facts about the three tables out of PostgreSQL's own catalogue.

Only SELECTs on pg_catalog, so the least privileged role may run it; no session state, so it works
through PgBouncer in transaction mode. What the facts mean is for `doctor` to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.citus.cluster import engine_of, read_cluster, read_distribution
from checks.citus.distribution import Cluster
from checks.errors import CatalogueError
from checks.relations import Catalogue, Column, ForeignKey, Index, Kind, Relation
from checks.spec import CatalogueSpec
from checks.statements import template

_KINDS = {
    "r": Kind.TABLE,
    "p": Kind.PARTITIONED,
    "v": Kind.VIEW,
    "m": Kind.MATERIALIZED_VIEW,
    "f": Kind.FOREIGN_TABLE,
}

_QUOTED = r'"(?:[^"]|"")+"'
_NAME = re.compile(rf'(?:(?P<schema>{_QUOTED}|[^".]+)\.)?(?P<name>{_QUOTED}|.+)', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Needs:
    """The columns of one table that this service names in its statements."""

    read: tuple[str, ...]
    written: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """Each column once, in the order of the configuration."""
        return tuple(dict.fromkeys(self.read + self.written))


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found under the three configured names; None where there is no such relation."""

    spec: CatalogueSpec
    artworks: Relation | None
    users: Relation | None
    impressions: Relation | None
    server_version: int
    """server_version_num, for example 150018."""
    role: str
    """current_user of the connection that read this."""
    cluster: Cluster | None = None
    """The Citus extension; None where it is not installed."""

    @property
    def catalogue(self) -> Catalogue | None:
        """The facts as a catalogue; None while a table or a needed column is missing."""
        if self.artworks is None or self.users is None or self.impressions is None:
            return None
        if self.missing_columns:
            return None
        return Catalogue(
            spec=self.spec,
            artworks=self.artworks,
            users=self.users,
            impressions=self.impressions,
            server_version=self.server_version,
            role=self.role,
            engine=engine_of(self.artworks, self.users, self.impressions),
            cluster=self.cluster,
        )

    @property
    def missing_columns(self) -> tuple[str, ...]:
        """table.column for every needed column that its table, where there is one, lacks."""
        pairs = (
            (self.artworks, artworks_needs(self.spec)),
            (self.users, users_needs(self.spec)),
            (self.impressions, impressions_needs(self.spec)),
        )
        return tuple(
            f"{relation.configured}.{column}"
            for relation, needs in pairs
            if relation is not None
            for column in needs.read
            if column not in relation.columns
        )

    def require(self) -> Catalogue:
        """The catalogue; CatalogueError names the tables and columns that are not there."""
        catalogue = self.catalogue
        if catalogue is not None:
            return catalogue
        spec = self.spec
        tables = [
            configured
            for configured, relation in (
                (spec.artworks.table, self.artworks),
                (spec.users.table, self.users),
                (spec.impressions.table, self.impressions),
            )
            if relation is None
        ]
        missing = ", ".join([*tables, *self.missing_columns])
        raise CatalogueError(
            f"The database does not have: {missing} (visible to role {self.role}). "
            "Say under `catalog:` what they are called; `conservator doctor` suggests names."
        )


def artworks_needs(spec: CatalogueSpec) -> Needs:
    """The columns of the artworks table."""
    names = (spec.artworks.id, spec.artworks.created_at, spec.artworks.owner)
    return Needs(read=_given(names))


def users_needs(spec: CatalogueSpec) -> Needs:
    """The columns of the users table."""
    return Needs(read=_given((spec.users.id, spec.users.created_at)))


def impressions_needs(spec: CatalogueSpec) -> Needs:
    """The columns of the impressions table; those with `defaults` are written and never read."""
    names = _given((spec.impressions.user, spec.impressions.artwork, spec.impressions.viewed_at))
    return Needs(read=names, written=(*names, *spec.impressions.defaults))


def parse_name(configured: str) -> tuple[str | None, str]:
    """Schema, or None to go by the search path, and name.

    The first dot outside double quotes parts the two. Everything is literal: `Art Sessions` has a
    space and capitals; only a name with a dot of its own needs quotes, `"my.schema"."my table"`.
    """
    match = _NAME.fullmatch(configured)
    if match is None:
        raise CatalogueError(f"Expected a table name, got {configured!r}.")
    schema = match["schema"]
    return (None if schema is None else _unquoted(schema)), _unquoted(match["name"])


async def read_catalogue(connection: AsyncConnection, spec: CatalogueSpec) -> Facts:
    """The facts as they are now; neither a missing table nor a missing privilege is an error."""
    server = (await _rows(connection, "catalogue_server", {}))[0]
    cluster = await read_cluster(connection) if server["citus"] else None

    async def relation(configured: str, needs: Needs) -> Relation | None:
        found = await _relation(connection, configured, needs)
        if found is None or cluster is None:
            return found
        return await read_distribution(connection, cluster, found)

    return Facts(
        spec=spec,
        artworks=await relation(spec.artworks.table, artworks_needs(spec)),
        users=await relation(spec.users.table, users_needs(spec)),
        impressions=await relation(spec.impressions.table, impressions_needs(spec)),
        server_version=server["server_version"],
        role=server["role"],
        cluster=cluster,
    )


async def _relation(connection: AsyncConnection, configured: str, needs: Needs) -> Relation | None:
    schema, name = parse_name(configured)
    found = await _rows(
        connection,
        "catalogue_relation",
        {"schema": schema, "name": name, "read": list(needs.read), "written": list(needs.written)},
    )
    if not found:
        return None
    row = found[0]
    oid = {"relation": row["oid"]}
    columns = await _rows(connection, "catalogue_columns", oid)
    indexes = await _rows(connection, "catalogue_indexes", oid)
    keys = await _rows(connection, "catalogue_foreign_keys", oid)
    return Relation(
        configured=configured,
        oid=row["oid"],
        schema=row["schema"],
        name=row["name"],
        kind=_KINDS[row["kind"]],
        columns=MappingProxyType({column["name"]: Column(**column) for column in columns}),
        indexes=tuple(_index(index) for index in indexes),
        foreign_keys=tuple(_foreign_key(key) for key in keys),
        row_security=row["row_security"],
        can_select=row["can_select"],
        can_insert=row["can_insert"],
        can_delete=row["can_delete"],
        insert_triggers=tuple(row["insert_triggers"]),
        publications=tuple(row["publications"]),
        estimated_rows=row["estimated_rows"],
        total_bytes=row["total_bytes"],
        can_use_schema=row["can_use_schema"],
        write_rules=tuple(row["write_rules"]),
        inherited_by=tuple(row["inherited_by"]),
        partition_key=tuple(row["partition_key"]),
        analysed=row["analysed"],
    )


def _index(row: RowMapping) -> Index:
    return Index(**{**row, "columns": tuple(row["columns"]), "included": tuple(row["included"])})


def _foreign_key(row: RowMapping) -> ForeignKey:
    return ForeignKey(
        name=row["name"],
        columns=tuple(row["columns"]),
        target_oid=row["target_oid"],
        target=row["target"],
        target_columns=tuple(row["target_columns"]),
        validated=row["validated"] and row["enforced"],
        enforced=row["enforced"],
    )


async def _rows(
    connection: AsyncConnection, statement: str, parameters: Mapping[str, Any]
) -> list[RowMapping]:
    result = await connection.exec_driver_sql(template("checks", statement), dict(parameters))
    return list(result.mappings())


def _given(names: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if name is not None))


def _unquoted(part: str) -> str:
    if len(part) > 1 and part.startswith('"') and part.endswith('"'):
        return part[1:-1].replace('""', '"')
    return part
