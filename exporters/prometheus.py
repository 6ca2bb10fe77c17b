"""One collector over the snapshot: a scrape reads memory and never touches the database."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from exporters.families.census import census_families
from exporters.families.checks import check_families
from exporters.families.healing import healing_families
from exporters.families.service import service_families
from monitor.status import StatusBoard

Clock = Callable[[], float]
"""The process's monotonic clock, in seconds."""


class StatusCollector(Collector):
    """The metrics of the current snapshot.

    Census, checks and healing come from the leader alone, so that sums over replicas are right.
    `observe`: `healing.mode` is observe, which counts as suspended.
    """

    def __init__(
        self, board: StatusBoard, *, observe: bool = False, clock: Clock = time.monotonic
    ) -> None:
        self._board = board
        self._observe = observe
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        """Every family, from one snapshot."""
        status, now = self._board.current, self._clock()
        yield from service_families(status)
        if status.leader:
            yield from census_families(status, now)
            yield from check_families(status, now)
            yield from healing_families(status, observe=self._observe)


def create_registry(
    board: StatusBoard,
    *,
    observe: bool = False,
    clock: Clock = time.monotonic,
    process: bool = True,
) -> CollectorRegistry:
    """A registry of our own with the snapshot's metrics, and with `process` Python's and /proc's.

    Leave `process` out where the process ends before anyone looks, as in `check --textfile`.
    """
    disable_created_metrics()  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    registry.register(StatusCollector(board, observe=observe, clock=clock))
    if process:
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
    return registry
