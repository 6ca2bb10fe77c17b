"""Facts about a Citus cluster and the tables in it. No judgement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


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
