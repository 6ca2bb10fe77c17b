"""The check `census`: counts all pairs and, more rarely, the affected users in the same snapshot.

What it counts becomes the newest census of the snapshot, and one of those that healing is decided
from; so does the recount that ends a heal run, and a census that another process took.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.affected import AffectedUsers, count_affected_users, none_affected
from checks.census import Census, take_census
from checks.doctor.findings import Blocks
from checks.errors import StatementError
from checks.judgement import Measurement, Thresholds, at_least
from checks.relations import Engine
from checks.spec import Cutoffs
from monitor.checking.definition import NONE_AT_ALL, CheckDefinition, Confirm
from monitor.checking.replica import ReplicaRouter
from monitor.checking.runner import CheckRunner, CheckTracker, Keep
from monitor.config import Settings
from monitor.database_errors import TOO_SLOW, sqlstate
from monitor.replicas.published import USERS_BUDGET, users_interval
from monitor.runtime import CurrentRuntime, require_catalogue
from monitor.status import CENSUS, StatusBoard

log = structlog.get_logger(__name__)

NAMES_AND_RIGHTS = "42"
"""The class of the SQLSTATEs that say so: no such table, column or function, no privilege."""


@dataclass(frozen=True, slots=True)
class CensusResult:
    """What one census pass brought: a census, or the sentence that says why not."""

    census: Census | None
    error: str | None
    users: AffectedUsers | None = None
    """The affected users, where they were counted in the same snapshot."""


class CensusCheck:
    """The census of one process, one at a time."""

    def __init__(
        self,
        settings: Settings,
        router: ReplicaRouter,
        runtime: CurrentRuntime,
        board: StatusBoard,
        runner: CheckRunner,
        keep: Keep,
    ) -> None:
        """`keep` is told of every result."""
        self._router = router
        self._runtime = runtime
        self._board = board
        self._runner = runner
        self._taken: CensusResult | None = None
        self._users_from = 0.0
        """When affected users may be counted again, by the monotonic clock, after that took too
        long."""
        self.tables_differ = False
        """The last pass found that the tables are not, or may not be, what was read of them."""
        self.newest: deque[Census] = deque(maxlen=settings.healing.consecutive)
        """The newest first: those that healing is decided from."""
        fail = at_least(settings.healing.threshold)
        definition = CheckDefinition(
            CENSUS,
            settings.checks.census,
            self.measure,
            Thresholds(warn=NONE_AT_ALL, fail=fail),
            core=True,
        )
        self.tracker = CheckTracker(definition, board, settings.catalog.timezone, keep)

    async def take(self) -> CensusResult:
        """One census: measured, judged, published. Never raises for what the database does."""
        self._taken, self.tables_differ = None, False
        (found,) = await self._runner.run(self.tracker.definition, None)
        self.tracker.publish((found,))
        if self._taken is not None:
            return self._taken
        log.warning("census_failed", error=found.message)
        return CensusResult(None, found.message)

    def publish(self, census: Census, *, age_seconds: float = 0.0) -> None:
        """Make a census the newest that was not taken here by the clock: the recount of a heal
        run, or another process's, taken so many seconds ago. Nothing where a newer one is known: a
        pass may have counted between the recount and its publication."""
        if self.newest and self.newest[0].as_of >= census.as_of:
            return
        self._remember(census, None, age_seconds)
        found = self.tracker.definition.judged((self._measurement(census, ""),), 0.0)
        self.tracker.publish(found, age_seconds=age_seconds)

    async def measure(self, timeout: timedelta, confirm: Confirm | None) -> tuple[Measurement, ...]:
        """Count on the server that checks read. Raises what the database raises, StatementError for
        counts that contradict each other, CatalogueError where something blocks counting."""
        tools = self._runtime.current
        if tools.counting_blocked:
            self.tables_differ = True
            require_catalogue(tools.examination, Blocks.COUNTING)
        catalogue, pools = tools.catalogue, tools.settings.pools_spec()
        started, is_counted = time.monotonic(), False

        async def count(
            connection: AsyncConnection, now: datetime
        ) -> tuple[Census, AffectedUsers | None]:
            nonlocal is_counted
            is_counted = False
            # Age is measured on the primary's clock, whichever server counts.
            cutoffs = Cutoffs.at(now, pools)
            both = self._router.side_by_side(connection, timeout, tools.rows)
            census = await take_census(
                connection,
                catalogue,
                pools,
                cutoffs,
                verified_until=self._board.current.control.verified_until,
                side_by_side=both,
            )
            is_counted = True
            if census.legacy_untracked and not self._users_due():
                return census, None
            users = await count_affected_users(
                connection, catalogue, pools, cutoffs, census, side_by_side=both
            )
            return census, users

        try:
            (census, users), note = await self._router.read(count, timeout=timeout, rows=tools.rows)
        except StatementError as error:
            if is_counted and self._users_due() and sqlstate(error) == TOO_SLOW:
                # The users cost several censuses: that they can't be counted in time is no reason
                # to know nothing, and to heal nothing.
                now = time.monotonic()
                self._users_from = now + (now - started) / USERS_BUDGET
                log.warning("users_not_counted", error=str(error))
                return await self.measure(timeout, confirm)
            self.tables_differ = (sqlstate(error) or "").startswith(NAMES_AND_RIGHTS)
            raise
        self._remember(census, users, 0.0)
        self._taken = CensusResult(census, None, users)
        return (self._measurement(census, note),)

    def _users_due(self) -> bool:
        status = self._board.current
        if time.monotonic() < self._users_from:
            return False
        if status.users is None or status.users_monotonic is None:
            return True
        return time.monotonic() - status.users_monotonic >= status.users_interval_seconds * 0.9

    def _remember(self, census: Census, users: AffectedUsers | None, age_seconds: float) -> None:
        self.newest.appendleft(census)
        at = time.monotonic() - age_seconds
        changes: dict[str, object] = {"census": census, "census_monotonic": at}
        if users is None and census.legacy_untracked == 0:
            users = none_affected(census)
        if users is not None:
            interval = users_interval(users, self.tracker.result.interval_seconds)
            changes |= {
                "users": users,
                "users_monotonic": at,
                "users_interval_seconds": interval,
            }
        # Nothing about database_up: this may have been a replica, or a server become read-only.
        self._board.update(**changes)
        log.info(
            "census",
            form=census.form,
            tracked=census.tracked,
            fresh=census.fresh,
            storage=census.storage,
            legacy_untracked=census.legacy_untracked,
            seconds=round(census.duration_seconds, 4),
        )

    def _measurement(self, census: Census, note: str) -> Measurement:
        """`note`: on which server it was counted, where that has to be said."""
        if self._runtime.current.catalogue.engine is Engine.CITUS:
            # Its nodes have no snapshot in common.
            note = f"Approximate while the app writes. {note}"
        legacy = census.legacy_untracked
        return Measurement(
            value=legacy,
            message=f"{legacy} legacy-untracked of {census.pairs} pairs. {note}".rstrip(),
            numbers={
                "tracked": census.tracked,
                "fresh": census.fresh,
                "storage": census.storage,
                "aged": census.aged,
                "appeared": census.appeared,
            },
            # What the users cost has an interval of its own.
            seconds=census.duration_seconds,
        )
