"""The checks beside census and structure: what each measures, when, and from which number on it
matters. One list, for the service, for `check` and for the documentation.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from checks import artwork_supply, custom_sql, duplicates, orphans, pool_exhaustion, timestamps
from checks.judgement import Comparison, Measurement, Threshold, Thresholds, at_least
from checks.relations import Catalogue
from checks.spec import Cutoffs, PoolsSpec
from monitor.config import Check, Settings, SqlCheck, format_duration

Measure = Callable[[AsyncConnection, Catalogue, PoolsSpec, Cutoffs], Awaitable[Measurement]]
"""Reads, in a snapshot of its own."""

NONE_AT_ALL = Threshold(Comparison.ABOVE, 0, "> 0")


@dataclass(frozen=True, slots=True)
class CheckDefinition:
    """One check: when it runs, what it measures, how that is judged."""

    name: str
    settings: Check
    thresholds: Thresholds
    measure: Measure


def plans(settings: Settings) -> tuple[CheckDefinition, ...]:
    """Every enabled check that is one measurement in one snapshot."""
    return tuple(plan for plan in _all(settings) if plan.settings.enabled)


def _all(settings: Settings) -> Iterator[CheckDefinition]:
    checks = settings.checks
    impossible = Thresholds(fail=NONE_AT_ALL)
    yield CheckDefinition(
        "duplicate_impressions", checks.duplicate_impressions, impossible, duplicates.measure
    )
    yield CheckDefinition(
        "orphan_impressions", checks.orphan_impressions, impossible, orphans.measure
    )
    yield CheckDefinition(
        "timestamps", checks.timestamps, Thresholds(warn=NONE_AT_ALL), timestamps.measure
    )
    pool, supply = checks.pool_exhaustion, checks.artwork_supply

    async def exhaustion(
        connection: AsyncConnection, catalogue: Catalogue, pools: PoolsSpec, cutoffs: Cutoffs
    ) -> Measurement:
        return await pool_exhaustion.measure(
            connection, catalogue, pools, cutoffs, minimum=pool.minimum
        )

    yield CheckDefinition(
        "pool_exhaustion",
        pool,
        Thresholds(warn=at_least(pool.warn), fail=at_least(pool.fail)),
        exhaustion,
    )
    yield CheckDefinition(
        "artwork_supply",
        supply,
        Thresholds(
            warn=_at_age(supply.warn),
            fail=_at_age(supply.fail),
        ),
        artwork_supply.measure,
    )
    for one in checks.sql:
        yield CheckDefinition(one.name, one, Thresholds(warn=one.warn, fail=one.fail), _own(one))


def _at_age(age: timedelta) -> Threshold:
    return at_least(age.total_seconds(), format_duration(age))


def _own(check: SqlCheck) -> Measure:
    async def measure(
        connection: AsyncConnection, catalogue: Catalogue, pools: PoolsSpec, cutoffs: Cutoffs
    ) -> Measurement:
        return await custom_sql.measure(connection, catalogue, pools, cutoffs, query=check.query)

    return measure
