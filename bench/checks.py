"""The checks around the census against `count(*)` of the impressions: `python -m bench.checks`.

On a copy of the legacy gallery whose unique index and foreign keys are gone, so that no check is
skipped; the plain indexes that the sample app has beside them stay, and doctor's index on the pair
is there without being unique.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import psycopg
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bench.alone import alone
from bench.gallery import LEGACY
from bench.measures import Measure, compared
from bench.options import Options
from bench.report import Report
from bench.servers import copied, settings_for
from checks.recording_rate.queries import read_seeds, statements, take_sample
from checks.recording_rate.samples import SampleInterval
from checks.relations import Catalogue
from checks.spec import Cutoffs, PoolsSpec
from monitor.checking.definition import CheckDefinition
from monitor.checking.registry import snapshot_checks
from monitor.checking.replica import ReplicaRouter
from monitor.database import create_engine, database_now, snapshot
from monitor.runtime import CurrentRuntime, build, inspect_catalogue
from monitor.status import Status, StatusBoard
from tests.support.postgres import PostgresServer

_COPY = "gallery_checked"
_TIMEOUT = timedelta(minutes=10)
_EVERY = timedelta(minutes=5)
_MOST_ROUNDS = 2
_BARE = """
ALTER TABLE user_art_impressions DROP CONSTRAINT user_art_impressions_user_id_fkey;
ALTER TABLE user_art_impressions DROP CONSTRAINT user_art_impressions_artwork_id_fkey;
DROP INDEX user_art_impressions_unique_user_artwork;
CREATE INDEX user_art_impressions_pair ON user_art_impressions (user_id, artwork_id);
ANALYZE user_art_impressions
"""
_FLOOR = "SELECT count(*) FROM user_art_impressions"

Contender = Callable[[AsyncConnection, Cutoffs], Awaitable[object]]


def measure(server: PostgresServer, options: Options) -> Report:
    """The legacy gallery must be there already."""
    rounds = min(_MOST_ROUNDS, options.rounds)
    with copied(server, LEGACY, _COPY) as database:
        with psycopg.connect(server.conninfo(database), autocommit=True) as connection:
            for statement in _BARE.split(";"):
                connection.execute(statement.encode())
            connection.execute("VACUUM user_art_impressions")
        samples = asyncio.run(_samples(server.url(database), rounds))
    floor = Measure("count(*), no constraints", "s", tuple(samples.pop("floor")))
    measures = [compared(name, "s", seconds, floor) for name, seconds in samples.items()]
    return Report("checks", (floor, *measures), {"rounds": rounds})


async def _samples(url: str, rounds: int) -> dict[str, list[float]]:
    settings = settings_for(url)
    engine = create_engine(url, pool_size=2)
    try:
        examination = await inspect_catalogue(engine, settings)
        catalogue = examination.catalogue
        assert catalogue is not None
        runtime = build(engine, settings, examination, catalogue)
        pools = settings.pools_spec()
        board = StatusBoard(Status(started=datetime.now(UTC), version="", revision=""))
        router = ReplicaRouter(engine, engine, board, max_lag=_TIMEOUT)
        checks = snapshot_checks(settings, router, CurrentRuntime(runtime))
        contenders = {"floor": _floor, **{one.name: _check(one) for one in checks}}
        contenders |= _recording(catalogue, pools)
        return await _alternate(engine, pools, contenders, rounds)
    finally:
        await engine.dispose()


async def _floor(connection: AsyncConnection, _: Cutoffs) -> object:
    return (await connection.exec_driver_sql(_FLOOR)).scalar_one()


def _check(check: CheckDefinition) -> Contender:
    """As the service takes it, with a snapshot of its own."""

    async def measure(_: AsyncConnection, __: Cutoffs) -> object:
        return await check.measure(_TIMEOUT, None)

    return measure


def _recording(catalogue: Catalogue, pools: PoolsSpec) -> dict[str, Contender]:
    texts = statements(catalogue, pools, None)

    async def sample(connection: AsyncConnection, cutoffs: Cutoffs) -> object:
        return await take_sample(
            connection, texts, SampleInterval(cutoffs.now - _EVERY, cutoffs.now)
        )

    async def first(connection: AsyncConnection, cutoffs: Cutoffs) -> object:
        return await read_seeds(connection, texts, cutoffs.now, _EVERY)

    return {"recording_rate, a sample": sample, "recording_rate, the first start": first}


async def _alternate(
    engine: AsyncEngine, pools: PoolsSpec, contenders: dict[str, Contender], rounds: int
) -> dict[str, list[float]]:
    """Seconds by contender. One more round first, to warm up; every other one in reverse order."""
    samples: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name in list(contenders) if number % 2 else list(contenders)[::-1]:
            async with snapshot(engine, timeout=_TIMEOUT) as connection:
                cutoffs = Cutoffs.at(await database_now(connection), pools)
                started = time.perf_counter()
                await contenders[name](connection, cutoffs)
            if number:
                samples[name].append(time.perf_counter() - started)
    return samples


if __name__ == "__main__":
    alone(__doc__, measure, LEGACY)
