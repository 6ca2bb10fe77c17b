"""Reads the facts about the three tables out of PostgreSQL's own catalogue.

Only SELECTs on pg_catalog, and the operator's defaults explained in savepoints, so the least
privileged role may run it; no session state, so it works
through PgBouncer in transaction mode. What the facts mean is for `doctor` to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.arbiters import read_arbiter
from checks.citus.cluster import Cluster, read_cluster, read_distribution
from checks.errors import CatalogueError, Refusal
from checks.pipeline import Statement, send
from checks.read_elsewhere import read_elsewhere
from checks.relations import (
    Arbiter,
    Catalogue,
    Column,
    ForeignKey,
    Index,
    Kind,
    OtherRelation,
    Relation,
    RowSecurity,
    engine_of,
    named_moment,
)
from checks.row_security import read_row_security
from checks.sequences import named_sequences
from checks.spec import CatalogueSpec, TableRole
from checks.statements import identifier, operator_sql, render, template
from checks.views import ViewChain, seen_through

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
    through: Relation | None = None
    """What lists the pairs; None also where nothing is configured."""
    cluster: Cluster | None = None
    """The Citus extension; None where it is not installed."""
    named_sequences: tuple[tuple[str, str], ...] = ()
    """Column and sequence, for each that new impressions draw from by an expression."""
    read_elsewhere: tuple[OtherRelation, ...] = ()
    """What else the operator's SQL reads."""
    refused_moments: Mapping[str, Refusal] = field(default_factory=dict)
    """By setting: why PostgreSQL refuses a moment that is an expression."""
    proven: Arbiter | None = None
    """What makes pairs unique, beyond an index on exactly the pair."""

    @property
    def catalogue(self) -> Catalogue | None:
        """The facts as a catalogue; None while a table or a needed column is missing."""
        if self.artworks is None or self.users is None or self.impressions is None:
            return None
        if self.spec.through_role is not None and self.through is None:
            return None
        if self.missing_columns or self.refused_moments:
            return None
        return Catalogue(
            spec=self.spec,
            artworks=self.artworks,
            users=self.users,
            impressions=self.impressions,
            through=self.through,
            server_version=self.server_version,
            role=self.role,
            engine=engine_of(*(relation for _, relation in self.found)),
            cluster=self.cluster,
            named_sequences=self.named_sequences,
            proven=self.proven,
            read_elsewhere=self.read_elsewhere,
        )

    @property
    def arbiter(self) -> Arbiter | None:
        """What ON CONFLICT can name, as `Catalogue.arbiter`."""
        spec, found = self.spec.impressions, self.impressions
        return None if found is None else found.arbiter_on(spec.user, spec.artwork) or self.proven

    @property
    def tables(self) -> tuple[tuple[TableRole, Relation | None], ...]:
        """What is configured, and what was found: artworks, users, impressions, and what lists
        the pairs where anything does."""
        found = (self.artworks, self.users, self.impressions)
        through = self.spec.through_role
        listed = () if through is None else ((through, self.through),)
        return (*zip(self.spec.roles, found, strict=True), *listed)

    @property
    def found(self) -> tuple[tuple[TableRole, Relation], ...]:
        """The tables that exist."""
        return tuple((role, relation) for role, relation in self.tables if relation is not None)

    @property
    def row_security(self) -> tuple[RowSecurity, ...]:
        """Where row security applies to the connected role, in whatever is read."""
        named = [security for _, one in self.found for security in one.row_security]
        elsewhere = [security for one in self.read_elsewhere for security in one.row_security]
        return (*named, *elsewhere)

    @property
    def missing_columns(self) -> tuple[str, ...]:
        """table.column for every needed column that its table, where there is one, lacks."""
        return tuple(
            f"{relation.configured}.{column}"
            for role, relation in self.found
            for column in role.read
            if column not in relation.columns
        )

    def require(self) -> Catalogue:
        """The catalogue; CatalogueError names the tables and columns that are not there."""
        catalogue = self.catalogue
        if catalogue is not None:
            return catalogue
        tables = [role.table for role, relation in self.tables if relation is None]
        missing = ", ".join([*tables, *self.missing_columns])
        if not missing:
            told = "; ".join(
                f"{setting}: {one.message}" for setting, one in self.refused_moments.items()
            )
            raise CatalogueError(f"PostgreSQL refuses what the configuration says. {told}.")
        raise CatalogueError(
            f"The database does not have: {missing} (visible to role {self.role}). "
            "Say under `catalog:` what they are called; `conservator doctor` suggests names."
        )


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
    (server,) = await _rows(connection, "catalogue_server", {})
    cluster = await read_cluster(connection) if server["citus"] else None
    roles = (*spec.roles, *([] if spec.through_role is None else [spec.through_role]))
    found = [await _relation(connection, role, cluster) for role in roles]
    described = [
        await _described(connection, role, relation)
        for role, relation in zip(roles, found, strict=True)
    ]
    artworks, users, impressions, *through = await _secured(
        connection, [relation for relation, _ in described]
    )
    facts = Facts(
        spec=spec,
        artworks=artworks,
        users=users,
        impressions=impressions,
        through=through[0] if through else None,
        server_version=server["server_version"],
        role=server["role"],
        cluster=cluster,
        refused_moments={key: one for _, refused in described for key, one in refused.items()},
        proven=None
        if impressions is None
        else await read_arbiter(connection, spec.impressions, impressions),
    )
    elsewhere = await read_elsewhere(connection, facts.found, facts.catalogue)
    facts = replace(facts, read_elsewhere=elsewhere)
    catalogue = facts.catalogue
    if catalogue is None:
        return facts
    return replace(facts, named_sequences=await named_sequences(connection, catalogue))


