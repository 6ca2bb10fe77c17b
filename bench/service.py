"""The real service while it heals: start, scrapes, memory: `python -m bench.service`."""

from __future__ import annotations

import time

from bench.alone import alone
from bench.errors import BenchmarkError
from bench.gallery import LEGACY
from bench.measures import Goal, Measure, percentile
from bench.options import Options
from bench.report import Report
from bench.servers import config_text, copied
from bench.serving import Serving
from tests.support.postgres import PostgresServer

START_GOAL = Goal(2.0)
SCRAPE_GOAL = Goal(5.0)
MEMORY_GOAL = Goal(100.0)

_COPY = "gallery_served"
_ACTIVE = "conservator_heal_active 1.0"
_GAP_SECONDS = 0.02
"""Between scrapes, so that they meet every part of a batch, the rests and a census."""
_PATIENCE_SECONDS = 120.0
_HEAVY = ("pandas", "great_expectations", "numpy")


def measure(server: PostgresServer, options: Options) -> Report:
    """On a copy of the legacy gallery, which must be there already."""
    more = (
        f"healing: {{mode: heal, pace: {{duty: {options.duty}}}}}\n"
        "server: {host: 127.0.0.1, port: 0}\n"
    )
    with copied(server, LEGACY, _COPY) as database:
        # In the server's directory, which goes in any case.
        config = server.socket_dir / "config.yaml"
        config.write_text(config_text(server.url(database), more), encoding="utf-8")
        starts: list[float] = []
        for _ in range(max(0, options.starts - 1)):
            with Serving(config) as service:
                starts.append(service.start_seconds)
        with Serving(config) as service:
            starts.append(service.start_seconds)
            return _measure(service, starts, options.scrapes)


def _measure(service: Serving, starts: list[float], scrapes: int) -> Report:
    taken = _scrape_while_healing(service, scrapes)
    loaded = [name for name in _HEAVY if service.has_mapped(name)]
    measures = [Measure("start to first /metrics, new schema", "s", (starts[0],), goal=START_GOAL)]
    if starts[1:]:
        again = tuple(starts[1:])
        measures.append(Measure("start to first /metrics, again", "s", again, goal=START_GOAL))
    measures += [
        Measure("scrape while healing, median", "ms", tuple(taken), goal=SCRAPE_GOAL),
        Measure("scrape while healing, p99", "ms", (percentile(taken, 0.99),)),
        Measure("resident memory", "MB", (service.memory("VmRSS"),), goal=MEMORY_GOAL),
        Measure("resident memory, peak", "MB", (service.memory("VmHWM"),)),
        Measure("heavy libraries mapped", "", (float(len(loaded)),), goal=Goal(0)),
    ]
    return Report(
        "service",
        tuple(measures),
        {"scrapes": len(taken), "heavy_libraries": ", ".join(loaded) or "none"},
    )


def _scrape_while_healing(service: Serving, wanted: int) -> list[float]:
    """Milliseconds of so many scrapes, each of which says that a heal run is active."""
    taken: list[float] = []
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while len(taken) < wanted:
        if time.monotonic() > deadline:
            raise BenchmarkError(
                f"A heal run was seen active in {len(taken)} scrapes, expected {wanted}: the"
                " gallery is too small for its pace; give it a lower --duty."
            )
        _, text, seconds = service.scrape()
        if _ACTIVE in text:
            taken.append(seconds * 1000)
        time.sleep(_GAP_SECONDS)
    return taken


if __name__ == "__main__":
    alone(__doc__, measure, LEGACY)
