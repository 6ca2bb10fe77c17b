"""Totals that survive restart and takeover. Names are those of the metrics, without prefix."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncConnection

from checks.pipeline import Statement
from monitor.state.statements import SchemaStatements

HEAL_RUNS = "heal_runs"
HEAL_FAILURES = "heal_failures"
HEAL_REFUSALS = "heal_refusals"
HEAL_IMPRESSIONS = "heal_impressions"
HEAL_UNDONE_IMPRESSIONS = "heal_undone_impressions"
HEAL_THROTTLED_SECONDS = "heal_throttled_seconds"
BATCH_SECONDS_SUM = "heal_batch_duration_seconds_sum"
BATCH_SECONDS_BUCKET = "heal_batch_duration_seconds_bucket"
REPAIR_RUNS = "repair_runs"
REPAIR_FAILURES = "repair_failures"
REPAIR_REFUSALS = "repair_refusals"
REPAIR_PLAN_ERRORS = "repair_plan_errors"
REPAIR_ROWS = "repair_rows"
REPAIR_UNDONE_ROWS = "repair_undone_rows"
CHECK_RUNS = "check_runs"
CHECK_ERRORS = "check_errors"
CHECK_MISSED = "check_missed"

BATCH_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds in seconds; +Inf is implied. Around the default target of 250 ms."""
BATCH_BOUNDS = (*map(str, BATCH_BUCKETS), "+Inf")
"""As the totals are labelled."""

Counters = Mapping[tuple[str, str], float]
"""(name, label) -> total."""


async def read_counters(
    connection: AsyncConnection, state: SchemaStatements
) -> dict[tuple[str, str], float]:
    """Every total that was ever added to."""
    rows = await state.run(connection, "counters_read")
    return {(row.name, row.label): row.value for row in rows}


async def add_to_counters(
    connection: AsyncConnection, state: SchemaStatements, added: Counters
) -> None:
    """Add to totals in the connection's transaction; nothing is done for an empty mapping."""
    if added:
        await state.run(connection, "counters_add", columns(added))


def adding(state: SchemaStatements, added: Counters) -> Statement:
    """Adds to totals, of which there is at least one."""
    return state.statement("counters_add", columns(added))


def columns(added: Counters) -> dict[str, object]:
    """As the statements bind them."""
    return {
        "names": [name for name, _ in added],
        "labels": [label for _, label in added],
        "values": list(added.values()),
    }


def batch_observation(seconds: float) -> dict[tuple[str, str], float]:
    """What one batch of `seconds` adds to the histogram; buckets are not cumulative here."""
    bound = next(label for label in BATCH_BOUNDS if seconds <= float(label))
    return {(BATCH_SECONDS_SUM, ""): seconds, (BATCH_SECONDS_BUCKET, bound): 1.0}