async def read_relation(connection: AsyncConnection, configured: str) -> Relation | None:
    """The relation of this name as it is, whatever it is for; a view as a view. Of its privileges
    only DELETE is told."""
    (server,) = await _rows(connection, "catalogue_server", {})
    cluster = await read_cluster(connection) if server["citus"] else None
    role = TableRole("repairs", configured, MappingProxyType({}), ())
    found = await _named(connection, role, configured, parse_name(configured), cluster)
    (relation,) = await _secured(connection, [found])
    return relation


async def _relation(
    connection: AsyncConnection, role: TableRole, cluster: Cluster | None
) -> Relation | None:
    found = await _named(connection, role, role.table, parse_name(role.table), cluster)
    if found is None or found.kind is not Kind.VIEW or not role.written:
        return found
    return await _view(connection, role, found, cluster)


async def _named(
    connection: AsyncConnection,
    role: TableRole,
    configured: str,
    name: tuple[str | None, str],
    cluster: Cluster | None,
) -> Relation | None:
    """The relation of this schema and name, with what the role needs of it."""
    asked = {"read": role.read, "written": role.written, "updated": role.updated}
    found = await _rows(
        connection,
        "catalogue_relation",
        {
            **{"schema": name[0], "name": name[1], "whole": role.reads_whole_rows},
            **{key: list(one) for key, one in asked.items()},
        },
    )
    if not found:
        return None
    facts = {**found[0], "kind": _KINDS[found[0]["kind"]]}
    about = ("catalogue_columns", "catalogue_indexes", "catalogue_foreign_keys")
    columns, indexes, keys = await _answers(connection, about, {"relation": facts["oid"]})
    relation = Relation(
        configured=configured,
        row_security=(),
        columns=MappingProxyType({column["name"]: Column(**column) for column in columns}),
        indexes=tuple(Index(**index) for index in indexes),
        foreign_keys=tuple(
            ForeignKey(**{**key, "validated": key["validated"] and key["enforced"]}) for key in keys
        ),
        **facts,
    )
    return relation if cluster is None else await _spread(connection, cluster, relation)


async def _view(
    connection: AsyncConnection, role: TableRole, view: Relation, cluster: Cluster | None
) -> Relation:
    """The view with what the table beneath it proves, where it shows the rows of one."""
    chain, goes_on = ViewChain(role, view.oid), True
    while goes_on:
        asked = {"relation": chain.relation, "reader": chain.reader}
        (level,) = await _rows(connection, "catalogue_view", asked)
        goes_on = chain.descend(level)
    found = replace(view, obstacles=tuple(chain.obstacles))
    if chain.table is None:
        return found
    table = await _named(connection, role, view.configured, chain.table, cluster)
    return found if table is None else seen_through(found, chain, table)


async def _described(
    connection: AsyncConnection, role: TableRole, relation: Relation | None
) -> tuple[Relation | None, dict[str, Refusal]]:
    """The relation with the types of its moments that are expressions, and why others are
    refused."""
    if relation is None or not role.moments:
        return relation, {}
    found: dict[str, Column] = {}
    refused = {}
    for key, moment in role.moments.items():
        names = {"table": identifier(relation.schema, relation.name)}
        asked = render("checks", "catalogue_moment", {**names, "moment": operator_sql(moment.sql)})
        savepoint = await connection.begin_nested()
        try:
            result = await connection.exec_driver_sql(asked, {"none": 0})
            type_oid = result.cursor.description[0][1]
        except DBAPIError as error:
            if error.connection_invalidated or not isinstance(error.orig, psycopg.Error):
                raise
            refused[role.setting(key)] = Refusal.of(error.orig)
        else:
            name = {"name": named_moment(role.key, key), "type": type_oid}
            (facts,) = await _rows(connection, "catalogue_type", name)
            found[key] = Column(**facts)
        finally:
            if savepoint.is_active:
                await savepoint.rollback()
    return replace(relation, moments=MappingProxyType(found)), refused


async def _secured(
    connection: AsyncConnection, relations: Sequence[Relation | None]
) -> tuple[Relation | None, ...]:
    """The relations with what row security hides of them, asked at once."""
    oids = [one.oid for one in relations if one is not None]
    found = await read_row_security(connection, oids) if oids else ()
    return tuple(
        one and replace(one, row_security=tuple(row for row in found if row.relation == one.oid))
        for one in relations
    )


async def _spread(connection: AsyncConnection, cluster: Cluster, relation: Relation) -> Relation:
    """The relation with its distribution and the size of all its shards, if Citus knows it.

    The coordinator's statistics are then those of an empty table.
    """
    found = await read_distribution(connection, cluster, relation.oid)
    if found is None:
        return relation
    distribution, size = found
    return replace(
        relation,
        distribution=distribution,
        estimated_rows=0,
        total_bytes=relation.total_bytes if size is None else size,
        analysed=False,
    )


async def _rows(
    connection: AsyncConnection, statement: str, parameters: Mapping[str, object]
) -> list[dict[str, Any]]:
    (rows,) = await _answers(connection, [statement], parameters)
    return rows


async def _answers(
    connection: AsyncConnection, statements: Iterable[str], parameters: Mapping[str, object]
) -> list[list[dict[str, Any]]]:
    """In one round trip, each statement's rows by the names of our records' fields: arrays are
    tuples there."""
    asked = [Statement(template("checks", one), parameters) for one in statements]
    return [
        [
            {name: tuple(v) if isinstance(v, list) else v for name, v in row._asdict().items()}
            for row in rows
        ]
        for rows in await send(connection, asked)
    ]


def _unquoted(part: str) -> str:
    if len(part) > 1 and part.startswith('"') and part.endswith('"'):
        return part[1:-1].replace('""', '"')
    return part
