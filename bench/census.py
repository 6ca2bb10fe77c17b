"""The census against `count(*)` of the impressions, in alternation: `python -m bench.census`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bench.gallery import HEALED, LEGACY, build_all
from bench.measures import Goal, Measure, compared
from bench.options import Options, read_options
from bench.report import Report, environment, publish
from bench.servers import bench_server, settings_for, statement
from checks.census import (
    Census,
    census_sql,
    choose_form,
    count_affected_users,
    exact_forms,
    parameters,
    take_census,
)
from checks.doctor import Blocks
from checks.fragments import fragments
from checks.relations import Catalogue
from checks.spec import Borders, PoolsSpec
from monitor.database import create_engine, snapshot
from monitor.demo.server import PostgresServer
from monitor.healing.planning import database_now
from monitor.workshop import inspect, require

GOAL = Goal(1.5)
"""The four counts may cost so many times what reading every impression once costs."""
_TIMEOUT = timedelta(minutes=10)
_FLOOR = "SELECT count(*) FROM user_art_impressions"

Contender = Callable[[AsyncConnection, Borders], Awaitable[float]]
"""Counts in the connection's snapshot; the seconds that it took."""


class DifferentCountsError(Exception):
    """The census and the plain anti-join disagree: what was timed is not the same thing."""


class Contenders:
    """What can be timed on one database."""

    def __init__(self, catalogue: Catalogue, pools: PoolsSpec) -> None:
        self._catalogue = catalogue
        self._pools = pools

    async def floor(self, connection: AsyncConnection, _: Borders) -> float:
        """Every impression read once, by the cheapest index."""
        started = time.perf_counter()
        (await connection.exec_driver_sql(_FLOOR)).scalar_one()
        return time.perf_counter() - started

    async def census(self, connection: AsyncConnection, borders: Borders) -> float:
        """As the service takes it."""
        return (await self._census(connection, borders)).duration_seconds

    async def affected_users(self, connection: AsyncConnection, borders: Borders) -> float:
        """Counted in the snapshot of a census, whose time is left out."""
        census = await self._census(connection, borders)
        users = await count_affected_users(
            connection, self._catalogue, self._pools, borders, census
        )
        return users.duration_seconds

    async def anti_join(self, connection: AsyncConnection, borders: Borders) -> float:
        """As people write it. Raises DifferentCountsError unless the census says the same."""
        # Columns without a time zone: people compare them in UTC and don't convert each row.
        moments = {
            "fresh_after": borders.fresh_after.replace(tzinfo=None),
            "legacy_until": borders.legacy_until.replace(tzinfo=None),
        }
        text = statement("anti_join").as_string(None)
        started = time.perf_counter()
        row = (await connection.exec_driver_sql(text, moments)).one()
        seconds = time.perf_counter() - started
        census = await self._census(connection, borders)
        if tuple(row) != census.counts:
            raise DifferentCountsError(f"{tuple(row)} by anti-join, {census.counts} by census")
        return seconds

    def forms(self) -> dict[str, Contender]:
        """The single statement of every form that is exact here."""
        names = fragments(self._catalogue, self._pools)
        return {
            f"{form.value} alone": self._statement(census_sql(form, names))
            for form in exact_forms(self._catalogue, self._pools)
        }

    def _statement(self, text: str) -> Contender:
        async def count(connection: AsyncConnection, borders: Borders) -> float:
            started = time.perf_counter()
            (await connection.exec_driver_sql(text, parameters(borders))).one()
            return time.perf_counter() - started

        return count

    async def _census(self, connection: AsyncConnection, borders: Borders) -> Census:
        return await take_census(connection, self._catalogue, self._pools, borders)


async def alternate(
    engine: AsyncEngine, pools: PoolsSpec, contenders: Mapping[str, Contender], rounds: int
) -> dict[str, list[float]]:
    """Seconds by contender. One more round first, to warm up; every other one in reverse order."""
    samples: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        names = list(contenders) if number % 2 else list(contenders)[::-1]
        for name in names:
            async with snapshot(engine, timeout=_TIMEOUT) as connection:
                borders = Borders.at(await database_now(connection), pools)
                seconds = await contenders[name](connection, borders)
            if number:
                samples[name].append(seconds)
    return samples


async def measure(server: PostgresServer, options: Options) -> Report:
    """Both galleries must be there already."""
    steady = await _steady(server, options.rounds)
    legacy, facts = await _with_legacy(server, options)
    return Report("census", (*steady, *legacy), facts)


async def _steady(server: PostgresServer, rounds: int) -> tuple[Measure, ...]:
    """Nothing is legacy: the census is one statement."""
    settings = settings_for(server.url(HEALED))
    pools = settings.pools_spec()
    engine = create_engine(server.url(HEALED), pool_size=1)
    try:
        catalogue = require(await inspect(engine, settings), Blocks.COUNTING)
        timed = Contenders(catalogue, pools)
        samples = await alternate(
            engine, pools, {"floor": timed.floor, "census": timed.census}, rounds
        )
    finally:
        await engine.dispose()
    floor = Measure("count(*), nothing legacy", "s", tuple(samples["floor"]))
    return floor, compared("the four counts, nothing legacy", "s", samples["census"], floor, GOAL)


async def _with_legacy(
    server: PostgresServer, options: Options
) -> tuple[tuple[Measure, ...], dict[str, str | int | float]]:
    """A share is legacy: the census is two statements, and the users are counted at times."""
    settings = settings_for(server.url(LEGACY))
    pools = settings.pools_spec()
    engine = create_engine(server.url(LEGACY), pool_size=1)
    try:
        catalogue = require(await inspect(engine, settings), Blocks.COUNTING)
        timed = Contenders(catalogue, pools)
        contenders: dict[str, Contender] = {
            "the four counts": timed.census,
            **timed.forms(),
            "affected users": timed.affected_users,
        }
        samples = await alternate(
            engine, pools, {"floor": timed.floor, **contenders}, options.rounds
        )
        async with snapshot(engine, timeout=_TIMEOUT) as connection:
            borders = Borders.at(await database_now(connection), pools)
            census = await take_census(connection, catalogue, pools, borders)
            slow = [await timed.anti_join(connection, borders) for _ in range(options.anti_joins)]
    finally:
        await engine.dispose()
    floor = Measure("count(*), with legacy", "s", tuple(samples["floor"]))
    measures = [compared(f"{n}, with legacy", "s", samples[n], floor) for n in contenders]
    if slow:
        measures.append(compared("plain anti-join, with legacy", "s", slow, floor))
    facts: dict[str, str | int | float] = {
        "form": choose_form(catalogue, pools)[0].value,
        "rounds": options.rounds,
        "pairs": census.pairs,
        "tracked": census.tracked,
        "legacy_untracked": census.legacy_untracked,
    }
    return (floor, *measures), facts


def main() -> None:
    """Build the galleries and measure."""
    options = read_options(__doc__)
    with bench_server(options) as server:
        build_all(server, options)
        publish([asyncio.run(measure(server, options))], environment(server), options.results)


if __name__ == "__main__":
    main()
