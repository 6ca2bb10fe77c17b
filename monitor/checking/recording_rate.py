"""Runs `recording_rate`: takes a sample, keeps it, and judges it by those of earlier weeks.

    newest end kept ──► interval ──► sample counted ──► judged ──► sample kept, with its judgement
         none: seeds, read back from the table, are kept first

The sample and its judgement are one transaction on the primary, which ends with the leader's word.
Killed before it, the next run counts the same interval again; a follower that believes that it
leads keeps nothing. On the command line nothing is kept: what is there is read, and one sample
taken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from checks.judgement import Measurement, Thresholds, at_least
from checks.recording_rate.assessment import Assessment, Limits, assess, to_measurement
from checks.recording_rate.queries import (
    Seeds,
    hindrance,
    read_seeds,
    statements,
    take_sample,
    visible_until,
)
from checks.recording_rate.samples import (
    Sample,
    SampleInterval,
    Series,
    needed_intervals,
    next_interval,
)
from monitor.checking.definition import CheckDefinition, Confirm
from monitor.checking.replica import ReplicaRouter, with_source_note
from monitor.config import Settings
from monitor.database import snapshot, transaction
from monitor.runtime import CurrentRuntime, Runtime
from monitor.scheduler import Schedule
from monitor.state import schema
from monitor.state.samples import keep_samples, newest_end, read_samples

NAME = "recording_rate"
LEAST_SAMPLE = timedelta(minutes=1)
"""However often the check runs, samples are planned no shorter: the newest is judged again until
half of that has passed. Ten weeks of seconds would be six million rows."""


class RecordingRateCheck:
    """Takes the samples of one process, and judges them."""

    def __init__(
        self,
        settings: Settings,
        engine: AsyncEngine,
        router: ReplicaRouter,
        runtime: CurrentRuntime,
    ) -> None:
        """`engine` is the primary's, where the samples are kept."""
        check = settings.checks.recording_rate
        self._check = check
        self._engine = engine
        self._router = router
        self._runtime = runtime
        self._limits = Limits(check.warn, check.fail)
        self._zone = ZoneInfo(settings.catalog.timezone)
        nominal = Schedule(check.every, check.cron, settings.catalog.timezone)
        self._every = max(LEAST_SAMPLE, timedelta(seconds=nominal.interval_seconds()))

    def definition(self) -> CheckDefinition:
        """The check."""
        thresholds = Thresholds(warn=at_least(self._check.warn), fail=at_least(self._check.fail))
        return CheckDefinition(NAME, self._check, self.measure, thresholds)

    async def measure(self, timeout: timedelta, confirm: Confirm | None) -> tuple[Measurement, ...]:
        """Take a sample and judge it; with `confirm`, keep it."""
        runtime = self._runtime.current
        why_not = hindrance(runtime.catalogue)
        if why_not is not None:
            message = f"The rate can't be measured: {why_not}."
            return (Measurement(value=None, message=message, skipped=why_not),)
        has_schema, newest = await self._newest(runtime, timeout)
        taken, why = await self._take(runtime, timeout, newest, has_schema)
        if taken is None:
            message = "The replica that is read has not replayed anything yet."
            return (with_source_note(Measurement(value=0.0, message=message), why),)
        assessment = await self._assess(runtime, timeout, taken, has_schema, confirm)
        return (with_source_note(to_measurement(assessment), why),)

    async def _assess(
        self,
        runtime: Runtime,
        timeout: timedelta,
        taken: _Taken,
        has_schema: bool,
        confirm: Confirm | None,
    ) -> Assessment:
        """Judge what was taken by what is kept; with `confirm`, keep it too."""
        if confirm is None:
            async with snapshot(self._engine, timeout=timeout) as connection:
                history = await self._history(connection, runtime, taken, has_schema)
            return (await self._judged(history, taken))[0]
        async with transaction(self._engine, timeout=timeout) as connection:
            await keep_samples(connection, runtime.state, taken.seeds or ())
            history = await self._history(connection, runtime, taken, has_schema)
            assessment, sample = await self._judged(history, taken)
            await keep_samples(connection, runtime.state, [sample])
            await confirm(connection)
        return assessment

    async def _newest(self, runtime: Runtime, timeout: timedelta) -> tuple[bool, datetime | None]:
        """Whether there is a state schema, and where the newest sample in it ends."""
        async with snapshot(self._engine, timeout=timeout) as connection:
            if not await schema.is_current(connection, runtime.state.state_schema):
                return False, None
            return True, await newest_end(connection, runtime.state)

    async def _take(
        self, runtime: Runtime, timeout: timedelta, newest: datetime | None, has_schema: bool
    ) -> tuple[_Taken | None, str]:
        ledger = runtime.state.state_schema if has_schema else None
        texts = statements(runtime.catalogue, runtime.settings.pools_spec(), ledger)

        async def take(connection: AsyncConnection, _: datetime) -> _Taken | None:
            until = await visible_until(connection, texts)
            if until is None:
                return None
            interval = next_interval(newest, until, self._every)
            if interval is None:
                assert newest is not None
                return _Taken(newest, None, None)
            sample = await take_sample(connection, texts, interval)
            seeds = None
            if newest is None:
                seeds = await read_seeds(connection, texts, interval.start, self._every)
            return _Taken(interval.end, sample, seeds)

        return await self._router.read(take, timeout=timeout)

    async def _history(
        self, connection: AsyncConnection, runtime: Runtime, taken: _Taken, has_schema: bool
    ) -> list[Sample]:
        """What the judgement reads, oldest first, without the sample just taken."""
        intervals = needed_intervals(taken.end, self._zone)
        if taken.seeds is not None:
            return await asyncio.to_thread(_within, intervals, taken.seeds)
        return await read_samples(connection, runtime.state, intervals) if has_schema else []

    async def _judged(self, history: list[Sample], taken: _Taken) -> tuple[Assessment, Sample]:
        # With an interval of a minute it reads thousands of samples: not in the event loop.
        return await asyncio.to_thread(_judge, history, taken, self._zone, self._limits)


@dataclass(frozen=True, slots=True)
class _Taken:
    """What one run read from the app's tables."""

    end: datetime
    """Of the newest sample."""
    sample: Sample | None
    """None where the newest sample kept is younger than half an interval: it is judged again."""
    seeds: Seeds | None
    """Read back from the table, on the first start."""


def _judge(
    history: list[Sample], taken: _Taken, zone: ZoneInfo, limits: Limits
) -> tuple[Assessment, Sample]:
    """What is found about the newest sample, and the sample as it is to be kept."""
    series = Series(history)
    if taken.sample is not None:
        series.append(taken.sample)
    found = assess(series, zone, limits)
    return found, series.judge_newest(suspect=found.suspect, day_factor=found.day_factor)


def _within(intervals: Sequence[SampleInterval], samples: Iterable[Sample]) -> list[Sample]:
    """The samples that end within any of the intervals."""
    return [one for one in samples if any(each.start < one.end <= each.end for each in intervals)]
