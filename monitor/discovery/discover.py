"""The whole of it: every table by its catalogue, the best candidates by some of their rows, and the
best of these drafted. One read-only transaction, so that everything is of one moment."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from checks.discover.candidates import Candidate, candidates
from checks.discover.sampling import PATIENCE, Sampler
from checks.discover.survey import surveyed
from checks.discover.tables import read_tables
from monitor.database import again_if_lost, snapshot, when_unlocked
from monitor.discovery.draft import Draft, Drafter

TIMEOUT = timedelta(seconds=60)
"""For one statement, of which reading the catalogue and the first count are the longest."""
_LOCK_TIMEOUT = timedelta(milliseconds=500)
_MOST_DRAFTS = 3
_ENOUGH_TIME = 30
"""Seconds after which nothing more than the best candidate is drafted."""
_MOST_NEAREST = 3


@dataclass(frozen=True, slots=True)
class Discovery:
    """What a database could be."""

    tables: int
    """Tables and views whose columns and keys were read."""
    unseen: tuple[str, ...]
    """Those that the role may not read."""
    looked_at: tuple[str, ...]
    """Those of which rows were sampled."""
    drafts: tuple[Draft, ...]
    """The best first."""
    nearest: tuple[Candidate, ...]
    """Where there is no draft: what came nearest."""
    duration_seconds: float


async def discover(engine: AsyncEngine) -> Discovery:
    """Read the database, and draft the catalogs that it could be. Nothing is written."""

    async def read() -> Discovery:
        async with snapshot(engine, timeout=TIMEOUT, lock_timeout=_LOCK_TIMEOUT) as connection:
            return await _discovered(connection)

    return await when_unlocked(partial(again_if_lost, read), within=TIMEOUT)


async def _discovered(connection: AsyncConnection) -> Discovery:
    started = time.perf_counter()
    tables, sampler = await read_tables(connection), Sampler(connection)
    found = await surveyed(sampler, tables, candidates(tables))
    drafter = Drafter(sampler, tables, PATIENCE)
    drafts: list[Draft] = []
    for one in [one for one in found if one.fits][:_MOST_DRAFTS]:
        if not drafts or time.perf_counter() - started < _ENOUGH_TIME:
            drafts.append(await drafter.draft(one, count=not drafts))
    return Discovery(
        tables=len(tables.readable),
        unseen=tuple(one.configured for one in tables.unseen),
        looked_at=tuple(sorted(sampler.looked_at)),
        drafts=tuple(drafts),
        nearest=() if drafts else found[:_MOST_NEAREST],
        duration_seconds=time.perf_counter() - started,
    )
