"""The census as the service takes it on a gallery at rest: nothing has changed since the last."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from bench.errors import BenchmarkError
from bench.servers import settings_for
from checks.census import CensusForm
from checks.doctor import Blocks
from monitor.counting import Counting
from monitor.database import create_engine
from monitor.reading import ReadServer
from monitor.status import Status, StatusBoard
from monitor.workshop import build, inspect, require
from tests.support.postgres import PostgresServer

ROUNDS = 50


async def at_rest(server: PostgresServer, database: str) -> tuple[list[float], list[float]]:
    """Seconds of the statements, and of everything from the wish to the answer, for each of ROUNDS
    censuses. Raises BenchmarkError where one was counted in full, as beside other sessions."""
    settings = settings_for(server.url(database))
    engine = create_engine(server.url(database), pool_size=1)
    try:
        examination = await inspect(engine, settings)
        catalogue = require(examination, Blocks.COUNTING)
        workshop = build(engine, settings, examination, catalogue)
        board = StatusBoard(Status(started=datetime.now(UTC), version="", revision=""))
        reading = ReadServer(engine, engine, board, max_lag=timedelta(seconds=10))
        counting = Counting(reading, lambda: workshop, full_every=timedelta(hours=1))
        statements, whole = [], []
        for number in range(ROUNDS + 1):
            started = time.perf_counter()
            counted = await counting.take(verified_until=None, users_due=lambda: False)
            seconds = time.perf_counter() - started
            if number == 0:
                continue  # the full count from which the others go on
            if counted.census.form is not CensusForm.INCREMENTAL:
                raise BenchmarkError("A census of the gallery at rest was counted in full.")
            statements.append(counted.census.duration_seconds)
            whole.append(seconds)
        return statements, whole
    finally:
        await engine.dispose()
