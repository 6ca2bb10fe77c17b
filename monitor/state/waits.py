"""Why runs wait, and for how long: the reasons as words, and what one run's record says."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.state.statements import SchemaStatements


class WaitReason(StrEnum):
    """The closed set of reasons: labels of a metric, so a new one is a new member here."""

    DUTY = "duty"
    """The rest that `healing.pace.duty` asks for after each batch."""
    REPLICA_LAG = "replica_lag"
    """A replica is further behind in time than `max_replica_lag`."""
    REPLICA_LAG_BYTES = "replica_lag_bytes"
    """A replica has more left to replay than `max_replica_lag_bytes`."""
    REPLICA_MISSING = "replica_missing"
    """Fewer replicas are connected than `expected_replicas`."""
    REPLICA_UNKNOWN = "replica_unknown"
    """How far the replicas are can't be read."""
    WAIT_WHILE = "wait_while"
    """The operator's SQL says to wait."""
    WAIT_WHILE_UNKNOWN = "wait_while_unknown"
    """The operator's SQL says neither yes nor no."""
    PROMQL = "promql"
    """The Prometheus query's value is above its limit."""
    PROMQL_UNKNOWN = "promql_unknown"
    """The Prometheus query has no value."""


async def list_waits(
    connection: AsyncConnection, statements: SchemaStatements, run_id: int
) -> Mapping[str, float]:
    """Seconds that a run waited, by reason, the longest first."""
    rows = await statements.run(connection, "run_waits", {"run_id": run_id})
    return {str(row.reason): float(row.seconds) for row in rows}
