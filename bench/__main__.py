"""All benchmarks on one server: `python -m bench`."""

from __future__ import annotations

from collections.abc import Iterator

from bench import backfill, census, checks, gallery, readers, service, traffic
from bench.options import Options, read_options
from bench.report import Report, environment, publish
from bench.servers import bench_server
from monitor.demo.server import PostgresServer


def main() -> None:
    """Build both galleries, measure everything, print one table."""
    options = read_options(__doc__)
    with bench_server(options) as server:
        publish(_reports(server, options), environment(server), options.results)


def _reports(server: PostgresServer, options: Options) -> Iterator[Report]:
    yield gallery.report(*gallery.build_all(server, options))
    yield census.measure(server, options)
    yield backfill.measure(server, options)
    yield checks.measure(server, options)
    yield traffic.measure(server, options)
    yield service.measure(server, options)
    yield readers.measure(server, options)


if __name__ == "__main__":
    main()
