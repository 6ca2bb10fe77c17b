"""A run as the service works it: planner, executor, verification; without rests."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from bench.errors import BenchmarkError
from bench.servers import settings_for
from bench.shares import Backfill, BatchPoint
from checks.doctor.findings import Blocks
from monitor.database import create_engine
from monitor.healing.executor import Progress
from monitor.runtime import Runtime, inspect_catalogue, require_catalogue
from monitor.runtime import build as build_runtime
from monitor.service.startup import ensure_schema
from monitor.state.runs import Run, RunState, Trigger

DUTY = "healing: {pace: {duty: 100%}}"
_PAGE = os.sysconf("SC_PAGE_SIZE")


@asynccontextmanager
async def runtime_at(url: str, more: str, what: Blocks = Blocks.HEALING) -> AsyncIterator[Runtime]:
    """The tools as the service builds them, by settings with `more` lines of YAML."""
    settings = settings_for(url, more)
    engine = create_engine(url, pool_size=settings.database.pool_size)
    try:
        examination = await inspect_catalogue(engine, settings)
        catalogue = require_catalogue(examination, what)
        runtime = build_runtime(engine, settings, examination, catalogue)
        await ensure_schema(engine, runtime.state)
        yield runtime
    finally:
        await engine.dispose()


async def heal(url: str, rows: int) -> Backfill:
    """A run of at most so many rows, at full duty, from its plan to its recount."""
    async with runtime_at(url, DUTY) as runtime:

        async def plan() -> Run | None:
            planned = await runtime.planner.plan_audience(
                runtime.run_owner(Trigger.COMMAND),
                reason="A benchmark.",
                max_rows=rows,
                guard=lambda *_: None,
            )
            return planned.run

        return (await timed(runtime, plan))[0]


async def timed(tools: Runtime, plan: Callable[[], Awaitable[Run | None]]) -> tuple[Backfill, Run]:
    """The run that `plan` makes, from the wish to its verified end."""
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
    run = await plan()
    if run is None:
        raise BenchmarkError("There is nothing to do for a run in this gallery.")
    begun = time.perf_counter()
    ended = (await tools.executor(note).work(run)).run
    finished = time.perf_counter()
    if ended.state not in {RunState.SUCCEEDED, RunState.PARTIAL}:
        raise BenchmarkError(f"The run ended as {ended.state}: {ended.outcome}")
    done = Backfill(
        rows=ended.inserted,
        planning=begun - started,
        writing=ends[-1] - begun,
        verifying=finished - ends[-1],
        batches=tuple(points),
        memory=tuple(memory),
    )
    return done, ended


def resident() -> float:
    """This process's resident memory, in MB of 10^6 bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE / 1e6
