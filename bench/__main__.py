"""All benchmarks on one server: `python -m bench`."""

from __future__ import annotations

import asyncio

from bench import backfill, census, gallery, service
from bench.options import read_options
from bench.report import environment, publish
from bench.servers import bench_server


def main() -> None:
    """Build both galleries, measure everything, print one table."""
    options = read_options(__doc__)
    with bench_server(options.bin_dir) as server:
        where = environment(server)
        built = gallery.report(
            gallery.build(server, gallery.LEGACY, options),
            gallery.build(server, gallery.HEALED, options),
        )
        reports = [
            built,
            asyncio.run(census.measure(server, options)),
            backfill.measure(server, options),
            service.measure(server, options),
        ]
        publish(reports, where, options.results)


if __name__ == "__main__":
    main()
