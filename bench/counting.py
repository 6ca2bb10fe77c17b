"""What can be timed on one database that counts pairs, and their alternation."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bench.servers import settings_for, statement
from checks.affected import AffectedUsers, count_affected_users
from checks.census import Census, census_sql, exact_forms, parameters, take_census
from checks.doctor.findings import Blocks
from checks.fragments import fragments
from checks.halves import SideBySide
from checks.relations import Catalogue
from checks.row_security import RowGuard, guard_of
from checks.spec import Cutoffs, PoolsSpec
from monitor.database import create_engine, database_now, side_by_side, snapshot
from monitor.runtime import inspect_catalogue, require_catalogue
from tests.support.postgres import PostgresServer

_TIMEOUT = timedelta(hours=2)
_FLOOR = "SELECT count(*) FROM user_art_impressions"

Contender = Callable[[AsyncConnection, Cutoffs], Awaitable[float]]
"""Counts in the connection's snapshot; the seconds that it took."""


class DifferentCountsError(Exception):
    """The census and the plain anti-join disagree: what was timed is not the same thing."""


@dataclass(frozen=True, slots=True)
class Counting:
    """One database, and all that counts on it."""

    engine: AsyncEngine
    catalogue: Catalogue
    pools: PoolsSpec
    rows: RowGuard

    async def floor(self, connection: AsyncConnection, _: Cutoffs) -> float:
        """Every impression read once, by the cheapest index."""
        started = time.perf_counter()
        (await connection.exec_driver_sql(_FLOOR)).scalar_one()
        return time.perf_counter() - started

    async def census(self, connection: AsyncConnection, cutoffs: Cutoffs) -> float:
        """As the service takes it."""
        return (await self._census(connection, cutoffs)).duration_seconds

    async def affected_users(self, connection: AsyncConnection, cutoffs: Cutoffs) -> float:
        """Counted in the snapshot of a census, whose time is left out."""
        census = await self._census(connection, cutoffs)
        return (await self._affected(connection, cutoffs, census)).duration_seconds

    async def census_and_users(self, connection: AsyncConnection, cutoffs: Cutoffs) -> float:
        """The four counts, and how many users are affected, in one snapshot."""
        started = time.perf_counter()
        census = await self._census(connection, cutoffs)
        await self._affected(connection, cutoffs, census)
        return time.perf_counter() - started

    async def anti_join(self, connection: AsyncConnection, cutoffs: Cutoffs) -> float:
        """As people write it. Raises DifferentCountsError unless the census says the same."""
        text = statement("anti_join").as_string(None)
        started = time.perf_counter()
        row = (await connection.exec_driver_sql(text, naive(cutoffs))).one()
        seconds = time.perf_counter() - started
        census = await self._census(connection, cutoffs)
        if tuple(row) != census.counts:
            raise DifferentCountsError(f"{tuple(row)} by anti-join, {census.counts} by census")
        return seconds

    def forms(self) -> dict[str, Contender]:
        """The single statement of every form that is exact here."""
        names = fragments(self.catalogue, self.pools)
        return {
            f"{form.value} alone": self.statement(census_sql(form, names))
            for form in exact_forms(self.catalogue)
        }

    async def now(self) -> tuple[Census, Cutoffs]:
        """A census, and the cutoffs that it was taken by."""
        async with snapshot(self.engine, timeout=_TIMEOUT) as connection:
            cutoffs = Cutoffs.at(await database_now(connection), self.pools)
            return await self._census(connection, cutoffs), cutoffs

    async def once(self, contender: Contender) -> float:
        """The seconds of one contender in a snapshot of its own."""
        async with snapshot(self.engine, timeout=_TIMEOUT) as connection:
            cutoffs = Cutoffs.at(await database_now(connection), self.pools)
            return await contender(connection, cutoffs)

    async def alternate(
        self, contenders: Mapping[str, Contender], rounds: int, *, warm_up: bool = True
    ) -> dict[str, list[float]]:
        """Seconds by contender, every other round in reverse order; the round that warms up is
        one more."""
        samples: dict[str, list[float]] = {name: [] for name in contenders}
        for number in range(0 if warm_up else 1, rounds + 1):
            for name in list(contenders) if number % 2 else list(contenders)[::-1]:
                seconds = await self.once(contenders[name])
                if number:
                    samples[name].append(seconds)
        return samples

    def statement(self, text: str, before: str = "SELECT") -> Contender:
        """One statement that finds one row, without what it takes to execute `before`."""

        async def count(connection: AsyncConnection, cutoffs: Cutoffs) -> float:
            await connection.exec_driver_sql(before)
            started = time.perf_counter()
            (await connection.exec_driver_sql(text, parameters(cutoffs))).one()
            return time.perf_counter() - started

        return count

    async def _census(self, connection: AsyncConnection, cutoffs: Cutoffs) -> Census:
        return await take_census(
            connection, self.catalogue, self.pools, cutoffs, side_by_side=self._shared(connection)
        )

    async def _affected(
        self, connection: AsyncConnection, cutoffs: Cutoffs, census: Census
    ) -> AffectedUsers:
        return await count_affected_users(
            connection,
            self.catalogue,
            self.pools,
            cutoffs,
            census,
            side_by_side=self._shared(connection),
        )

    def _shared(self, connection: AsyncConnection) -> SideBySide:
        return partial(side_by_side, connection, timeout=_TIMEOUT, rows=self.rows)


def naive(cutoffs: Cutoffs) -> dict[str, datetime]:
    """For columns without a time zone: people compare them in UTC and don't convert each row."""
    return {
        "fresh_after": cutoffs.fresh_after.replace(tzinfo=None),
        "legacy_until": cutoffs.legacy_until.replace(tzinfo=None),
    }


@asynccontextmanager
async def counting(
    server: PostgresServer, database: str, more: str = ""
) -> AsyncIterator[Counting]:
    """By default settings and `more` lines of YAML."""
    settings = settings_for(server.url(database), more)
    engine = create_engine(server.url(database), pool_size=settings.database.pool_size)
    try:
        catalogue = require_catalogue(await inspect_catalogue(engine, settings), Blocks.COUNTING)
        yield Counting(engine, catalogue, settings.pools_spec(), guard_of(catalogue))
    finally:
        await engine.dispose()
