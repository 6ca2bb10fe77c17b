"""The registry of checks as service and command line build it, for one runtime or none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from monitor.checking.expectations.worker import WorkerPool
from monitor.checking.registry import CheckRegistry
from monitor.checking.replica import ReplicaRouter
from monitor.config import Settings
from monitor.runtime import CurrentRuntime
from monitor.status import Status, StatusBoard


def empty_board() -> StatusBoard:
    """Nothing has been found yet."""
    return StatusBoard(Status(started=datetime.now(UTC), version="0", revision="0"))


def router_of(engine: AsyncEngine, reading: AsyncEngine | None = None) -> ReplicaRouter:
    """Checks read on the primary, or on the replica of `reading`."""
    max_lag = timedelta(seconds=30)
    return ReplicaRouter(engine, reading or engine, empty_board(), max_lag=max_lag)


def registry_of(
    settings: Settings, engine: AsyncEngine, worker: WorkerPool, runtime: CurrentRuntime
) -> CheckRegistry:
    """All checks on the primary."""
    return CheckRegistry(
        settings,
        empty_board(),
        engine,
        engine,
        worker,
        runtime,
        on_read=lambda _: None,
    )
