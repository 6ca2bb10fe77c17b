"""Keeps the snapshot and our own tables in step: what others change is read, totals are added."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from checks.census import Census
from checks.errors import ConservatorError, DatabaseUnavailableError
from monitor.breaker import LOOK_BACK
from monitor.database import transaction
from monitor.latch import read_recurring
from monitor.leadership import Leadership, NotLeadingError
from monitor.retention import forget_erased, sweep_ledger
from monitor.shared import Shared, read_shared, users_interval, write_check, write_result
from monitor.state.alerts import last_waking
from monitor.state.control import Control, read_control
from monitor.state.counters import CHECK_MISSED, add_to_counters, read_counters
from monitor.state.history import prune
from monitor.state.quarantine import count_quarantined
from monitor.state.runs import active_run
from monitor.state.statements import SchemaStatements
from monitor.status import CENSUS, CheckResult, StatusBoard
from monitor.workshop import Workshop

log = structlog.get_logger(__name__)

SHORT = timedelta(seconds=10)
"""The deadline of a statement over our own tables."""
MOST_RESULTS = 10_000
"""Results that wait for a database that is away; of more, the oldest are lost."""

Results = tuple[tuple[CheckResult, float], ...]
"""Results, oldest first, each with when it was found on the monotonic clock."""
Added = dict[tuple[str, str], float]
"""(name, label) -> what is added to a total."""


class Bookkeeper:
    """Reads and writes the small things. What the database does is logged, never raised.

    The leader writes what it found; a follower shows what the leader wrote.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        workshop: Callable[[], Workshop],
        board: StatusBoard,
        leadership: Leadership,
        *,
        publish: Callable[[Census, float], None],
        wake: Callable[[], object],
    ) -> None:
        """`publish` takes a census that another process took, and its age in seconds; `wake` lets
        the loop pass now."""
        self._engine = engine
        self._workshop = workshop
        self._board = board
        self._leadership = leadership
        self._publish = publish
        self._wake = wake
        self._missed: dict[str, int] = {}
        self._kept: dict[str, CheckResult] = {}
        self._alerted: datetime | None = None
        self._results: deque[tuple[CheckResult, float]] = deque()
        # One at a time, or a result would be written before the one that it follows.
        self._turn = asyncio.Lock()

    def keep(self, result: CheckResult, at: float) -> None:
        """A result, found at `at` on the monotonic clock; written with what is written next."""
        if self._leadership.leads:
            self._results.append((result, at))
            self._drop_oldest()

    def count_missed(self, name: str) -> None:
        """A run of the job `name` was left out; the next refresh adds it to the totals."""
        if self._leadership.leads:
            self._missed[name] = self._missed.get(name, 0) + 1

    def start_leading(self) -> None:
        """What was found when this process led before is not news any more."""
        self._results.clear()

    async def refresh(self) -> None:
        """Exchange with the other processes: write what is new here, read what they changed."""
        async with self._turn:
            await self._refresh()

    async def _refresh(self) -> None:
        led = self._leadership.leads
        state = self._workshop().state
        missed, self._missed = (self._missed if led else {}), {}
        news = self._news() if led else ()
        results = self._take_results() if led else ()
        something = bool(missed or news or results)
        try:
            async with transaction(self._engine, timeout=SHORT) as connection:
                shared = await read_shared(connection, state)
                control = await read_control(connection, state)
                run = await active_run(connection, state)
                recurring = await read_recurring(connection, state)
                quarantined = await count_quarantined(connection, state)
                alerted = await last_waking(connection, state, beside=self._leadership.holder)
                if something:
                    added = {(CHECK_MISSED, name): float(n) for name, n in missed.items()}
                    await self._keep(connection, state, added, news, results)
                counters = await read_counters(connection, state)
                if something:
                    await self._leadership.confirm(connection)
        except ConservatorError as error:
            for name, n in missed.items():
                self._missed[name] = self._missed.get(name, 0) + n
            self._put_back(results)
            self.log_failure("refresh_failed", error)
            return
        self._note(news)
        # Leading is shown once the totals of whoever led before have been read, never earlier.
        leads = led and self._leadership.leads
        before = self._board.current
        self._board.update(
            control=control,
            control_known=True,
            counters=counters,
            active_run=run,
            recurring=recurring,
            quarantined=quarantined,
            leader=leads,
            leader_name=self._leadership.holder if leads else shared.leader,
            database_up=True,
            database_error=None,
        )
        told, self._alerted = alerted != self._alerted, alerted
        if not leads:
            self._show(shared)
        else:
            if told and alerted is not None:
                self._wake()
            self._catch_up(shared, before.control if before.control_known else control, control)

    def _news(self) -> tuple[CheckResult, ...]:
        """Results of this process that the others don't have yet."""
        return tuple(
            check
            for name, check in self._board.current.checks.items()
            if check.outcome is not None and self._kept.get(name) is not check
        )

    def _note(self, written: Iterable[CheckResult]) -> None:
        self._kept |= {check.name: check for check in written}

    def _take_results(self) -> Results:
        results = tuple(self._results)
        self._results.clear()
        return results

    def _put_back(self, results: Results) -> None:
        self._results.extendleft(reversed(results))
        self._drop_oldest()

    def _drop_oldest(self) -> None:
        while len(self._results) > MOST_RESULTS:
            self._results.popleft()

    async def _keep(
        self,
        connection: AsyncConnection,
        state: SchemaStatements,
        added: Added,
        news: tuple[CheckResult, ...],
        results: Results,
    ) -> None:
        now = time.monotonic()
        for result, at in results:
            await write_result(connection, state, result, now - at)
        for check in news:
            await write_check(connection, state, check)
        await add_to_counters(connection, state, added)

    def _show(self, shared: Shared) -> None:
        """A follower shows what the leader found."""
        now = time.monotonic()
        # Those that this replica is configured for: an earlier one may have had others.
        mine = self._board.current.checks
        checks = MappingProxyType(
            {
                name: replace(shared.checks.get(name, check), facts=check.facts)
                for name, check in mine.items()
            }
        )
        self._note(checks.values())
        changes: dict[str, object] = {"checks": checks}
        if shared.census is not None:
            changes |= {"census": shared.census, "census_monotonic": now - shared.census_age}
        if shared.users is not None:
            interval = checks[CENSUS].interval_seconds if CENSUS in checks else 0.0
            changes |= {
                "users": shared.users,
                "users_monotonic": now - shared.users_age,
                "users_interval_seconds": users_interval(shared.users, interval),
            }
        if shared.decision is not None:
            changes |= {"decision": shared.decision, "decided_at": shared.decided_at}
        self._board.update(**changes)

    def _catch_up(self, shared: Shared, before: Control, control: Control) -> None:
        """The leader takes note of what other processes did: a recount, a switch."""
        mine = self._board.current.census
        if shared.census is not None and (mine is None or shared.census.as_of > mine.as_of):
            self._publish(shared.census, shared.census_age)
        switches = (
            (before.paused, control.paused),
            (before.suspended, control.suspended),
            (before.breaker_open, control.breaker_open),
        )
        if any(was and not now for was, now in switches):
            self._wake()

    def log_failure(self, event: str, error: ConservatorError) -> None:
        """Something was not written or read. That the database is away is said once, not here."""
        if isinstance(error, DatabaseUnavailableError):
            self._board.update(database_up=False, database_error=str(error))
        elif isinstance(error, NotLeadingError):
            log.info(event, error=str(error))
        else:
            log.warning(event, error=str(error))

    async def add(self, added: Added) -> None:
        """Add to the totals, as the leader; what is new of the checks goes with them."""
        async with self._turn:
            await self._add(added)

    async def _add(self, added: Added) -> None:
        news, results = self._news(), self._take_results()
        try:
            async with transaction(self._engine, timeout=SHORT) as connection:
                await self._keep(connection, self._workshop().state, added, news, results)
                await self._leadership.confirm(connection)
        except ConservatorError as error:
            self._put_back(results)
            self.log_failure("totals_not_kept", error)
        else:
            self._note(news)

    async def prune(self) -> None:
        """Forget what is older than `history`, and what the app has erased; close per-user runs
        whose process is gone."""
        workshop = self._workshop()
        names = list(self._board.current.checks)
        try:
            async with transaction(self._engine, timeout=SHORT) as connection:
                # The breaker still needs a day of it, however little is asked for.
                history = max(workshop.settings.history, LOOK_BACK)
                await prune(connection, workshop.state, history)
                await workshop.state.run(connection, "run_abandon_user", {"subject": None})
                await workshop.state.run(connection, "check_status_forget", {"names": names})
                await self._leadership.confirm(connection)
            await forget_erased(workshop, self._leadership.confirm)
            await sweep_ledger(workshop, self._leadership.confirm)
        except ConservatorError as error:
            self.log_failure("history_not_pruned", error)
