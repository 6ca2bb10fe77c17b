"""Every check of the configuration, for the service and for `check` alike."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncEngine

from checks.doctor.findings import Examination
from monitor.checking.builtin import snapshot_checks
from monitor.checking.census import CensusCheck
from monitor.checking.definition import CheckDefinition
from monitor.checking.expectations.routine import SuiteRunner
from monitor.checking.expectations.worker_pool import WorkerPool
from monitor.checking.recording_rate import RecordingRateCheck
from monitor.checking.replica import ReplicaRouter
from monitor.checking.runner import CheckRunner, judged
from monitor.checking.structure import STRUCTURE, OnRead, structure_check, structure_measurement
from monitor.checking.tracker import CheckTracker, Keep
from monitor.config import Checks, Settings
from monitor.runtime import CurrentRuntime
from monitor.status import CENSUS, StatusBoard


class CheckRegistry:
    """The checks of one process: what they are, what runs them, and what they found last."""

    def __init__(
        self,
        settings: Settings,
        board: StatusBoard,
        engine: AsyncEngine,
        router: ReplicaRouter,
        worker: WorkerPool,
        runtime: CurrentRuntime,
        *,
        on_read: OnRead,
        keep: Keep = lambda result, at: None,
    ) -> None:
        """`engine` is the primary's; `worker` is started when the first suite runs; `on_read` takes
        the catalogue that the structure check has read; `keep` is told of every result."""
        self.runner = CheckRunner(settings, board)
        self.census = CensusCheck(settings, router, runtime, board, self.runner, keep)
        definitions = (
            structure_check(settings, engine, on_read),
            *_enabled(settings, engine, router, worker, runtime),
        )
        timezone = settings.catalog.timezone
        trackers = [CheckTracker(one, board, timezone, keep) for one in definitions]
        self.checks: Mapping[str, CheckTracker] = {
            CENSUS: self.census.tracker,
            **{one.name: one for one in trackers},
        }
        """By name, in the order in which they are shown: census and structure, whether they are
        enabled or not, and all others that are."""

    def publish_structure(self, examination: Examination, *, seconds: float) -> None:
        """Make an examination the newest result that was read beside the schedule."""
        tracker = self.checks[STRUCTURE]
        measured = (structure_measurement(examination),)
        tracker.publish(judged(tracker.definition, measured, seconds))


def _enabled(
    settings: Settings,
    engine: AsyncEngine,
    router: ReplicaRouter,
    worker: WorkerPool,
    runtime: CurrentRuntime,
) -> list[CheckDefinition]:
    """The checks beside census and structure, in the order of the configuration."""
    found = [
        *snapshot_checks(settings, router, runtime),
        RecordingRateCheck(settings, engine, router, runtime).definition(),
        *(
            SuiteRunner(settings, engine, one, runtime, router, worker).definition()
            for one in settings.checks.expectations
        ),
    ]
    order = Checks.built_in()
    # Stable: those that are no built-in ones stay in their order behind them.
    found.sort(key=lambda one: order.index(one.name) if one.name in order else len(order))
    return [one for one in found if one.settings.enabled]
