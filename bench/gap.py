"""What a small heal costs on a large table: `python -m bench.gap`.

A hundred pairs of the healed gallery become legacy at once, and the service is woken. Counted is
the processor time of all of the server's processes, from the census that finds them to the one that
is published after the run, and set against one census of the same gallery; and the seconds from
the moment at which it is woken until the run is verified. Four kinds of gap: of one artwork or of a
hundred, which have just grown old, or which lost what had long been recorded; the last one with an
index on artwork and user as well.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import psycopg

from bench.alone import alone
from bench.costs import server_cpu
from bench.counting import counting
from bench.errors import BenchmarkError
from bench.gallery import HEALED
from bench.measures import Goal, Measure
from bench.options import Options
from bench.progress import note
from bench.report import Report
from bench.servers import copied, settings_for, statement
from monitor.service.service import Service
from tests.support.postgres import PostgresServer

PAIRS = 100
COST_GOAL = Goal(3)
"""The database's processor time for everything together, in censuses."""
TIME_GOAL = Goal(2)
"""Seconds from the census's begin until the run is verified."""
_COPY = "gallery_gap"
_INDEXED = "vanished from 100 artworks, with an index on (artwork, user)"
"""Measured last: the app has none."""
_KINDS = {
    "of one artwork that has grown old": (1, True),
    "of 100 artworks that have grown old": (100, True),
    "vanished from one artwork": (1, False),
    "vanished from 100 artworks": (100, False),
    _INDEXED: (100, False),
}
_ROUNDS = 3
_OFF = "duplicate_impressions orphan_impressions timestamps recording_rate pool_exhaustion"
_CONFIG = """
checks: {{census: {{every: 1h}}, {off}}}
healing: {{mode: heal, cooldown: 0s}}
""".format(off=", ".join(f"{name}: {{enabled: false}}" for name in _OFF.split()))
_PATIENCE_SECONDS = 120.0
_POLL = 0.005


@dataclass(frozen=True, slots=True)
class Cycle:
    """Finding, planning, healing, verifying and publishing, once."""

    database_seconds: tuple[float, ...]
    """Of processor time, each round."""
    seconds: tuple[float, ...]


def measure(server: PostgresServer, options: Options) -> Report:
    """On a copy of the healed gallery, which must be there already."""
    with copied(server, HEALED, _COPY) as database:
        return asyncio.run(_measure(server, database, options.rounds))


async def _measure(server: PostgresServer, database: str, rounds: int) -> Report:
    with psycopg.connect(server.conninfo(database), autocommit=True) as app:
        # Every page of the copy is read once, and nothing else is still to be done.
        app.execute("VACUUM user_art_impressions")
    measures: list[Measure] = []
    for name, (artworks, aged) in _KINDS.items():
        if name == _INDEXED:
            with psycopg.connect(server.conninfo(database), autocommit=True) as app:
                app.execute("CREATE INDEX ON user_art_impressions (artwork_id, user_id)")
        note(f"{PAIRS} pairs {name}")
        before = await _censuses(server, database, rounds)
        cycle = await _cycle(server, database, artworks, aged=aged)
        # On both sides: whatever slows the machine slows these, too.
        after = await _censuses(server, database, rounds)
        census = Measure(f"one census beside {name}", "s", (*before, *after))
        cost = Measure(f"{PAIRS} pairs {name}, database", "s", cycle.database_seconds)
        ratio = cost.median / census.median
        measures += [
            census,
            replace(cost, base="one census", ratio=ratio, goal=COST_GOAL),
            Measure("… until verified", "s", cycle.seconds, goal=TIME_GOAL),
        ]
    return Report("gap", tuple(measures), {"pairs": PAIRS, "rounds": _ROUNDS})


async def _censuses(server: PostgresServer, database: str, rounds: int) -> list[float]:
    """Nothing is legacy: seconds of processor time of each, after one that warms up."""
    used = []
    async with counting(server, database) as one:
        for _ in range(rounds + 1):
            before = server_cpu(server.pid)
            await one.once(one.census)
            used.append(server_cpu(server.pid) - before)
    return used[1:]


async def _cycle(server: PostgresServer, database: str, artworks: int, *, aged: bool) -> Cycle:
    service = Service(settings_for(server.url(database), _CONFIG))
    seconds, used = [], []
    try:
        await service.start()
        await _until(lambda: service.board.current.decision is not None)
        for number in range(_ROUNDS):
            _plant(server, database, artworks, aged=aged, number=number)
            before = server_cpu(server.pid)
            seconds.append(await _heal(service))
            used.append(server_cpu(server.pid) - before)
    finally:
        await service.stop()
    return Cycle(tuple(used), tuple(seconds))


def _plant(
    server: PostgresServer, database: str, artworks: int, *, aged: bool, number: int
) -> None:
    values = {"pairs": PAIRS, "artworks": artworks, "aged": aged, "round": str(number)}
    with psycopg.connect(server.conninfo(database), autocommit=True) as app:
        planted = app.execute(statement("plant_gap"), values).rowcount
    if planted != PAIRS:
        raise BenchmarkError(f"{planted} of {PAIRS} pairs were planted.")


async def _heal(service: Service) -> float:
    """Seconds from the waking until the recount is published."""
    board, decided = service.board, service.board.current.decided_at
    started = time.perf_counter()
    await service.commands.wake_loop()
    await _until(lambda: board.current.decided_at != decided)
    decision = board.current.decision
    await _until(
        lambda: (
            board.current.census is not None
            and board.current.census.legacy_untracked == 0
            and board.current.active_run is None
        ),
        f"The decision was: {'' if decision is None else decision.reason}",
    )
    return time.perf_counter() - started


async def _until(
    reached: Callable[[], bool], otherwise: str = "The service has not counted."
) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not reached():
        if time.monotonic() > deadline:
            raise BenchmarkError(otherwise)
        await asyncio.sleep(_POLL)


if __name__ == "__main__":
    alone(__doc__, measure, HEALED)
