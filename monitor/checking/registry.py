"""Every entry of the schedule beside census and structure, for the service and for `check`."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.ext.asyncio import AsyncEngine

from monitor.checking.builtin import plans
from monitor.checking.definition import ScheduledCheck
from monitor.checking.expectations.client import Worker
from monitor.checking.expectations.routine import SuiteRunner
from monitor.checking.recording_rate import RecordingRateCheck
from monitor.checking.replica import ReplicaRouter
from monitor.checking.runner import CheckRunner
from monitor.config import Checks, Settings
from monitor.runtime import Runtime


def routines(
    settings: Settings,
    engine: AsyncEngine,
    server: ReplicaRouter,
    runtime: Callable[[], Runtime],
    worker: Worker,
) -> tuple[ScheduledCheck, ...]:
    """All that are enabled, in the order of the configuration.

    `worker` is started when the first suite runs, and not before.
    """
    examiner = CheckRunner(settings, server, runtime)
    found = [examiner.routine(plan) for plan in plans(settings)]
    if settings.checks.recording_rate.enabled:
        found.append(RecordingRateCheck(settings, engine, runtime, examiner).routine())
    found += [
        SuiteRunner(settings, engine, check, runtime, examiner, worker).routine()
        for check in settings.checks.expectations
        if check.enabled
    ]
    order = Checks.built_in()
    # Stable: those that are no built-in ones stay in their order behind them.
    found.sort(key=lambda one: order.index(one.name) if one.name in order else len(order))
    return tuple(found)
