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
from monitor.run_tools import tools_to_undo
from monitor.runtime import Runtime, inspect_catalogue, require_catalogue
from monitor.runtime import build as build_runtime
from monitor.service.startup import ensure_schema
from monitor.state.runs import Run, RunState, Trigger

DUTY = "healing: {pace: {duty: 100%}}"
TWO_WRITERS = "healing: {pace: {duty: 100%, writers: 2}}"
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


async def heal(url: str, rows: int, more: str = DUTY) -> Backfill:
    """A run of at most so many rows, from its plan to its recount; at full duty unless `more` says
    something else."""
    async with runtime_at(url, more) as runtime:
        return (await _heal(runtime, rows))[0]


async def heal_and_undo(url: str, rows: int) -> tuple[Backfill, Backfill]:
    """The same, and its undo."""
    async with runtime_at(url, DUTY) as runtime:
        healed, run = await _heal(runtime, rows)
        return healed, await take_back(runtime, run)


async def take_back(present: Runtime, run: Run) -> Backfill:
    """An undo of `run`, from its plan to its verified end."""
    tools = await tools_to_undo(present, run.id)

    async def plan() -> Run | None:
        owner = tools.run_owner(Trigger.COMMAND)
        planned = await tools.undo_planner.plan(owner, run.id, reason="A benchmark.")
        return None if planned is None else planned.run

    return (await timed(tools, plan))[0]


async def _heal(runtime: Runtime, rows: int) -> tuple[Backfill, Run]:
    async def plan() -> Run | None:
        planned = await runtime.planner.plan_audience(
            runtime.run_owner(Trigger.COMMAND),
            reason="A benchmark.",
            max_rows=rows,
            guard=lambda *_: None,
        )
        return planned.run

    return await timed(runtime, plan)


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
