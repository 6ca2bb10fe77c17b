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

from exporters.prometheus.build import Scrape
from exporters.prometheus.metrics import EVERY_REPLICA, LEADER_ALONE, batch_durations
from monitor.status import StatusBoard

Clock = Callable[[], float]
"""The process's monotonic clock, in seconds."""


class StatusCollector(Collector):
    """The metrics of the current snapshot; `observe`: `healing.mode` is observe."""

    def __init__(self, board: StatusBoard, *, observe: bool, clock: Clock) -> None:
        self._board = board
        self._observe = observe
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        """Every family, from one snapshot."""
        scrape = Scrape(self._board.current, self._clock(), self._observe)
        leads = scrape.status.leader
        for metric in (*EVERY_REPLICA, *(LEADER_ALONE if leads else ())):
            yield from metric.families(scrape)
        if leads:
            yield batch_durations(scrape.status.counters)


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
