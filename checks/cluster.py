"""What Citus says of itself and of the tables, and what that means for the statements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from checks.relations import Catalogue, Cluster, Distribution, Engine, Relation, Spread
from checks.statements import template

_METHODS = {"h": Spread.HASH, "r": Spread.RANGE, "a": Spread.APPEND}


def distribution(row: Mapping[str, Any]) -> Distribution:
    """A row of pg_dist_partition (partmethod, repmodel, colocationid, distribution_column).

    Method `n` is three things: replicated by two-phase commit (t) it is a reference table;
    otherwise it is in a colocation group, as one shard, or in none, as a local table.
    """
    method, colocation = row["partmethod"], int(row["colocationid"])
    if method != "n":
        return Distribution(_METHODS[method], row["distribution_column"], colocation)
    if row["repmodel"] == "t":
        return Distribution(Spread.REFERENCE, None, colocation)
    return Distribution(Spread.SINGLE if colocation else Spread.LOCAL, None, colocation)


def engine_of(*relations: Relation) -> Engine:
    """One table that Citus plans is enough: every statement joins it."""
    spread = any(relation.distribution is not None for relation in relations)
    return Engine.CITUS if spread else Engine.POSTGRESQL


def is_hashed_by(relation: Relation, column: str) -> bool:
    """Whether the relation is in hash shards by `column`."""
    found = relation.distribution
    return found is not None and found.spread is Spread.HASH and found.column == column


def on_citus(catalogue: Catalogue) -> Catalogue:
    """The same tables as they would best be spread: impressions by user, the others everywhere.

    For showing and testing the statements where there is no Citus.
    """
    by_user = Distribution(Spread.HASH, catalogue.spec.impressions.user, 1)
    everywhere = Distribution(Spread.REFERENCE, None, 2)
    return replace(
        catalogue,
        impressions=replace(catalogue.impressions, distribution=by_user),
        users=replace(catalogue.users, distribution=everywhere),
        artworks=replace(catalogue.artworks, distribution=everywhere),
        engine=Engine.CITUS,
    )


async def read_cluster(connection: AsyncConnection) -> Cluster:
    """The extension, where it is installed."""
    result = await connection.exec_driver_sql(template("checks", "catalogue_citus"), {})
    return Cluster(**result.mappings().one())


async def read_distribution(
    connection: AsyncConnection, cluster: Cluster, relation: Relation
) -> Relation:
    """The relation with its distribution, and with the size of all its shards."""
    values = {"relation": relation.oid, "sized": cluster.is_coordinator}
    text = template("checks", "catalogue_citus_table")
    row = (await connection.exec_driver_sql(text, values)).mappings().one_or_none()
    if row is None:
        return relation
    size = relation.total_bytes if row["total_bytes"] is None else int(row["total_bytes"])
    return replace(
        relation,
        distribution=distribution(dict(row)),
        estimated_rows=0,
        total_bytes=size,
        analysed=False,
    )


async def read_ledger(
    connection: AsyncConnection, state_schema: str
) -> tuple[bool, Distribution | None]:
    """Whether the ledger is there, and how Citus spreads it. Only where Citus is installed."""
    text = template("checks", "catalogue_citus_ledger")
    row = (await connection.exec_driver_sql(text, {"state_schema": state_schema})).mappings().one()
    found = None if row["partmethod"] is None else distribution(dict(row))
    return row["present"], found
