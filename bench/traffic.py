"""The app's own traffic beside a heal run, in alternating windows: `python -m bench.traffic`.

Before it a session that only computes, for as long as a batch takes and half of the time: what any
work does to the app on so few processors. Then one run, first at the default pace, then put down
and taken up at full duty.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg

from bench.alone import alone
from bench.errors import BenchmarkError
from bench.gallery import LEGACY
from bench.heal_run import runtime_at
from bench.measures import Goal, Measure, compared, percentile
from bench.options import Options
from bench.progress import note
from bench.report import Fact, Report
from bench.servers import copied
from bench.visitors import Visitors
from bench.windows import GATE, Round, Window, alternate
from monitor.healing.executor import Progress
from monitor.runtime import Runtime
from monitor.state.runs import Run, RunState, Trigger
from tests.support.postgres import PostgresServer

GOAL = Goal(1.25)
"""The app's p50 and p99 beside healing at the default pace, to those alone."""
RATE = 60.0
"""Transactions a second."""

_COPY = "gallery_traffic"
_COMPUTING = "a session that only computes"
_COMPUTE = """
DO $$ BEGIN
    WHILE clock_timestamp() < now() + interval '{seconds} s' LOOP END LOOP;
END $$
"""
_DEFAULT_DUTY = "50%"
_PACES = {"healing at the default pace": _DEFAULT_DUTY, "healing at full duty": "100%"}
"""healing.pace.duty."""
_HEALING = """
healing:
  pace:
    batch_target: {target_ms:.0f}ms
    duty: {duty}
    max_batch: {max_batch}
    wait_while: SELECT closed FROM {gate}
"""
"""Healing stops and goes on as it does for any operator's signal, and keeps the size of its batches
meanwhile."""
_WARM_UP_SECONDS = 2.0
_ALL_ROWS = 2**31
_PATIENCE_SECONDS = 30.0


def measure(server: PostgresServer, options: Options) -> Report:
    """On a copy of the legacy gallery, which must be there already."""
    with (
        copied(server, LEGACY, _COPY) as database,
        visited(server, database) as (gate, visitors),
    ):
        computing = asyncio.run(_compute(server.conninfo(database), gate, visitors, options))
        rounds = asyncio.run(_heal(server.url(database), gate, visitors, options))
    return _report({_COMPUTING: computing, **rounds}, options)


@contextmanager
def visited(server: PostgresServer, database: str) -> Iterator[tuple[psycopg.Connection, Visitors]]:
    """The app at work on the database, and the gate, closed, that runs by `gated` wait for."""
    conninfo = server.conninfo(database)
    with psycopg.connect(conninfo, autocommit=True) as gate:
        gate.execute(f"CREATE TABLE {GATE} AS SELECT true AS closed".encode())
        with Visitors(conninfo, RATE, server.socket_dir / "visits.txt") as visitors:
            yield gate, visitors


def gated(duty: str, options: Options) -> str:
    """Settings for a run that stops and goes on by the gate."""
    return _HEALING.format(
        target_ms=options.traffic_target * 1000,
        duty=duty,
        max_batch=options.traffic_batch,
        gate=GATE,
    )


async def _compute(
    conninfo: str, gate: psycopg.Connection, visitors: Visitors, options: Options
) -> list[Round]:
    note(f"the app beside {_COMPUTING}")
    seconds = options.traffic_target
    computation = _COMPUTE.format(seconds=seconds).encode()

    async def compute() -> None:
        async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as session:
            while True:
                found = await session.execute(f"SELECT FROM {GATE} WHERE NOT closed".encode())
                if found.rowcount:
                    await session.execute(computation)
                await asyncio.sleep(seconds)

    computing = asyncio.create_task(compute())
    await asyncio.sleep(_WARM_UP_SECONDS)
    try:
        windows = await alternate(gate, computing, options)
    finally:
        computing.cancel()
        with suppress(asyncio.CancelledError):
            await computing  # raises what ended it before its time
    return _rounds(windows, visitors, [])


async def _heal(
    url: str, gate: psycopg.Connection, visitors: Visitors, options: Options
) -> dict[str, list[Round]]:
    """The rounds by pace."""
    run: Run | None = None
    done: dict[str, list[Round]] = {}
    for name, duty in _PACES.items():
        note(f"the app beside {name}")
        async with runtime_at(url, gated(duty, options)) as runtime:
            run = await _plan(runtime) if run is None else await runtime.resume(run.id)
            if run is None:
                raise BenchmarkError("Another process has taken the run up.")
            done[name] = await in_windows(runtime, run, gate, visitors, options)
    return done


