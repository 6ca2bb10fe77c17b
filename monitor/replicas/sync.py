"""Keeps the snapshot and our own tables in step: what others change is read, totals are added."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Protocol

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.census import Census
from checks.citus.cluster import NO_ANSWER, every_node_answers
from checks.errors import ConservatorError, DatabaseUnavailableError
from monitor.database import transaction
from monitor.database_errors import session_lost
from monitor.deadlines import LOOK_BACK
from monitor.policy.breaker_store import read_recurring
from monitor.replicas.leadership import Leadership, NotLeadingError
from monitor.replicas.published import (
    SHARED,
    SHARED_REPAIRS,
    SHARED_RESULTS,
    PublishedState,
    read_published,
    show_repair,
    users_interval,
    write_check,
    write_result,
)
from monitor.replicas.retention import forget_erased, sweep_ledger
from monitor.runtime import CurrentRuntime
from monitor.scheduler import Scheduler
from monitor.state.control import Control, read_control
from monitor.state.counters import CHECK_MISSED, add_to_counters, read_counters
from monitor.state.history import prune
from monitor.state.runs import Run, active_run, count_quarantined
from monitor.state.statements import SchemaStatements, ask_together
from monitor.state.transitions import abandon_user_runs
from monitor.status import (
    CENSUS,
    REPAIRS,
    STRUCTURE,
    CheckResult,
    RepairStatus,
    StatusBoard,
)

log = structlog.get_logger(__name__)

_ALWAYS = (
    *SHARED,
    *("control_read", "run_active", "runs_recurring", "quarantine_size", "counters_read"),
)
"""What every exchange reads."""
MOST_RESULTS = 10_000
"""Results that wait for a database that is away; of more, the oldest are lost."""

Results = tuple[tuple[CheckResult, float], ...]
"""Results, oldest first, each with when it was found on the monotonic clock."""
Added = dict[tuple[str, str], float]
"""(name, label) -> what is added to a total."""


class PublishCensus(Protocol):
    """Makes a census that was not taken here by the clock the newest, so many seconds old."""

    def __call__(self, census: Census, *, age_seconds: float = 0.0) -> None:
        """Publish it."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What an exchange has read."""

    published: PublishedState
    control: Control
    run: Run | None
    recurring: int
    quarantined: int
    counters: Mapping[tuple[str, str], float]


class ResultQueue:
    """The leader's results that are not written yet, oldest first."""

    def __init__(self, leadership: Leadership) -> None:
        self._leadership = leadership
        self._results: deque[tuple[CheckResult, float]] = deque(maxlen=MOST_RESULTS)

    def append(self, status: CheckResult, at: float) -> None:
        """A result, found at `at` on the monotonic clock; written with what is written next."""
        if self._leadership.leads:
            self._results.append((status, at))

    def take(self) -> Results:
        """All of them, which leave the queue."""
        results = tuple(self._results)
        self._results.clear()
        return results

    def put_back(self, results: Results) -> None:
        """They could not be written. Where the queue is full by now, the oldest are lost."""
        newer = self.take()
        self._results.extend((*results, *newer))

    def clear(self) -> None:
        """What was found when this process led before is not news any more."""
        self._results.clear()


