"""Takes the census from the server that checks read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from checks.census import AffectedUsers, Census, count_affected_users, take_census
from checks.spec import Cutoffs
from monitor.checking.replica import ReplicaRouter
from monitor.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Counted:
    """A census, how it came about, and perhaps the affected users in the same snapshot."""

    census: Census
    users: AffectedUsers | None
    note: str
    """For people: on which server, where that has to be said."""


class CensusSource:
    """The census of one process, one at a time."""

    def __init__(self, server: ReplicaRouter, runtime: Callable[[], Runtime]) -> None:
        self._server = server
        self._runtime = runtime
        self._expects_legacy = False

    async def take(
        self, *, verified_until: datetime | None, users_due: Callable[[], bool]
    ) -> Counted:
        """One census. Raises what the database raises, StatementError for counts that contradict
        each other."""
        runtime = self._runtime()
        catalogue, pools = runtime.catalogue, runtime.settings.pools_spec()

        async def count(
            connection: AsyncConnection, now: datetime
        ) -> tuple[Census, AffectedUsers | None]:
            # Age is measured on the primary's clock, whichever server counts.
            cutoffs = Cutoffs.at(now, pools)
            census = await take_census(
                connection,
                catalogue,
                pools,
                cutoffs,
                verified_until=verified_until,
                expects_legacy=self._expects_legacy,
            )
            if census.legacy_untracked and not users_due():
                return census, None
            return census, await count_affected_users(connection, catalogue, pools, cutoffs, census)

        (census, users), note = await self._server.read(count, timeout=_timeout(runtime))
        self._expects_legacy = census.legacy_untracked > 0
        return Counted(census, users, note)


def _timeout(runtime: Runtime) -> timedelta:
    settings = runtime.settings
    return settings.checks.census.timeout or settings.database.statement_timeout
