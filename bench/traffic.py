"""The app's own traffic beside a heal run, in alternating windows: `python -m bench.traffic`."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import psycopg

from bench.errors import BenchmarkError
from bench.gallery import LEGACY, build
from bench.measures import Goal, Measure, compared, percentile
from bench.options import Options, read_options
from bench.report import Report, environment, publish
from bench.servers import bench_server, copied, settings_for
from bench.visitors import Visit, Visitors
from monitor.database import create_engine
from monitor.demo.server import PostgresServer
from monitor.healing.executor import Progress
from monitor.opening import ensure_schema
from monitor.state.runs import Run, RunState, Trigger
from monitor.workshop import Workshop, inspect, require
from monitor.workshop import build as build_workshop

GOAL = Goal(1.5)
"""The app's p99 beside healing at the default pace, to its p99 alone."""
RATE = 60.0
"""Transactions a second."""

_COPY = "gallery_traffic"
_GATE = "bench_gate"
_PACE = f"healing: {{pace: {{wait_while: 'SELECT closed FROM {_GATE}'}}}}\n"
"""The default pace; healing stops and goes on as it does for any operator's signal, and keeps the
size of its batches meanwhile."""
_WARM_UP_SECONDS = 2.0
_EDGE_SECONDS = 1.5
"""Left out at the beginning of each window: a run that waits looks again every second."""
_LEAST_ROUNDS = 3
_PATIENCE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Round:
    """The app's times alone and then beside healing, in milliseconds, one after the other."""

    alone: tuple[float, ...]
    beside: tuple[float, ...]
    batches: int


@dataclass(frozen=True, slots=True)
class _Window:
    """A stretch of time without its edges, by time.monotonic()."""

    start: float
    end: float

    def times(self, visits: list[Visit]) -> tuple[float, ...]:
        return tuple(v.seconds * 1000 for v in visits if self.start <= v.due < self.end)


def measure(server: PostgresServer, options: Options) -> Report:
    """On a copy of the legacy gallery, which must be there already."""
    with copied(server, LEGACY, _COPY) as database:
        conninfo = server.conninfo(database)
        with psycopg.connect(conninfo, autocommit=True) as gate:
            gate.execute(f"CREATE TABLE {_GATE} AS SELECT true AS closed".encode())
            output = server.socket_dir / "visits.txt"
            with Visitors(conninfo, RATE, output) as visitors:
                rounds, rows = asyncio.run(
                    _heal_in_windows(server.url(database), gate, visitors, options)
                )
    return _report(rounds, rows, options)


async def _heal_in_windows(
    url: str, gate: psycopg.Connection, visitors: Visitors, options: Options
) -> tuple[list[Round], int]:
    """A heal run at the default pace, which the gate stops and lets go on: its rounds and rows."""
    settings = settings_for(url, _PACE)
    engine = create_engine(url, pool_size=settings.database.pool_size)
    try:
        examination = await inspect(engine, settings)
        workshop = build_workshop(engine, settings, examination, require(examination))
        await ensure_schema(engine, workshop.state)
        run = await _plan(workshop, options.traffic_rows)
        ends: list[float] = []

        def note(progress: Progress) -> None:
            if progress.batch is not None and progress.waiting_for is None:
                ends.append(time.monotonic())

        working = asyncio.create_task(workshop.executor(note).work(run))
        await asyncio.sleep(_WARM_UP_SECONDS)
        windows = await _alternate(gate, working, options.window_seconds)
        ended = await asyncio.wait_for(working, _PATIENCE_SECONDS)
        if visitors.ended:
            raise BenchmarkError("The app's traffic ended before its time.")
        if ended.run.state not in {RunState.SUCCEEDED, RunState.PARTIAL}:
            raise BenchmarkError(f"The run ended as {ended.run.state}: {ended.run.outcome}")
        visits = visitors.visits()
        rounds = [
            Round(
                alone.times(visits),
                beside.times(visits),
                sum(beside.start <= end < beside.end for end in ends),
            )
            for alone, beside in windows
        ]
        return rounds, ended.run.inserted
    finally:
        await engine.dispose()


async def _plan(workshop: Workshop, rows: int) -> Run:
    planned = await workshop.planner.plan_audience(
        workshop.claimant(Trigger.COMMAND),
        reason="A benchmark.",
        max_rows=rows,
        guard=lambda *_: None,
    )
    if planned.run is None:
        raise BenchmarkError("There is nothing to heal in this gallery.")
    return planned.run


async def _alternate(
    gate: psycopg.Connection, working: asyncio.Task[object], seconds: float
) -> list[tuple[_Window, _Window]]:
    """Closed and open in turn for as long as the run lasts; whole rounds only."""
    rounds: list[tuple[_Window, _Window]] = []
    while True:
        alone = await _window(seconds)
        gate.execute(f"UPDATE {_GATE} SET closed = false".encode())
        beside = await _window(seconds)
        if working.done():
            break
        rounds.append((alone, beside))
        gate.execute(f"UPDATE {_GATE} SET closed = true".encode())
    if len(rounds) < _LEAST_ROUNDS:
        raise BenchmarkError(
            f"The run ended after {len(rounds)} whole rounds, expected {_LEAST_ROUNDS}: raise"
            " --traffic-rows, or take shorter windows with --window-seconds."
        )
    return rounds


async def _window(seconds: float) -> _Window:
    start = time.monotonic() + _EDGE_SECONDS
    await asyncio.sleep(_EDGE_SECONDS + seconds)
    return _Window(start, time.monotonic())


def _report(rounds: list[Round], rows: int, options: Options) -> Report:
    def by_round(share: float, *, beside: bool) -> list[float]:
        return [percentile(one.beside if beside else one.alone, share) for one in rounds]

    alone = {
        name: Measure(f"the app alone, {name}", "ms", tuple(by_round(share, beside=False)))
        for name, share in (("p50", 0.5), ("p99", 0.99))
    }
    measures = (
        alone["p50"],
        compared("the app beside healing, p50", "ms", by_round(0.5, beside=True), alone["p50"]),
        alone["p99"],
        compared(
            "the app beside healing, p99", "ms", by_round(0.99, beside=True), alone["p99"], GOAL
        ),
    )
    visits = sum(len(one.alone) + len(one.beside) for one in rounds)
    return Report(
        "traffic",
        measures,
        {
            "rows": rows,
            "rounds": len(rounds),
            "window_seconds": options.window_seconds,
            "app_transactions": visits,
            "app_transactions_a_second": round(
                visits / (2 * len(rounds) * options.window_seconds), 1
            ),
            "batches_in_windows": sum(one.batches for one in rounds),
        },
        {"rounds": [{"alone": one.alone, "beside": one.beside} for one in rounds]},
    )


def main() -> None:
    """Build the gallery and measure."""
    options = read_options(__doc__)
    with bench_server(options) as server:
        build(server, LEGACY, options)
        publish([measure(server, options)], environment(server), options.results)


if __name__ == "__main__":
    main()
