"""The commands: where pages and API hand in what they want. Implements Commands."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from datetime import timedelta
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy.ext.asyncio import AsyncEngine

from checks.pairs import UserCensus
from checks.spec import Cutoffs
from monitor.commands import UserBackfill, WouldUndo
from monitor.database import transaction
from monitor.healing.quarantine import count_in_quarantine_of_user
from monitor.loop.run_queue import RunQueue
from monitor.policy.breaker_store import BreakerReset, newest_share, reset
from monitor.replicas.leadership import Leadership
from monitor.replicas.sync import SHORT, StateSync
from monitor.runtime import CurrentRuntime
from monitor.scheduler import Scheduler
from monitor.service.bulkhead import Bulkhead
from monitor.state import control
from monitor.state.backfilled import Backfilled, read_backfilled
from monitor.state.census_series import CensusPoint, read_series
from monitor.state.quarantine import SHOWN, QuarantinedPair, list_quarantined
from monitor.state.results import CheckHistory, read_history
from monitor.state.runs import BatchRow, Run, Trigger, get_run, list_batches, list_runs
from monitor.state.waits import list_waits
from monitor.status import CENSUS

Asked = ParamSpec("Asked")
Found = TypeVar("Found")


def _in_turn(
    read: Callable[Concatenate[ServiceCommands, Asked], Awaitable[Found]],
) -> Callable[Concatenate[ServiceCommands, Asked], Coroutine[Any, Any, Found]]:
    """`read`, which changes nothing, as one of the bulkhead's questions."""

    @wraps(read)
    async def ask(self: ServiceCommands, /, *args: Asked.args, **named: Asked.kwargs) -> Found:
        question = (read.__name__, args, tuple(sorted(named.items())))
        return await self._readers.ask(question, lambda: read(self, *args, **named))

    return ask


