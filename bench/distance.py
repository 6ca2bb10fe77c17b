"""Heal runs over a distance: `python -m bench.distance`.

A proxy holds back what goes either way, half a round trip each; the same rows are healed at each
distance, from the same state, at full duty.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from sqlalchemy import make_url

from bench.alone import alone
from bench.gallery import LEGACY
from bench.heal_run import heal
from bench.measures import Goal, Measure, compared
from bench.options import Options
from bench.progress import note
from bench.report import Fact, Report
from bench.servers import copied
from bench.shares import Backfill
from tests.support.distance import Distance, Transaction
from tests.support.postgres import PostgresServer

GOALS = {5: Goal(0.9, False), 20: Goal(0.75, False), 60: Goal(0.5, False), 150: Goal(0.3, False)}
"""Of the rate without any distance, by the milliseconds of a round trip."""
TRIPS_GOAL = Goal(3)
"""Round trips a batch."""
_COPY = "gallery_distance"
_UNIT = "rows/s"


@dataclass(frozen=True, slots=True)
class _Healed:
    """A run at one distance."""

    run: Backfill
    batches: Sequence[Transaction]
    """As the proxy saw them."""
    structure_trips: int
    """Of reading the tables' structure, with which every command begins."""

    @property
    def rate(self) -> float:
        """From the run's begin to the end of its last batch."""
        return self.run.rows / self.run.writing

    @property
    def steady_rate(self) -> float:
        """Of the second half of its batches, whose size has been found."""
        half = self.run.batches[len(self.run.batches) // 2 :]
        return sum(p.inserted for p in half) / sum(p.seconds for p in half)


def measure(server: PostgresServer, options: Options) -> Report:
    """LEGACY must be there already; it stays as it is."""
    near = asyncio.run(_heal_at(server, 0, options.distance_rows))
    base = Measure("without a distance", _UNIT, (near.rate,))
    measures = [base, *_more(0, near)]
    details = {"0": [asdict(point) for point in near.run.batches]}
    for milliseconds, goal in GOALS.items():
        far = asyncio.run(_heal_at(server, milliseconds, options.distance_rows))
        name = f"round trips of {milliseconds} ms"
        measures += [compared(name, _UNIT, (far.rate,), base, goal), *_more(milliseconds, far)]
        details[str(milliseconds)] = [asdict(point) for point in far.run.batches]
    facts: dict[str, Fact] = {
        "rows": options.distance_rows,
        "round_trips_of_reading_the_structure": near.structure_trips,
    }
    return Report("distance", tuple(measures), facts, {"batches": details})


async def _heal_at(server: PostgresServer, milliseconds: int, rows: int) -> _Healed:
    note(f"distance: {milliseconds} ms")
    with (
        copied(server, LEGACY, _COPY) as database,
        tempfile.TemporaryDirectory(prefix="distance-") as folder,
    ):
        proxy = Distance(server.socket_dir, milliseconds / 1000)
        through = make_url(server.url(database)).update_query_dict({"host": folder})
        async with proxy.at(Path(folder)):
            healed = await heal(through.render_as_string(hide_password=False), rows)
        asking = [one for one in proxy.transactions if one.asks("SAVEPOINT question")]
        return _Healed(healed, proxy.batches, len(asking[0].trips))


def _more(milliseconds: int, healed: _Healed) -> tuple[Measure, ...]:
    at, second = f"{milliseconds} ms", healed.run.batches[len(healed.run.batches) // 2 :]
    trips = [float(len(batch.trips)) for batch in healed.batches]
    return (
        Measure(f"… second half of the run, {at}", _UNIT, (healed.steady_rate,)),
        Measure(f"… rows a batch there, {at}", "rows", tuple(float(p.inserted) for p in second)),
        Measure(f"… time of the server, {at}", "s", tuple(p.server_seconds for p in second)),
        Measure(f"… round trips a batch, {at}", "trips", (sum(trips) / len(trips),)),
        Measure(f"… of the batch with the most, {at}", "trips", (max(trips),), goal=TRIPS_GOAL),
        Measure(
            f"… statements a batch, {at}",
            "statements",
            tuple(float(batch.statements) for batch in healed.batches),
        ),
    )


if __name__ == "__main__":
    alone(__doc__, measure, LEGACY)
