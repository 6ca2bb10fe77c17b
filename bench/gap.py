"""What a small heal costs on a large table: `python -m bench.gap`.

A hundred pairs of the healed gallery become legacy at once, and the service is woken. Counted is
the time of all its statements (`pg_stat_database.active_time`) from the census that finds them to
the one that is published after the run, and set against one census of the same gallery; and the
seconds from the moment at which it is woken until the run is verified. Four kinds of gap: of one
artwork or of a hundred, which have just grown old, or which lost what had long been recorded.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import psycopg

from bench.alone import alone
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
"""The database's time for everything together, in censuses."""
TIME_GOAL = Goal(2)
"""Seconds from the census's begin until the run is verified."""
_COPY = "gallery_gap"
_KINDS = {
    "of one artwork that has grown old": (1, True),
    "of 100 artworks that have grown old": (100, True),
    "vanished from one artwork": (1, False),
    "vanished from 100 artworks": (100, False),
}
_ROUNDS = 3
_OFF = "duplicate_impressions orphan_impressions timestamps recording_rate pool_exhaustion"
_CONFIG = """
checks: {{census: {{every: 1h}}, {off}}}
healing: {{mode: heal, cooldown: 0s}}
""".format(off=", ".join(f"{name}: {{enabled: false}}" for name in _OFF.split()))
_ACTIVE = "SELECT active_time / 1000 FROM pg_stat_database WHERE datname = %s"
_FLUSHED_AFTER_SECONDS = 11.0
"""Sessions without work hand in their statistics after ten."""
_PATIENCE_SECONDS = 120.0
_POLL = 0.005


@dataclass(frozen=True, slots=True)
class Cycle:
    """Finding, planning, healing, verifying and publishing, once."""

    database_seconds: float
    seconds: tuple[float, ...]
    """Of each round."""


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
        note(f"{PAIRS} pairs {name}")
        before = await _censuses(server, database, rounds)
        cycle = await _cycle(server, database, artworks, aged=aged)
        # On both sides: whatever slows the machine slows these, too.
        after = await _censuses(server, database, rounds)
        census = Measure(f"one census beside {name}", "s", (*before, *after))
        cost = cycle.database_seconds
        ratio = cost / census.median
        told = f"{PAIRS} pairs {name}, database"
        measures += [
            census,
            Measure(told, "s", (cost,), "one census", ratio, COST_GOAL),
            Measure("… until verified", "s", cycle.seconds, goal=TIME_GOAL),
        ]
    return Report("gap", tuple(measures), {"pairs": PAIRS, "rounds": _ROUNDS})


async def _censuses(server: PostgresServer, database: str, rounds: int) -> list[float]:
    """Nothing is legacy: seconds of each."""
    async with counting(server, database) as one:
        return (await one.alternate({"census": one.census}, rounds))["census"]


async def _cycle(server: PostgresServer, database: str, artworks: int, *, aged: bool) -> Cycle:
    service = Service(settings_for(server.url(database), _CONFIG))
    seconds = []
    # The session that plants is another database's for the statistics, and so is whoever asks.
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        try:
            await service.start()
            await _until(lambda: service.board.current.decision is not None)
            await asyncio.sleep(_FLUSHED_AFTER_SECONDS)
            before = _active(connection, database)
            planting = 0.0
            for number in range(_ROUNDS):
                planting += _plant(server, database, artworks, aged=aged, number=number)
                seconds.append(await _heal(service))
        finally:
            await service.stop()
        used = _active(connection, database) - before - planting
    return Cycle(used / _ROUNDS, tuple(seconds))


def _plant(
    server: PostgresServer, database: str, artworks: int, *, aged: bool, number: int
) -> float:
    """The statement's own seconds, which the statistics have too."""
    values = {"pairs": PAIRS, "artworks": artworks, "aged": aged, "round": str(number)}
    with psycopg.connect(server.conninfo(database), autocommit=True) as app:
        started = time.perf_counter()
        planted = app.execute(statement("plant_gap"), values).rowcount
        ended = time.perf_counter()
    if planted != PAIRS:
        raise BenchmarkError(f"{planted} of {PAIRS} pairs were planted.")
    return ended - started


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


def _active(connection: psycopg.Connection, database: str) -> float:
    found = connection.execute(_ACTIVE, (database,)).fetchone()
    if found is None:
        raise BenchmarkError("The server has no statistics of this database.")
    return float(found[0])


if __name__ == "__main__":
    alone(__doc__, measure, HEALED)
