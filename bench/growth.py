"""How the census grows with the gallery, and the service with the censuses: `python -m
bench.growth`.

Four sizes, each twice the one before, and a straight line through their times; a gallery with as
many impressions as one of them and ten times the pairs; and a real `serve` that counts the
smallest over and over. Their impressions have only the indexes that a count may read.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from statistics import correlation, linear_regression

from bench.alone import alone
from bench.counting import Counting, counting
from bench.errors import BenchmarkError
from bench.gallery import Shape, build_shape
from bench.measures import Goal, Measure, compared
from bench.options import Options
from bench.progress import note
from bench.report import Fact, Report
from bench.servers import config_text, dropped
from bench.serving import Serving
from tests.support.postgres import PostgresServer

LINEAR_GOAL = Goal(0.99, at_most=False)
"""R², the share of the times' variance that the line explains."""
PAIRS_GOAL = Goal(1.25)
"""Ten times the pairs with as many impressions may cost so many times as much."""
MEMORY_GOAL = Goal(1.05)
"""The service's resident memory after so many censuses, to that before."""

_SIZES = 4
_WIDE = "growth_wide"
_MISSING = 0.1
_WIDE_MISSING = 0.9
_ROUNDS = 7
_NAMES = ("count(*)", "the four counts, with legacy")
_OFTEN = """
checks: {census: {every: 100ms, budget: 100%}}
server: {host: 127.0.0.1, port: 0}
"""
_WARM_UP_CENSUSES = 30
_PATIENCE_SECONDS = 300.0
_RUNS = 'conservator_check_runs_total{check="census"} '


@dataclass(frozen=True, slots=True)
class Point:
    """One gallery's size and seconds by what was counted."""

    impressions: int
    pairs: int
    seconds: dict[str, list[float]]


def measure(server: PostgresServer, options: Options) -> Report:
    """On galleries of its own, which it drops."""
    most = options.growth_impressions
    shapes = {f"growth_{step}": _shape(most >> step, _MISSING) for step in reversed(range(_SIZES))}
    shapes[_WIDE] = _shape(most >> 1, _WIDE_MISSING)
    with ExitStack() as galleries:
        for database, shape in shapes.items():
            galleries.enter_context(dropped(server, database))
            build_shape(server, database, shape, for_counting=True)
        points = asyncio.run(_alternate(server, list(shapes)))
        memory = _memory(server, next(iter(shapes)), options.memory_censuses)
    wide = points.pop(_WIDE)
    return _report(list(points.values()), wide, memory)


def _shape(impressions: int, missing: float) -> Shape:
    side = round(math.sqrt(impressions / (1 - missing)))
    return Shape(side, side, missing)


async def _alternate(server: PostgresServer, databases: Sequence[str]) -> dict[str, Point]:
    """All galleries in every round: what slows one of them down slows the others, too."""
    note("the census in each of them")
    points: dict[str, Point] = {}
    async with AsyncExitStack() as stack:
        opened = {
            name: await stack.enter_async_context(counting(server, name)) for name in databases
        }
        for name, one in opened.items():
            census, _ = await one.now()
            points[name] = Point(census.tracked, census.pairs, {what: [] for what in _NAMES})
        for number in range(_ROUNDS + 1):
            for name in databases if number % 2 else databases[::-1]:
                # The first round warms up.
                taken = await _contenders(opened[name], warm_up=number == 0)
                for what, seconds in taken.items():
                    points[name].seconds[what] += seconds
    return points


async def _contenders(one: Counting, *, warm_up: bool) -> dict[str, list[float]]:
    contenders = (one.floor, one.census)
    samples = await one.alternate(dict(zip(_NAMES, contenders, strict=True)), 1, warm_up=False)
    return {name: [] if warm_up else seconds for name, seconds in samples.items()}


def _report(points: Sequence[Point], wide: Point, memory: tuple[Measure, ...]) -> Report:
    measures: list[Measure] = []
    facts: dict[str, Fact] = {
        "impressions": ", ".join(f"{p.impressions / 1e6:.2f} M" for p in points)
    }
    for name in _NAMES:
        sizes = [p.impressions / 1e6 for p in points]
        seconds = [min(p.seconds[name]) for p in points]  # what nothing else disturbed
        line = linear_regression(sizes, seconds)
        fit = correlation(sizes, seconds) ** 2
        measures.append(Measure(f"linear in impressions, R²: {name}", "", (fit,), goal=LINEAR_GOAL))
        facts[f"seconds of {name}"] = (
            f"{line.intercept:.3f} + {line.slope:.3f} × million impressions"
        )
    narrow = points[-2]
    facts["pairs"] = f"{narrow.pairs / 1e6:.1f} M, wide {wide.pairs / 1e6:.1f} M"
    for name in _NAMES:
        base = Measure(f"{name}, 1.1 pairs an impression", "s", tuple(narrow.seconds[name]))
        samples = wide.seconds[name]
        goal = PAIRS_GOAL if name != _NAMES[0] else None
        measures += [base, compared(f"{name}, 10 pairs", "s", samples, base, goal)]
    details = {"points": [[p.impressions, p.pairs, p.seconds] for p in (*points, wide)]}
    return Report("growth", (*measures, *memory), facts, details)


def _memory(server: PostgresServer, database: str, censuses: int) -> tuple[Measure, ...]:
    """Of a service that does nothing but count, before and after so many censuses."""
    note(f"memory of the service over {censuses} censuses")
    config = server.socket_dir / "config.yaml"
    config.write_text(config_text(server.url(database), _OFTEN), encoding="utf-8")
    with Serving(config) as service:
        first = _wait_for_censuses(service, _WARM_UP_CENSUSES)
        before = service.memory("VmRSS")
        last = _wait_for_censuses(service, first + censuses)
        after = service.memory("VmRSS")
    base = Measure("resident memory after the first censuses", "MB", (before,))
    name = f"resident memory after {last - first:.0f} more"
    return base, compared(name, "MB", (after,), base, MEMORY_GOAL)


def _wait_for_censuses(service: Serving, count: float) -> float:
    """How many there were, once they are at least so many."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        text = service.scrape()[1]
        for line in text.splitlines():
            if line.startswith(_RUNS) and float(line.removeprefix(_RUNS)) >= count:
                return float(line.removeprefix(_RUNS))
        time.sleep(0.25)
    raise BenchmarkError(f"The service did not come to {count:.0f} censuses.")


if __name__ == "__main__":
    alone(__doc__, measure)
