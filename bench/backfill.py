"""A heal run against what people write by hand, in rows a second: `python -m bench.backfill`."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

from bench.contenders import (
    Backfill,
    Share,
    bare,
    choose_share,
    product,
    sketch,
    sketch_by_toolkit,
)
from bench.errors import BenchmarkError
from bench.gallery import LEGACY, build
from bench.measures import Goal, Measure, compared
from bench.options import Options, read_options
from bench.report import Report, environment, publish
from bench.servers import bench_server, copied
from monitor.demo.server import PostgresServer

GOAL = Goal(2.0, at_most=False)
"""A heal run, ledger and all, writes so many times the rows a second of the sketch."""
_CONTENDERS = ("product", "sketch", "toolkit", "bare")
_COPY = "gallery_copy"


def measure(server: PostgresServer, options: Options) -> Report:
    """Every contender on a copy of its own of the legacy gallery, which must be there already."""
    share = choose_share(server, LEGACY, options.rows)
    done: dict[str, list[Backfill]] = {name: [] for name in _CONTENDERS}
    for number in range(options.backfill_rounds):
        for name in _CONTENDERS if number % 2 == 0 else reversed(_CONTENDERS):
            with copied(server, LEGACY, _COPY) as database:
                result = _run(name, server, database, share)
            if abs(result.rows - share.rows) > len(share.users):
                # An artwork or two may have turned legacy since; more is not the same work.
                raise BenchmarkError(f"{name} wrote {result.rows} rows, expected {share.rows}")
            done[name].append(result)
    return Report(
        "backfill",
        _measures(done),
        {
            "rows": share.rows,
            "users": len(share.users),
            "rounds": options.backfill_rounds,
            "batches": len(done["product"][-1].batches),
        },
        {"batches": [asdict(point) for result in done["product"] for point in result.batches]},
    )


def _run(name: str, server: PostgresServer, database: str, share: Share) -> Backfill:
    if name == "product":
        return asyncio.run(product(server.url(database), share))
    if name == "toolkit":
        return sketch_by_toolkit(server.url(database), share)
    by_hand = sketch if name == "sketch" else bare
    return by_hand(server.conninfo(database), share)


def _measures(done: dict[str, list[Backfill]]) -> tuple[Measure, ...]:
    unit = "rows/s"
    healed = done["product"]
    base = Measure("the sketch: ids, then VALUES", unit, tuple(_writing(done["sketch"])))
    toolkit = Measure("the sketch, through SQLAlchemy", unit, tuple(_writing(done["toolkit"])))
    whole = [r.rows / r.whole for r in healed]
    return (
        base,
        toolkit,
        compared("heal run, writing", unit, _writing(healed), base, GOAL),
        compared("heal run, writing, against SQLAlchemy", unit, _writing(healed), toolkit, GOAL),
        compared("heal run with planning and verification", unit, whole, base),
        compared("one bare INSERT … SELECT", unit, _writing(done["bare"]), base),
        Measure("heal run, planning", "s", tuple(r.planning for r in healed)),
        Measure("heal run, verification", "s", tuple(r.verifying for r in healed)),
        Measure("heal run, a batch", "s", tuple(p.seconds for r in healed for p in r.batches)),
        Measure(
            "heal run, rows a batch", "rows", tuple(p.inserted for r in healed for p in r.batches)
        ),
    )


def _writing(results: list[Backfill]) -> list[float]:
    return [result.rows / result.writing for result in results]


def main() -> None:
    """Build the gallery and measure."""
    options = read_options(__doc__)
    with bench_server(options) as server:
        build(server, LEGACY, options)
        publish([measure(server, options)], environment(server), options.results)


if __name__ == "__main__":
    main()
