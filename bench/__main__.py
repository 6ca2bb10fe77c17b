"""The benchmarks on one server: `python -m bench`, or some of them with `--only`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping

from bench import (
    backfill,
    census,
    checks,
    cold,
    gallery,
    gap,
    growth,
    healing_time,
    hour,
    login,
    pairs,
    readers,
    repairs,
    service,
    steady,
    traffic,
)
from bench.errors import BenchmarkError
from bench.options import Options, read_options
from bench.progress import elapsed, note
from bench.report import Report, environment, publish
from bench.servers import bench_server
from tests.support.postgres import PostgresServer

PARTS: Mapping[str, Callable[[PostgresServer, Options], Report]] = {
    "census": census.measure,
    "backfill": backfill.measure,
    "repairs": repairs.measure,
    "traffic": traffic.measure,
    "gap": gap.measure,
    "healing_time": healing_time.measure,
    "steady": steady.measure,
    "hour": hour.measure,
    "service": service.measure,
    "readers": readers.measure,
    "login": login.measure,
    "checks": checks.measure,
    "pairs": pairs.measure,
    "growth": growth.measure,
    "cold": cold.measure,  # last: it starts the server anew
}

BY_NAME_ONLY = frozenset({"readers", "checks", "pairs"})
"""Without a goal of their own: left out unless `--only` names them, for a quarter of an hour is
soon over."""


def main() -> None:
    """Build both galleries, measure, print one table."""
    options = read_options(__doc__)
    unknown = sorted(set(options.only) - set(PARTS))
    if unknown:
        sys.exit(f"--only: expected some of {', '.join(PARTS)}; found {', '.join(unknown)}")
    failed: list[str] = []
    with bench_server(options) as server:
        publish(_reports(server, options, failed), environment(server), options.results)
    note(f"done after {elapsed() / 60:.1f} minutes")
    if failed:
        sys.exit(f"Could not be measured: {', '.join(failed)}.")


def _reports(server: PostgresServer, options: Options, failed: list[str]) -> Iterator[Report]:
    """One after the other; what could not be measured is told, and named in `failed`."""
    yield gallery.report(*gallery.build_all(server, options))
    for name, measure in PARTS.items():
        if name not in options.only and (options.only or name in BY_NAME_ONLY):
            continue
        note(f"--- {name}")
        try:
            yield measure(server, options)
        except BenchmarkError as error:
            note(f"!!! {name}: {error}")
            failed.append(name)
            yield Report(name, (), {"error": str(error)})


if __name__ == "__main__":
    main()
