"""The census against `count(*)` of the impressions, in alternation: `python -m bench.census`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from bench.gallery import HEALED, LEGACY, build
from bench.measures import Goal, Measure, compared
from bench.options import Options, read_options
from bench.report import Report, environment, publish
from bench.servers import bench_server, settings_for, statement
from checks.census import (
    Census,
    choose_form,
    count_affected_users,
    exact_forms,
    parameters,
    take_census,
)
from checks.doctor import Blocks
from checks.relations import Catalogue
from checks.spec import Borders, PoolsSpec
from monitor.database import create_engine, snapshot
from monitor.demo.server import PostgresServer
from monitor.healing.planning import database_now
from monitor.workshop import inspect, require

GOAL = Goal(1.5)
_TIMEOUT = timedelta(minutes=10)
_FLOOR = "SELECT count(*) FROM user_art_impressions"

Contender = Callable[[AsyncConnection, Borders], Awaitable[float]]
"""Counts in the connection's snapshot; the seconds that it took."""


class DifferentCountsError(Exception):
    """The census and the plain anti-join disagree: nothing that was measured means anything."""


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

    async def users(self, connection: AsyncConnection, borders: Borders) -> float:
        """Which users are affected, in the snapshot of a census."""
        census = await self._census(connection, borders)
        affected = await count_affected_users(
            connection, self._catalogue, self._pools, borders, census
        )
        return affected.duration_seconds

    async def _census(self, connection: AsyncConnection, borders: Borders) -> Census:
        return await take_census(connection, self._catalogue, self._pools, borders)

    def forms(self) -> dict[str, Contender]:
        """Every exact form alone. Where pairs are legacy, the cheapest can't be had alone."""
        return {form.value: self._form(form) for form in exact_forms(self._catalogue, self._pools)}

    def _form(self, form: str) -> Contender:
        async def count(connection: AsyncConnection, borders: Borders) -> float:
            text = self._texts[form]
            started = time.perf_counter()
            (await connection.exec_driver_sql(text, parameters(borders))).one()
            return time.perf_counter() - started

        return count
