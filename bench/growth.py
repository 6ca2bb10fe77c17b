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
from dataclasses import dataclass
from statistics import correlation, linear_regression

from bench.counting import counting
from bench.errors import BenchmarkError
from bench.gallery import Shape, build_shape
from bench.measures import Goal, Measure, compared
from bench.options import Options, read_options
from bench.progress import note
from bench.report import Fact, Report, environment, publish
from bench.servers import bench_server, config_text, dropped
from bench.serving import Serving
from monitor.demo.server import PostgresServer

LINEAR_GOAL = Goal(0.99, at_most=False)
"""R², the share of the times' variance that the line explains."""
PAIRS_GOAL = Goal(1.25)
"""Ten times the pairs with as many impressions may cost so many times as much."""
MEMORY_GOAL = Goal(1.05)
"""The service's resident memory after so many censuses, to that before."""

_SIZES = 4
_MISSING = 0.1
_WIDE_MISSING = 0.9
_ROUNDS = 5
_NAMES = ("count(*)", "the four counts, with legacy", "census_by_total alone")
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
    shapes = [_shape(most >> step, _MISSING) for step in range(_SIZES - 1, -1, -1)]
    points: list[Point] = []
    memory: tuple[Measure, ...] = ()
    for number, shape in enumerate(shapes):
        with dropped(server, f"growth_{number}") as database:
            build_shape(server, database, shape, for_counting=True)
            points.append(asyncio.run(_point(server, database)))
            if number == 0:
                memory = _memory(server, database, options.memory_censuses)
    with dropped(server, "growth_wide") as database:
        build_shape(server, database, _shape(most >> 1, _WIDE_MISSING), for_counting=True)
        wide = asyncio.run(_point(server, database))
    return _report(points, wide, memory)


def _shape(impressions: int, missing: float) -> Shape:
    side = round(math.sqrt(impressions / (1 - missing)))
    return Shape(side, side, missing)


async def _point(server: PostgresServer, database: str) -> Point:
    async with counting(server, database) as one:
        forms = one.forms()
        contenders = (one.floor, one.census, forms.get("census_by_total alone", one.census))
        named = dict(zip(_NAMES, contenders, strict=True))
        samples = await one.alternate(named, _ROUNDS)
        census, _ = await one.now()
    return Point(census.tracked, census.pairs, samples)


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


def main() -> None:
    """Build the galleries and measure."""
    options = read_options(__doc__)
    with bench_server(options) as server:
        publish([measure(server, options)], environment(server), options.results)


if __name__ == "__main__":
    main()
