"""Takes the census: from what has changed where that is proved to be enough, else in full.

          marks complete, nothing legacy, nothing happened meanwhile
    none ────────────────────────────────────────────────────────────► basis
     ▲                                                                 │  ▲
     │ a full count follows: something changed that can't be followed, └──┘ increment
     └─ `full_every` has passed, or the catalogue is another one

What is known is kept in memory alone: another process, or the next, begins with a full count. Every
full count is compared with what the increment says at that moment. If they ever differ, increments
are given up for good. Where a replica is read, every count is full: it costs the primary nothing,
and a replica has no counters.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.census import AffectedUsers, Census, count_affected_users, take_census
from checks.increment import Basis, Increment, basis_of, hindrance, read_young, take_increment
from checks.marks import SETTLED_AFTER_SECONDS, Reading, read_marks
from checks.relations import Catalogue, Relation
from checks.spec import Borders
from monitor.database import snapshot
from monitor.reading import ReadServer
from monitor.state import schema
from monitor.workshop import Workshop

log = structlog.get_logger(__name__)

OWN_SESSIONS = "conservator"
"""The application_name of every connection of ours."""


@dataclass(frozen=True, slots=True)
class Counted:
    """A census, how it came about, and perhaps the affected users in the same snapshot."""

    census: Census
    users: AffectedUsers | None
    note: str
    """For people: on which server, or since when nothing has changed."""


@dataclass(frozen=True, slots=True)
class _Full:
    census: Census
    users: AffectedUsers | None
    young: dict[str, int] | None
    expected: Increment | str | None


class Counting:
    """The census of one process, one at a time."""

    def __init__(
        self,
        server: ReadServer,
        workshop: Callable[[], Workshop],
        *,
        full_every: timedelta | None,
        settled_after: float = SETTLED_AFTER_SECONDS,
    ) -> None:
        """`full_every`: None for full counts only. `settled_after`: how many seconds of idleness
        make sure that a session has reported its changes."""
        self._server = server
        self._workshop = workshop
        self._full_every = full_every
        self._settled_after = settled_after
        self._basis: Basis | None = None
        self._expects_legacy = False
        self._has_state = False

    async def take(
        self, *, verified_until: datetime | None, users_due: Callable[[], bool]
    ) -> Counted:
        """One census. Raises what the database raises, StatementError for counts that contradict
        each other."""
        workshop = self._workshop()
        before: Reading | None = None
        if self._full_every is not None and self._server.primary_alone:
            found = await self._increment(workshop)
            if isinstance(found, Increment):
                return self._changed(found)
            before = found
        full, why = await self._full(workshop, before, verified_until, users_due)
        self._expects_legacy = full.census.legacy_untracked > 0
        if before is not None:
            await self._learn(workshop, before, full)
        return Counted(full.census, full.users, why)

    def _changed(self, increment: Increment) -> Counted:
        self._basis = increment.basis
        since = increment.basis.counted_at
        return Counted(
            increment.census, None, f"Counted from what changed since {since:%H:%M:%S} UTC."
        )

    async def _increment(self, workshop: Workshop) -> Increment | Reading:
        """The incremental census; or the marks before a full count."""
        basis, timeout = self._basis, _timeout(workshop)
        pools = workshop.settings.pools_spec()
        async with snapshot(workshop.engine, timeout=timeout) as connection:
            started = time.perf_counter()
            reading = await self._read(connection, workshop)
            if basis is None:
                return reading
            why = reading.incomplete
            if _shape(basis.catalogue) != _shape(workshop.catalogue) or basis.pools != pools:
                why = "The catalogue has changed."
            if not why:
                borders = Borders.at(reading.now, pools)
                if self._is_due(basis, borders.now):
                    return reading
                found = await take_increment(connection, basis, reading.marks, borders)
                if isinstance(found, Increment):
                    seconds = time.perf_counter() - started
                    return replace(found, census=replace(found.census, duration_seconds=seconds))
                why = found
        log.debug("census_in_full", reason=why)
        self._basis = None
        return reading

    def _is_due(self, basis: Basis, now: datetime) -> bool:
        assert self._full_every is not None
        return not timedelta() <= now - basis.counted_at < self._full_every

    async def _full(
        self,
        workshop: Workshop,
        before: Reading | None,
        verified_until: datetime | None,
        users_due: Callable[[], bool],
    ) -> tuple[_Full, str]:
        catalogue, pools = workshop.catalogue, workshop.settings.pools_spec()
        basis = self._basis
        learns = before is not None and not before.incomplete and not hindrance(catalogue, pools)

        async def count(connection: AsyncConnection, now: datetime) -> _Full:
            # Age is measured on the primary's clock, whichever server counts.
            borders = Borders.at(now, pools)
            census = await take_census(
                connection,
                catalogue,
                pools,
                borders,
                verified_until=verified_until,
                expects_legacy=self._expects_legacy,
            )
            young = expected = users = None
            if not census.legacy_untracked and learns:
                young = await read_young(connection, catalogue, pools, borders)
            if basis is not None and before is not None:
                expected = await take_increment(connection, basis, before.marks, borders)
            if not census.legacy_untracked or users_due():
                users = await count_affected_users(connection, catalogue, pools, borders, census)
            return _Full(census, users, young, expected)

        return await self._server.read(count, timeout=_timeout(workshop))

    async def _learn(self, workshop: Workshop, before: Reading, full: _Full) -> None:
        """Make a basis of a full count during which nothing changed; compare it with what the
        increment said."""
        self._basis = None
        if before.incomplete or (full.young is None and full.expected is None):
            return
        async with snapshot(workshop.engine, timeout=_timeout(workshop)) as connection:
            after = await self._read(connection, workshop)
        if after.incomplete or after.marks != before.marks:
            return
        if full.expected is not None and _differs(full.expected, full.census):
            log.error(
                "census_differs",
                expected=str(full.expected),
                counted=full.census.counts,
                consequence="Every census is a full count from now on.",
            )
            self._full_every = None
            return
        if full.young is not None:
            pools = workshop.settings.pools_spec()
            self._basis = basis_of(full.census, full.young, before.marks, workshop.catalogue, pools)

    async def _read(self, connection: AsyncConnection, workshop: Workshop) -> Reading:
        """The marks. Our own sessions are busy all the time, and write impressions in runs only."""
        state = workshop.state
        lately = False
        if not self._has_state:
            self._has_state = await schema.is_current(connection, state.state_schema)
        if self._has_state:
            lately = bool((await state.run(connection, "run_lately")).scalar_one())
        return await read_marks(
            connection,
            workshop.catalogue,
            spared=None if lately else OWN_SESSIONS,
            settled_after=self._settled_after,
        )


def _differs(expected: Increment | str, counted: Census) -> bool:
    """Whether an exact increment says something else than a full count of the same moment."""
    if isinstance(expected, str):  # it said that it does not know, or that there are legacy pairs
        return False
    said = expected.census
    return (said.counts, said.audience, said.users) != (
        counted.counts,
        counted.audience,
        counted.users,
    )


def _shape(catalogue: Catalogue) -> Catalogue:
    """The catalogue without what grows by itself."""

    def shape(relation: Relation) -> Relation:
        return replace(relation, estimated_rows=0, total_bytes=0, analysed=True)

    return replace(
        catalogue,
        artworks=shape(catalogue.artworks),
        users=shape(catalogue.users),
        impressions=shape(catalogue.impressions),
    )


def _timeout(workshop: Workshop) -> timedelta:
    settings = workshop.settings
    return settings.checks.census.timeout or settings.database.statement_timeout