class StateSync:
    """Reads and writes the small things. What the database does is logged, never raised.

    The leader writes what it found; a follower shows what the leader wrote.
    """

    def __init__(
        self,
        runtime: CurrentRuntime,
        board: StatusBoard,
        leadership: Leadership,
        scheduler: Scheduler,
        results: ResultQueue,
        publish: PublishCensus,
    ) -> None:
        """`publish` takes a census that another process took."""
        self._runtime = runtime
        self._board = board
        self._leadership = leadership
        self._scheduler = scheduler
        self._publish = publish
        self._kept: dict[str, CheckResult] = {}
        self._woken_at: datetime | None = None
        self._results = results
        # One at a time, or a result would be written before the one that it follows.
        self._turn = asyncio.Lock()

    def publish_recount(self, census: Census) -> None:
        """A run has counted. A follower's comes back to it through the leader."""
        if self._leadership.leads:
            self._publish(census)

    async def refresh(self) -> None:
        """Exchange with the other processes: write what is new here, read what they changed."""
        lost_node = await self._lost_node()
        async with self._turn:
            await self._refresh(lost_node)

    async def _lost_node(self) -> str | None:
        """Why a node of the cluster can't be used, or None. Our own tables say nothing of that."""
        runtime = self._runtime.current
        cluster, relations = runtime.catalogue.cluster, runtime.catalogue.relations
        if cluster is None:
            return None
        try:
            async with transaction(runtime.engine) as connection:
                oids = [relation.oid for _, relation in relations]
                answers = await every_node_answers(connection, cluster, oids)
        except ConservatorError as error:
            return str(error)
        return None if answers else NO_ANSWER

    async def _refresh(self, lost_node: str | None, *, again: bool = True) -> None:
        led = self._leadership.leads
        runtime = self._runtime.current
        state = runtime.state
        taken = self._scheduler.take_missed()
        missed = taken if led else Counter[str]()  # a follower's jobs do nothing
        unsent = self._unsent() if led else ()
        results = self._results.take() if led else ()
        something = bool(missed or unsent or results)
        try:
            async with transaction(runtime.engine) as connection:
                if something:
                    added = {(CHECK_MISSED, name): float(n) for name, n in missed.items()}
                    await self._keep(connection, state, added, unsent, results)
                found = await self._ask(connection, state, results=not led)
                if something:
                    await self._leadership.confirm(connection)
        except ConservatorError as error:
            self._scheduler.put_back_missed(missed)
            self._results.put_back(results)
            # What may have been committed is not written again at once.
            if again and not something and session_lost(error):
                await self._refresh(lost_node, again=False)
                return
            self.log_failure("refresh_failed", error)
            return
        self._note(unsent)
        published, control, run = found.published, found.control, found.run
        # Leading is shown once the totals of whoever led before have been read, never earlier.
        leads = led and self._leadership.leads
        before = self._board.current
        self._board.update(
            control=control,
            control_known=True,
            counters=found.counters,
            active_run=run,
            repairs=_shown_repairs(before.repairs, published, found=not leads),
            recurring=found.recurring,
            quarantined=found.quarantined,
            leader=leads,
            leader_name=self._leadership.holder if leads else published.leader,
            database_up=lost_node is None,
            database_error=lost_node,
        )
        # Not told from the board, whose control row a pass replaces, too: its census may be older.
        woken, self._woken_at = control.woken_at != self._woken_at, control.woken_at
        if not led:
            self._show(published)
        elif leads:
            if woken:
                self._scheduler.wake(CENSUS)
            ended = before.active_run is not None and run is None
            if ended or _switched(before.repairs, self._board.current.repairs):
                self._scheduler.wake(REPAIRS)
            self._catch_up(published, before.control if before.control_known else control, control)

    async def _ask(
        self, connection: AsyncConnection, state: SchemaStatements, *, results: bool
    ) -> _Found:
        repairs = bool(self._board.current.repairs)
        asked: tuple[str, ...] = _ALWAYS
        asked += SHARED_RESULTS if results else ()
        asked += SHARED_REPAIRS if repairs else ()
        answered = await ask_together(connection, state, asked, {"window": LOOK_BACK})
        return _Found(
            published=await read_published(connection, answered, results=results, repairs=repairs),
            control=await read_control(connection, answered),
            run=await active_run(connection, answered),
            recurring=await read_recurring(connection, answered),
            quarantined=await count_quarantined(connection, answered),
            counters=await read_counters(connection, answered),
        )

    def _unsent(self) -> tuple[CheckResult, ...]:
        """Results of this process that the others don't have yet."""
        return tuple(
            check
            for name, check in self._board.current.checks.items()
            if check.outcome is not None and self._kept.get(name) is not check
        )

    def _note(self, written: Iterable[CheckResult]) -> None:
        self._kept |= {check.name: check for check in written}

    async def _keep(
        self,
        connection: AsyncConnection,
        state: SchemaStatements,
        added: Added,
        unsent: tuple[CheckResult, ...],
        results: Results,
    ) -> None:
        now = time.monotonic()
        for result, at in results:
            await write_result(connection, state, result, now - at)
        for check in unsent:
            await write_check(connection, state, check)
        await add_to_counters(connection, state, added)

    def _show(self, published: PublishedState) -> None:
        """A follower shows what the leader found."""
        now = time.monotonic()
        # Those that this replica is configured for: an earlier one may have had others.
        mine = self._board.current.checks
        found = published.checks.get(STRUCTURE)
        if found is not None and found.evidence != mine[STRUCTURE].evidence:
            self._scheduler.wake(STRUCTURE)  # what the leader refuses, this one refuses, too
        checks = MappingProxyType(
            {
                name: replace(published.checks.get(name, check), facts=check.facts)
                for name, check in mine.items()
            }
        )
        self._note(checks.values())
        changes: dict[str, object] = {"checks": checks}
        if published.census is not None:
            changes |= {"census": published.census, "census_monotonic": now - published.census_age}
        if published.users is not None:
            interval = checks[CENSUS].interval_seconds if CENSUS in checks else 0.0
            changes |= {
                "users": published.users,
                "users_monotonic": now - published.users_age,
                "users_interval_seconds": users_interval(published.users, interval),
            }
        if published.decision is not None:
            changes |= {"decision": published.decision, "decided_at": published.decided_at}
        self._board.update(**changes)

    def _catch_up(self, published: PublishedState, before: Control, control: Control) -> None:
        """The leader takes note of what other processes did: a recount, a switch."""
        mine = self._board.current.census
        if published.census is not None and (mine is None or published.census.as_of > mine.as_of):
            self._publish(published.census, age_seconds=published.census_age)
        switches = (
            (before.paused, control.paused),
            (before.suspended, control.suspended),
            (before.breaker_open, control.breaker_open),
        )
        if any(was and not now for was, now in switches):
            self._scheduler.wake(CENSUS)
            self._scheduler.wake(REPAIRS)

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
            unsent, results = self._unsent(), self._results.take()
            runtime = self._runtime.current
            try:
                async with transaction(runtime.engine) as connection:
                    await self._keep(connection, runtime.state, added, unsent, results)
                    await self._leadership.confirm(connection)
            except ConservatorError as error:
                self._results.put_back(results)
                self.log_failure("totals_not_kept", error)
            else:
                self._note(unsent)

    async def prune(self) -> None:
        """Forget what is older than `history`, and what the app has erased; close per-user runs
        whose process is gone."""
        runtime = self._runtime.current
        names = list(self._board.current.checks)
        try:
            async with transaction(runtime.engine) as connection:
                # The breaker still needs a day of it, however little is asked for.
                history = max(runtime.settings.history, LOOK_BACK)
                await prune(connection, runtime.state, history)
                await abandon_user_runs(connection, runtime.state)
                await runtime.state.run(connection, "check_status_forget", {"names": names})
                await self._leadership.confirm(connection)
            await forget_erased(runtime, self._leadership.confirm)
            await sweep_ledger(runtime, self._leadership.confirm)
        except ConservatorError as error:
            self.log_failure("history_not_pruned", error)


def _shown_repairs(
    shown: Mapping[str, RepairStatus], published: PublishedState, *, found: bool
) -> Mapping[str, RepairStatus]:
    return MappingProxyType(
        {name: show_repair(one, published, found=found) for name, one in shown.items()}
    )


def _switched(before: Mapping[str, RepairStatus], after: Mapping[str, RepairStatus]) -> bool:
    """Whether somebody has ended a suspension, or closed a breaker."""
    return any(
        (one.own.suspended and not after[name].own.suspended)
        or (one.own.breaker_open and not after[name].own.breaker_open)
        for name, one in before.items()
    )
