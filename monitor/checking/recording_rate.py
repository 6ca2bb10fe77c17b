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
from functools import cached_property, partial
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from checks.judgement import Measurement, Thresholds, at_least
from checks.moment_steps import NONE, step_sql, viewed_step
from checks.recording_rate.assessment import Assessment, Limits, assess, to_measurement
from checks.recording_rate.queries import (
    Seeds,
    hindrance,
    read_seeds,
    statements,
    take_sample,
    too_coarse,
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
from monitor.database import again_if_lost, snapshot, transaction
from monitor.runtime import CurrentRuntime, Runtime
from monitor.scheduler import Schedule
from monitor.state import schema
from monitor.state.checks import keep_samples, newest_end, read_samples

NAME = "recording_rate"
LEAST_SAMPLE = timedelta(minutes=1)
"""However often the check runs, samples are planned no shorter: the newest is judged again until
half of that has passed. Ten weeks of seconds would be six million rows."""


@dataclass(frozen=True)
class RecordingRateCheck:
    """Takes the samples of one process, and judges them."""

    settings: Settings
    engine: AsyncEngine
    """The primary's, where the samples are kept."""
    router: ReplicaRouter
    runtime: CurrentRuntime

    @cached_property
    def _every(self) -> timedelta:
        """How long a sample is: by an uneven cron expression too, always the same."""
        check = self.settings.checks.recording_rate
        nominal = Schedule(check.every, check.cron, self.settings.catalog.timezone)
        return max(LEAST_SAMPLE, timedelta(seconds=nominal.interval_seconds()))

    def definition(self) -> CheckDefinition:
        """The check."""
        check = self.settings.checks.recording_rate
        thresholds = Thresholds(warn=at_least(check.warn), fail=at_least(check.fail))
        return CheckDefinition(NAME, check, self.measure, thresholds)

    async def measure(self, timeout: timedelta, confirm: Confirm | None) -> tuple[Measurement, ...]:
        """Take a sample and judge it; with `confirm`, keep it."""
        # Of a sample that was kept although its session ended, the second time finds the end.
        return await again_if_lost(partial(self._measure, timeout, confirm))

    async def _measure(
        self, timeout: timedelta, confirm: Confirm | None
    ) -> tuple[Measurement, ...]:
        runtime = self.runtime.current
        step = NONE
        why_not = hindrance(runtime.catalogue)
        if why_not is None:
            step = await self._viewed_step(runtime, timeout)
            why_not = too_coarse(runtime.catalogue, step, self._every)
        if why_not is not None:
            message = f"The rate can't be measured: {why_not}."
            return (Measurement(value=None, message=message, skipped=why_not),)
        taken, why = await self._take(runtime, timeout, step)
        if taken is None:
            message = "The replica that is read has not replayed anything yet."
            return (with_source_note(Measurement(value=0.0, message=message), why),)
        if confirm is None:
            async with snapshot(self.engine, timeout=timeout) as connection:
                assessment, _ = await self._assess(connection, runtime, taken)
        else:
            async with transaction(self.engine, timeout=timeout) as connection:
                await keep_samples(connection, runtime.state, taken.seeds or ())
                assessment, sample = await self._assess(connection, runtime, taken)
                await keep_samples(connection, runtime.state, [sample])
                await confirm(connection)
        return (with_source_note(to_measurement(assessment), why),)

    async def _viewed_step(self, runtime: Runtime, timeout: timedelta) -> timedelta:
        """To what the moments of viewing were cut down, where only the rows can tell."""
        catalogue, pools = runtime.catalogue, runtime.settings.pools_spec()
        if not step_sql(catalogue, pools):
            return NONE

        async def ask(connection: AsyncConnection, _: datetime) -> timedelta:
            return await viewed_step(connection, catalogue, pools)

        step, _ = await self.router.read(ask, timeout=timeout, rows=runtime.rows)
        return step

    async def _take(
        self, runtime: Runtime, timeout: timedelta, step: timedelta
    ) -> tuple[_Taken | None, str]:
        """A sample from where the newest kept one ends; None where nothing can be read yet."""
        ledger, newest = None, None
        async with snapshot(self.engine, timeout=timeout) as connection:
            if await schema.is_current(connection, runtime.state.state_schema):
                ledger = runtime.state.state_schema
                newest = await newest_end(connection, runtime.state)
        texts = statements(runtime.catalogue, runtime.settings.pools_spec(), ledger)
        every = self._every

        async def take(connection: AsyncConnection, _: datetime) -> _Taken | None:
            until = await visible_until(connection, texts, step)
            if until is None:
                return None
            interval = next_interval(newest, until, every)
            if interval is None:
                assert newest is not None
                return _Taken(newest, None, None)
            sample = await take_sample(connection, texts, interval)
            seeds = None
            if newest is None:
                seeds = await read_seeds(connection, texts, interval.start, every)
            return _Taken(interval.end, sample, seeds)

        return await self.router.read(take, timeout=timeout, rows=runtime.rows)

    async def _assess(
        self, connection: AsyncConnection, runtime: Runtime, taken: _Taken
    ) -> tuple[Assessment, Sample]:
        """Judge the newest sample by those of earlier weeks, seeded or kept; and that sample as it
        is to be kept."""
        check = self.settings.checks.recording_rate
        zone, limits = ZoneInfo(self.settings.catalog.timezone), Limits(check.warn, check.fail)
        intervals = needed_intervals(taken.end, zone)
        # With an interval of a minute these are thousands of samples: not in the event loop.
        if taken.seeds is not None:
            history = await asyncio.to_thread(_within, intervals, taken.seeds)
        else:
            history = await read_samples(connection, runtime.state, intervals)
        return await asyncio.to_thread(_judge, history, taken, zone, limits)


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