async def in_windows(
    runtime: Runtime, run: Run, gate: psycopg.Connection, visitors: Visitors, options: Options
) -> list[Round]:
    """The run, which the gate stops and lets go on, for so many rounds; then it is put down."""
    ends: list[float] = []

    def seen(progress: Progress) -> None:
        if progress.batch is not None and progress.waiting_for is None:
            ends.append(time.monotonic())

    executor = runtime.executor(seen)
    working = asyncio.create_task(executor.work(run))
    await asyncio.sleep(_WARM_UP_SECONDS)
    windows = await alternate(gate, working, options)
    executor.stop()
    ended = await asyncio.wait_for(working, _PATIENCE_SECONDS)
    if ended.run.state is RunState.FAILED:
        raise BenchmarkError(f"The run ended as {ended.run.state}: {ended.run.outcome}")
    return _rounds(windows, visitors, ends)


def _rounds(
    windows: list[tuple[Window, Window]], visitors: Visitors, ends: list[float]
) -> list[Round]:
    """What the visits took; `ends` are those of batches."""
    if visitors.ended:
        raise BenchmarkError("The app's traffic ended before its time.")
    visits = visitors.visits()
    if not all(window.times(visits) for both in windows for window in both):
        raise BenchmarkError("Nobody came in one of the windows: take longer ones.")
    return [
        Round(
            alone.times(visits),
            beside.times(visits),
            sum(beside.start <= end < beside.end for end in ends),
        )
        for alone, beside in windows
    ]


async def _plan(runtime: Runtime) -> Run:
    planned = await runtime.planner.plan_audience(
        runtime.run_owner(Trigger.COMMAND),
        reason="A benchmark.",
        max_rows=_ALL_ROWS,
        guard=lambda *_: None,
    )
    if planned.run is None:
        raise BenchmarkError("There is nothing to heal in this gallery.")
    return planned.run


def _report(done: dict[str, list[Round]], options: Options) -> Report:
    measures: list[Measure] = []
    facts: dict[str, Fact] = {
        "window_seconds": options.window_seconds,
        "visits_a_second": RATE,
        "batch_target_seconds": options.traffic_target,
    }
    for name, rounds in done.items():
        found, told = beside(name, rounds, GOAL if _PACES.get(name) == _DEFAULT_DUTY else None)
        measures += found
        facts |= told
        facts[f"rounds {name}"] = len(rounds)
        if name in _PACES:
            facts[f"batches {name}"] = sum(one.batches for one in rounds)
    details = {
        name: [{"alone": one.alone, "beside": one.beside} for one in rounds]
        for name, rounds in done.items()
    }
    return Report("traffic", tuple(measures), facts, details)


def beside(
    what: str, rounds: list[Round], goal: Goal | None
) -> tuple[list[Measure], dict[str, Fact]]:
    """p50 and p99 of the app alone and beside `what`, and how far the ratios spread."""
    measures: list[Measure] = []
    facts: dict[str, Fact] = {}
    for words, share in (("p50", 0.5), ("p99", 0.99)):
        alone = [percentile(one.alone, share) for one in rounds]
        taken = [percentile(one.beside, share) for one in rounds]
        base = Measure(f"the app alone, {words}, before {what}", "ms", tuple(alone))
        named = f"the app beside {what}, {words}"
        measures += [base, compared(named, "ms", taken, base, goal)]
        facts |= _spread(named, alone, taken)
    return measures, facts


def _spread(name: str, alone: list[float], beside: list[float]) -> dict[str, Fact]:
    """Of the ratios round by round: a p99 of some hundred visits is the third worst of them."""
    ratios = sorted(b / a for a, b in zip(alone, beside, strict=True))
    quarters = [percentile(ratios, share) for share in (0.25, 0.75)]
    words = (
        f"{ratios[0]:.2f} to {ratios[-1]:.2f}, half of them {quarters[0]:.2f} to {quarters[1]:.2f}"
    )
    return {f"ratios of {name}": words}


if __name__ == "__main__":
    alone(__doc__, measure, LEGACY)