class ServiceCommands:
    """Passes on what is asked for, and lets the loop look at once where that may matter."""

    def __init__(
        self,
        engine: AsyncEngine,
        runtime: CurrentRuntime,
        run_queue: RunQueue,
        sync: StateSync,
        scheduler: Scheduler,
        leadership: Leadership,
        *,
        readers: Bulkhead,
        writers: Bulkhead,
    ) -> None:
        """What is only read goes through `readers`, backfills of one user through `writers`."""
        self._engine = engine
        self._runtime = runtime
        self._run_queue = run_queue
        self._sync = sync
        self._scheduler = scheduler
        self._leadership = leadership
        self._readers = readers
        self._writers = writers

    @_in_turn
    async def user_census(self, user_id: str) -> UserCensus:
        """One user's counts, live."""
        return await self._run_queue.user_census(user_id)

    @_in_turn
    async def would_backfill_user(self, user_id: str) -> int:
        """How many rows a backfill of this user would write now."""
        census = await self._run_queue.user_census(user_id)
        runtime = self._runtime.current
        cutoffs = Cutoffs.at(census.as_of, runtime.settings.pools_spec())
        async with transaction(self._engine, timeout=SHORT) as connection:
            waiting = await count_in_quarantine_of_user(
                connection, runtime.healing, cutoffs, user_id, due_until=census.as_of
            )
        return max(0, census.legacy_untracked - waiting)

    @_in_turn
    async def backfilled(self, user_id: str) -> Backfilled | None:
        """The backfill of this user that sets the once-flag, if there was one."""
        async with transaction(self._engine, timeout=SHORT) as connection:
            return await read_backfilled(connection, self._runtime.current.state, user_id)

    async def backfill_user(self, user_id: str, *, force: bool) -> UserBackfill:
        """Backfill one user, once unless forced."""

        async def write() -> UserBackfill:
            return await self._run_queue.backfill_user(user_id, force=force, trigger=Trigger.API)

        # A question of its own each time: the second of two callers has skipped it.
        return await self._writers.ask(object(), write)

    async def backfill_all(self) -> int | None:
        """Start a run over the audience; its number, or None when there is nothing to heal."""
        run = await self._run_queue.start(Trigger.API, "Asked for through the API.")
        return None if run is None else run.id

    async def undo(self, run_id: int) -> int | None:
        """Start an undo, or go on with an unfinished one; its number, or None."""
        run = await self._run_queue.undo(run_id, Trigger.API, "Asked for through the API.")
        await self._sync.refresh()
        return None if run is None else run.id

    @_in_turn
    async def would_undo(self, run_id: int) -> WouldUndo:
        """What an undo of this run would find now."""
        found = await self._runtime.current.undo_planner.preview(run_id)
        return WouldUndo(found.untouched, found.touched, found.gone)

    @_in_turn
    async def runs(self, *, limit: int, before: int | None) -> tuple[Run, ...]:
        """The newest runs first."""
        async with transaction(self._engine, timeout=SHORT) as connection:
            return await list_runs(
                connection, self._runtime.current.state, limit=limit, before=before
            )

    @_in_turn
    async def run(self, run_id: int) -> Run | None:
        """One run."""
        async with transaction(self._engine, timeout=SHORT) as connection:
            return await get_run(connection, self._runtime.current.state, run_id)

    @_in_turn
    async def waits(self, run_id: int) -> Mapping[str, float]:
        """Seconds that a run waited, by reason, the longest first."""
        async with transaction(self._engine, timeout=SHORT) as connection:
            return await list_waits(connection, self._runtime.current.state, run_id)

    @_in_turn
    async def quarantine(self, run_id: int) -> tuple[QuarantinedPair, ...]:
        """At most 20 pairs that are in quarantine since this run, the newest first."""
        async with transaction(self._engine, timeout=SHORT) as connection:
            return await list_quarantined(
                connection, self._runtime.current.state, run_id=run_id, limit=SHOWN
            )

    @_in_turn
    async def batches(self, run_id: int, *, limit: int, after: int) -> tuple[BatchRow, ...]:
        """The batches of a run, in order."""
        async with transaction(self._engine, timeout=SHORT) as connection:
            return await list_batches(
                connection, self._runtime.current.state, run_id, limit=limit, after=after
            )

    @_in_turn
    async def census_series(self, span: timedelta) -> tuple[CensusPoint, ...]:
        """How the counts went over the last `span`, oldest first, in at most 300 points."""
        async with transaction(self._engine, timeout=SHORT) as connection:
            return await read_series(connection, self._runtime.current.state, span)

    @_in_turn
    async def check_history(self, name: str, *, limit: int) -> CheckHistory:
        """The newest results of a check, and the newest changes of its outcome."""
        async with transaction(self._engine, timeout=SHORT) as connection:
            return await read_history(connection, self._runtime.current.state, name, limit=limit)

    async def pause(self, reason: str) -> None:
        """The kill switch."""
        async with transaction(self._engine, timeout=SHORT) as connection:
            await control.pause(connection, self._runtime.current.state, reason)
        await self._sync.refresh()

    async def resume(self) -> None:
        """End a pause and a suspension, and look at once whether there is something to do."""
        async with transaction(self._engine, timeout=SHORT) as connection:
            await control.resume(connection, self._runtime.current.state)
        await self._sync.refresh()
        self._scheduler.wake(CENSUS)

    async def reset_breaker(self) -> BreakerReset:
        """Close the breaker, accept the newest census's share, and look at once what there is."""
        runtime = self._runtime.current
        async with transaction(self._engine, timeout=SHORT) as connection:
            done = await reset(
                connection,
                runtime.state,
                share=await newest_share(connection, runtime.state),
                max_share=runtime.settings.healing.breaker.max_share,
            )
        await self._sync.refresh()
        if done.was_open:
            self._scheduler.wake(CENSUS)
        return done

    async def wake_loop(self) -> bool:
        """Let the loop pass now; a follower leaves word for the leader, which looks every few
        seconds."""
        if self._leadership.leads:
            return self._scheduler.wake(CENSUS)
        async with transaction(self._engine, timeout=SHORT) as connection:
            await control.wake_leader(connection, self._runtime.current.state)
        return True
