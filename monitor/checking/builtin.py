"""The checks that are one measurement in one snapshot: what each measures, and from which number on
it matters. One list, for the service, for `check` and for the documentation.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from checks import custom_sql, row_faults, supply
from checks.judgement import Measurement, Threshold, Thresholds, at_least
from checks.relations import Catalogue
from checks.spec import Cutoffs, PoolsSpec
from monitor.checking.definition import NONE_AT_ALL, CheckDefinition, Confirm, Measure
from monitor.checking.replica import ReplicaRouter, with_source_note
from monitor.config import Check, Settings, format_duration
from monitor.runtime import CurrentRuntime

SnapshotMeasure = Callable[[AsyncConnection, Catalogue, PoolsSpec, Cutoffs], Awaitable[Measurement]]
"""Reads, in a snapshot of its own."""


def snapshot_checks(
    settings: Settings, router: ReplicaRouter, runtime: CurrentRuntime
) -> Iterator[CheckDefinition]:
    """All of them, enabled or not."""

    def define(
        name: str, check: Check, measure: SnapshotMeasure, thresholds: Thresholds
    ) -> CheckDefinition:
        return CheckDefinition(name, check, _in_snapshot(measure, router, runtime), thresholds)

    checks = settings.checks
    pool, artworks = checks.pool_exhaustion, checks.artwork_supply
    impossible = Thresholds(fail=NONE_AT_ALL)
    yield define(
        "duplicate_impressions",
        checks.duplicate_impressions,
        row_faults.measure_duplicates,
        impossible,
    )
    yield define(
        "orphan_impressions", checks.orphan_impressions, row_faults.measure_orphans, impossible
    )
    yield define(
        "timestamps", checks.timestamps, row_faults.measure_timestamps, Thresholds(warn=NONE_AT_ALL)
    )
    yield define(
        "pool_exhaustion",
        pool,
        partial(supply.measure_pool, minimum=pool.minimum),
        Thresholds(warn=at_least(pool.warn), fail=at_least(pool.fail)),
    )
    yield define(
        "artwork_supply",
        artworks,
        supply.measure_supply,
        Thresholds(warn=_at_age(artworks.warn), fail=_at_age(artworks.fail)),
    )
    for one in checks.sql:
        measure = partial(custom_sql.measure, query=one.query)
        yield define(one.name, one, measure, Thresholds(warn=one.warn, fail=one.fail))


def _at_age(age: timedelta) -> Threshold:
    return at_least(age.total_seconds(), format_duration(age))


def _in_snapshot(read: SnapshotMeasure, router: ReplicaRouter, runtime: CurrentRuntime) -> Measure:
    async def measure(timeout: timedelta, _: Confirm | None) -> tuple[Measurement, ...]:
        tools = runtime.current
        pools = tools.settings.pools_spec()

        async def ask(connection: AsyncConnection, now: datetime) -> Measurement:
            return await read(connection, tools.catalogue, pools, Cutoffs.at(now, pools))

        measured, note = await router.read(ask, timeout=timeout)
        return (with_source_note(measured, note),)

    return measure
