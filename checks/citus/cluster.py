"""Facts about a Citus cluster and the tables in it, and how they are read. No judgement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from checks.statements import template

LEDGER = "backfilled_impression"
"""The list of what was backfilled, in the state schema."""
NO_ANSWER = "A node of the cluster does not answer: `conservator doctor` says more."


class DistributionMethod(StrEnum):
    """How Citus spreads a table over its nodes."""

    HASH = "hash"
    """In shards, by a column."""
    REFERENCE = "reference"
    """Whole, on every node."""
    LOCAL = "local"
    """Whole, on the coordinator, and known to Citus."""
    SINGLE = "single shard"
    """Whole, on one node: schema-based sharding, or distributed by no column."""
    RANGE = "range"
    APPEND = "append"


@dataclass(frozen=True, slots=True)
class Distribution:
    """What Citus says of one table (pg_dist_partition)."""

    method: DistributionMethod
    column: str | None = None
    """The distribution column; None unless it is spread by one."""
    colocation: int = 0
    """Tables with the same number, other than 0, have their shards side by side."""
    answers: bool = True
    """False: one of the nodes with its shards did not tell how large they are."""

    def is_hash_by(self, column: str) -> bool:
        """Whether the table is in hash shards by `column`."""
        return self.method is DistributionMethod.HASH and self.column == column


@dataclass(frozen=True, slots=True)
class Cluster:
    """The Citus extension of this database."""

    version: str
    group: int
    """pg_dist_local_group: 0 is the coordinator, everything else a worker."""

    @property
    def is_coordinator(self) -> bool:
        """Whether we are connected to the node that everything goes through."""
        return self.group == 0


@dataclass(frozen=True, slots=True)
class Ledger:
    """The list of what was backfilled, where Citus is installed."""

    present: bool
    distribution: Distribution | None = None
    """None for a plain table."""
    total_bytes: int | None = None
    """The size of all its shards, where it was asked for and is known."""


_BY_COLUMN = {
    "h": DistributionMethod.HASH,
    "r": DistributionMethod.RANGE,
    "a": DistributionMethod.APPEND,
}


def parse_distribution(row: Mapping[str, Any]) -> Distribution:
    """A row of pg_dist_partition (partmethod, repmodel, colocationid, distribution_column).

    Method `n` is three things: replicated by two-phase commit (t) it is a reference table;
    otherwise it is in a colocation group, as one shard, or in none, as a local table.
    """
    method, colocation = row["partmethod"], int(row["colocationid"])
    if method != "n":
        return Distribution(_BY_COLUMN[method], row["distribution_column"], colocation)
    if row["repmodel"] == "t":
        return Distribution(DistributionMethod.REFERENCE, None, colocation)
    whole = DistributionMethod.SINGLE if colocation else DistributionMethod.LOCAL
    return Distribution(whole, None, colocation)


async def read_cluster(connection: AsyncConnection) -> Cluster:
    """The extension, where it is installed."""
    row = await _row(connection, "catalogue_citus", {})
    assert row is not None
    return Cluster(**row)


async def read_distribution(
    connection: AsyncConnection, cluster: Cluster, relation: int
) -> tuple[Distribution, int | None] | None:
    """How the table with this oid is spread, and the size of all its shards in bytes, if known.

    None for a plain table.
    """
    values = {"relation": relation, "sized": cluster.is_coordinator}
    row = await _row(connection, "catalogue_citus_table", values)
    if row is None:
        return None
    found, size = parse_distribution(row), row["total_bytes"]
    if size is None:
        return replace(found, answers=not cluster.is_coordinator), None
    return found, int(size)


async def every_node_answers(
    connection: AsyncConnection, cluster: Cluster, relations: Iterable[int]
) -> bool:
    """Whether every node answers that has shards of the tables with these oids."""
    found = [await read_distribution(connection, cluster, one) for one in relations]
    return all(distribution.answers for distribution, _ in filter(None, found))


async def read_ledger(
    connection: AsyncConnection, state_schema: str, *, sized: bool = False
) -> Ledger:
    """Whether the ledger is there, and how Citus spreads it; `sized`: and how large it is. Only
    where Citus is installed."""
    asked = {"state_schema": state_schema, "sized": sized}
    row = await _row(connection, "catalogue_citus_ledger", asked)
    assert row is not None
    found = None if row["partmethod"] is None else parse_distribution(row)
    size = row["total_bytes"]
    return Ledger(row["present"], found, None if size is None else int(size))


async def spread_ledger_size(connection: AsyncConnection, state_schema: str) -> int | None:
    """The size of the ledger's shards in bytes; None where it is no table in shards."""
    (server,) = (await connection.exec_driver_sql(template("checks", "catalogue_server"))).all()
    if not server.citus:
        return None
    ledger = await read_ledger(connection, state_schema, sized=True)
    return None if ledger.distribution is None else ledger.total_bytes or 0


async def _row(
    connection: AsyncConnection, statement: str, values: Mapping[str, object]
) -> dict[str, Any] | None:
    text = template("checks.citus", statement)
    row = (await connection.exec_driver_sql(text, dict(values))).mappings().one_or_none()
    return None if row is None else dict(row)
