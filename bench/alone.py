"""One part of the benchmarks by itself, as `python -m bench.NAME` runs it."""

from __future__ import annotations

from collections.abc import Callable

from bench.gallery import HEALED, LEGACY, build, build_all
from bench.options import Options, read_options
from bench.report import Report, environment, publish
from bench.servers import bench_server
from tests.support.postgres import PostgresServer


def alone(
    description: str | None,
    measure: Callable[[PostgresServer, Options], Report],
    *databases: str,
) -> None:
    """Read the command line, build the galleries that `measure` wants, publish what it finds."""
    options = read_options(description)
    with bench_server(options) as server:
        if set(databases) == {LEGACY, HEALED}:
            build_all(server, options)  # the second from a copy of the first
        else:
            for database in databases:
                build(server, database, options)
        publish([measure(server, options)], environment(server), options.results)
