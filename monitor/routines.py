"""Every entry of the schedule beside census and structure, for the service and for `check`."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.ext.asyncio import AsyncEngine

from monitor.config import Checks, Settings
from monitor.examiner import Examiner
from monitor.expectations.routine import SuiteRunner
from monitor.expectations.worker_pool import WorkerPool
from monitor.plans import plans
from monitor.reading import ReadServer
from monitor.recorder import Recorder
from monitor.routine import Routine
from monitor.workshop import Workshop


def routines(
    settings: Settings,
    engine: AsyncEngine,
    server: ReadServer,
    workshop: Callable[[], Workshop],
    worker: WorkerPool,
) -> tuple[Routine, ...]:
    """All that are enabled, in the order of the configuration.

    `worker` is started when the first suite runs, and not before.
    """
    examiner = Examiner(settings, server, workshop)
    found = [examiner.routine(plan) for plan in plans(settings)]
    if settings.checks.recording_rate.enabled:
        found.append(Recorder(settings, engine, workshop, examiner).routine())
    found += [
        SuiteRunner(settings, engine, check, workshop, examiner, worker).routine()
        for check in settings.checks.expectations
        if check.enabled
    ]
    order = Checks.built_in()
    # Stable: those that are no built-in ones stay in their order behind them.
    found.sort(key=lambda one: order.index(one.name) if one.name in order else len(order))
    return tuple(found)
