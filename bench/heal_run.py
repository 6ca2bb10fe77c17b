"""A heal run as the service works it: Planner, Executor, verification; without rests."""

from __future__ import annotations

import os
import time
from pathlib import Path

from bench.errors import BenchmarkError
from bench.servers import settings_for
from bench.shares import Backfill, BatchPoint
from monitor.database import create_engine
from monitor.healing.executor import Progress
from monitor.runtime import build, inspect_catalogue, require_catalogue
from monitor.service.startup import ensure_schema
from monitor.state.runs import RunState, Trigger

_DUTY = "healing: {pace: {duty: 100%}}"
_PAGE = os.sysconf("SC_PAGE_SIZE")


async def heal(url: str, rows: int) -> Backfill:
    """A run of at most so many rows, at full duty, from its plan to its recount."""
    settings = settings_for(url, _DUTY)
    engine = create_engine(url, pool_size=settings.database.pool_size)
    try:
        examination = await inspect_catalogue(engine, settings)
        runtime = build(engine, settings, examination, require_catalogue(examination))
        await ensure_schema(engine, runtime.state)
        points: list[BatchPoint] = []
        ends: list[float] = []
        memory: list[float] = []

        def note(progress: Progress) -> None:
            ends.append(time.perf_counter())
            memory.append(resident())
            if progress.batch is not None:
                batch = progress.batch
                points.append(
                    BatchPoint(
                        progress.size,
                        batch.inserted,
                        batch.users,
                        batch.seconds,
                        batch.server_seconds,
                    )
                )

        started = time.perf_counter()
        planned = await runtime.planner.plan_audience(
            runtime.run_owner(Trigger.COMMAND),
            reason="A benchmark.",
            max_rows=rows,
            guard=lambda *_: None,
        )
        if planned.run is None:
            raise BenchmarkError("There is nothing to heal in this gallery.")
        begun = time.perf_counter()
        ended = await runtime.executor(note).work(planned.run)
        finished = time.perf_counter()
        if ended.run.state not in {RunState.SUCCEEDED, RunState.PARTIAL}:
            raise BenchmarkError(f"The run ended as {ended.run.state}: {ended.run.outcome}")
        return Backfill(
            rows=ended.run.inserted,
            planning=begun - started,
            writing=ends[-1] - begun,
            verifying=finished - ends[-1],
            batches=tuple(points),
            memory=tuple(memory),
        )
    finally:
        await engine.dispose()


def resident() -> float:
    """This process's resident memory, in MB of 10^6 bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE / 1e6
