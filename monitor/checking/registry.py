"""Every check of the configuration, for the service and for `check` alike.

Most are one measurement in one snapshot; `structure` is `doctor` by the clock, so that an index
dropped at night is noticed. Census, recording_rate and suites of expectations stand in modules of
their own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from checks import custom_sql, row_faults, supply
from checks.doctor.findings import Blocks, Examination, Finding, Severity
from checks.judgement import Measurement, Outcome, Threshold, Thresholds, at_least
from checks.relations import Catalogue
from checks.spec import Cutoffs, PoolsSpec
from monitor.checking.census import CensusCheck
from monitor.checking.definition import NONE_AT_ALL, CheckDefinition, Confirm, Measure, facts
from monitor.checking.expectations.check import SuiteCheck
from monitor.checking.expectations.worker import WorkerPool
from monitor.checking.recording_rate import RecordingRateCheck
from monitor.checking.replica import ReplicaRouter, with_source_note
from monitor.checking.runner import CheckRunner, CheckTracker, Keep
from monitor.config import Check, Checks, Settings, format_duration
from monitor.runtime import (
    CurrentRuntime,
    finding_sentence,
    inspect_rows,
)
from monitor.status import CENSUS, STRUCTURE, StatusBoard

IMPOSSIBLE = Thresholds(fail=NONE_AT_ALL)
"""Of what no app in good order does."""

OnRead = Callable[[Examination], None]
"""Takes what the catalogue says, as it has just been read."""
SnapshotMeasure = Callable[[AsyncConnection, Catalogue, PoolsSpec, Cutoffs], Awaitable[Measurement]]
"""Reads, in a snapshot of its own."""


class CheckRegistry:
    """The checks of one process: what they are, what runs them, and what they found last."""

    def __init__(
        self,
        settings: Settings,
        board: StatusBoard,
        engine: AsyncEngine,
        read_engine: AsyncEngine,
        worker: WorkerPool,
        runtime: CurrentRuntime,
        *,
        on_read: OnRead,
        keep: Keep = lambda result, at: None,
    ) -> None:
        """`engine` is the primary's, and `read_engine` too where no replica is configured; `worker`
        is started when the first suite runs; `on_read` is told what the structure check has
        found; `keep` is told of every result."""
        max_lag = settings.healing.pace.max_replica_lag
        router = ReplicaRouter(engine, read_engine, board, max_lag, settings.database.lock_timeout)
        self.runner = CheckRunner(settings, board)
        self.census = CensusCheck(settings, router, runtime, board, self.runner, keep)
        others = [
            *snapshot_checks(settings, router, runtime),
            RecordingRateCheck(settings, engine, router, runtime).definition(),
            *(
                SuiteCheck(settings, engine, router, runtime, worker, one).definition()
                for one in settings.checks.expectations
            ),
        ]
        order = Checks.built_in()
        # Stable: those that are no built-in ones stay in their order behind them.
        others.sort(key=lambda one: order.index(one.name) if one.name in order else len(order))
        enabled = [one for one in others if one.settings.enabled]
        timezone = settings.catalog.timezone
        self.checks: Mapping[str, CheckTracker] = {
            CENSUS: self.census.tracker,
            **{
                one.name: CheckTracker(one, board, timezone, keep)
                for one in (structure_check(settings, engine, board, on_read), *enabled)
            },
        }
        """By name, in the order in which they are shown: census and structure, whether they are
        enabled or not, and all others that are."""

    def publish_structure(self, examination: Examination, *, seconds: float) -> None:
        """Make an examination the newest result that was read beside the schedule."""
        tracker = self.checks[STRUCTURE]
        tracker.publish(tracker.definition.judged((_structure(examination),), seconds))


def snapshot_checks(
    settings: Settings, router: ReplicaRouter, runtime: CurrentRuntime
) -> Iterator[CheckDefinition]:
    """The checks that are one measurement in one snapshot, your own SQL among them, enabled or not:
    what each measures, and from which number on it matters."""

    def define(
        name: str,
        check: Check,
        measure: SnapshotMeasure,
        thresholds: Thresholds,
        *,
        own: bool = False,
    ) -> CheckDefinition:
        """`own`: a query of the operator, which may not be about the app's three tables at all."""
        read = _in_snapshot(measure, router, runtime, guarded=not own)
        return CheckDefinition(name, check, read, thresholds)

    checks = settings.checks
    pool, artworks = checks.pool_exhaustion, checks.artwork_supply
    yield define(
        "duplicate_impressions",
        checks.duplicate_impressions,
        row_faults.measure_duplicates,
        IMPOSSIBLE,
    )
    yield define(
        "orphan_impressions", checks.orphan_impressions, row_faults.measure_orphans, IMPOSSIBLE
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
        yield define(one.name, one, measure, Thresholds(warn=one.warn, fail=one.fail), own=True)


def _at_age(age: timedelta) -> Threshold:
    return at_least(age.total_seconds(), format_duration(age))


def _in_snapshot(
    read: SnapshotMeasure, router: ReplicaRouter, runtime: CurrentRuntime, *, guarded: bool
) -> Measure:
    async def measure(timeout: timedelta, _: Confirm | None) -> tuple[Measurement, ...]:
        tools = runtime.current
        pools = tools.settings.pools_spec()

        async def ask(connection: AsyncConnection, now: datetime) -> Measurement:
            return await read(connection, tools.catalogue, pools, Cutoffs.at(now, pools))

        rows = tools.rows if guarded else None
        measured, note = await router.read(ask, timeout=timeout, rows=rows)
        return (with_source_note(measured, note),)

    return measure


def structure_check(
    settings: Settings, engine: AsyncEngine, board: StatusBoard, on_read: OnRead
) -> CheckDefinition:
    """The check `structure`; every process reads the catalogue, because whoever leads next works by
    it, and what it finds is refused, and told, by every process."""

    async def measure(_: timedelta, __: Confirm | None) -> tuple[Measurement, ...]:
        examination = await inspect_rows(engine, settings)
        board.update(examination=examination)
        on_read(examination)
        return (_structure(examination),)

    check = settings.checks.structure
    shown = replace(facts(check, Thresholds(warn=NONE_AT_ALL)), fail="an error")
    return CheckDefinition(STRUCTURE, check, measure, facts=shown, core=True, everywhere=True)


def _structure(examination: Examination) -> Measurement:
    """What an examination says, judged: it fails for what blocks, and warns of the rest but for
    advice, which may stay as it is."""
    findings = [one for one in examination.findings if one.severity is not Severity.ADVICE]
    blocking = examination.blocking()
    message = " ".join(finding_sentence(one) for one in findings[:3])
    blocks = Counter(one.blocks for one in examination.findings)
    return Measurement(
        value=len(findings),
        message=message or "The tables are as they should be.",
        numbers={one.value: float(blocks[one]) for one in Blocks},
        evidence=tuple(_evidence(one) for one in findings),
        outcome=Outcome.FAIL if blocking else Outcome.WARN if findings else Outcome.PASS,
    )


def _evidence(finding: Finding) -> Mapping[str, str]:
    told = {
        "finding": finding.code,
        "subject": finding.subject,
        "blocks": finding.blocks.value,
    }
    return told if finding.accepted_as is None else {**told, "accept": finding.accepted_as}
