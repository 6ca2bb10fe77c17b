"""What Citus says of itself and of the tables, and what that means for the statements."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from checks.citus.distribution import (
    Cluster,
    Distribution,
    DistributionMethod,
    parse_distribution,
)
from checks.relations import Catalogue, Engine, Relation
from checks.statements import template

PACKAGE = "checks.citus"
LEDGER = "backfilled_impression"
"""The list of what was backfilled, in the state schema."""


def engine_of(*relations: Relation) -> Engine:
    """One table that Citus plans is enough: every statement joins it."""
    spread = any(relation.distribution is not None for relation in relations)
    return Engine.CITUS if spread else Engine.POSTGRESQL


def is_hashed_by(relation: Relation, column: str) -> bool:
    """Whether the relation is in hash shards by `column`."""
    return relation.distribution is not None and relation.distribution.is_hash_by(column)


def on_citus(catalogue: Catalogue) -> Catalogue:
    """The same tables as they would best be spread: impressions by user, the others everywhere.

    For showing and testing the statements where there is no Citus.
    """
    by_user = Distribution(DistributionMethod.HASH, catalogue.spec.impressions.user, 1)
    everywhere = Distribution(DistributionMethod.REFERENCE, None, 2)
    return replace(
        catalogue,
        impressions=replace(catalogue.impressions, distribution=by_user),
        users=replace(catalogue.users, distribution=everywhere),
        artworks=replace(catalogue.artworks, distribution=everywhere),
        engine=Engine.CITUS,
    )


async def read_cluster(connection: AsyncConnection) -> Cluster:
    """The extension, where it is installed."""
    result = await connection.exec_driver_sql(template(PACKAGE, "catalogue_citus"), {})
    return Cluster(**result.mappings().one())


async def read_distribution(
    connection: AsyncConnection, cluster: Cluster, relation: Relation
) -> Relation:
    """The relation with its distribution, and with the size of all its shards."""
    values = {"relation": relation.oid, "sized": cluster.is_coordinator}
    text = template(PACKAGE, "catalogue_citus_table")
    row = (await connection.exec_driver_sql(text, values)).mappings().one_or_none()
    if row is None:
        return relation
    size = relation.total_bytes if row["total_bytes"] is None else int(row["total_bytes"])
    return replace(
        relation,
        distribution=parse_distribution(dict(row)),
        estimated_rows=0,
        total_bytes=size,
        analysed=False,
    )


async def read_ledger(
    connection: AsyncConnection, state_schema: str
) -> tuple[bool, Distribution | None]:
    """Whether the ledger is there, and how Citus spreads it. Only where Citus is installed."""
    text = template(PACKAGE, "catalogue_citus_ledger")
    row = (await connection.exec_driver_sql(text, {"state_schema": state_schema})).mappings().one()
    found = None if row["partmethod"] is None else parse_distribution(dict(row))
    return row["present"], found
