"""The commands: where pages and API hand in what they want."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from checks.kept_catalogue import other_settings
from checks.pairs import UserCensus
from checks.spec import Cutoffs
from monitor.commands import Commands, UserBackfill, WouldMend, WouldUndo
from monitor.config import Repair
from monitor.database import again_if_lost, transaction
from monitor.healing.errors import breaker_sentence
from monitor.healing.preview import UndoPreview
from monitor.healing.quarantine import count_unwritable_of_user
from monitor.loop.run_queue import RunQueue
from monitor.loop.user_backfills import UserBackfills
from monitor.policy.breaker_store import (
    BreakerReset,
    RepairBreakerReset,
    newest_share,
    reset,
    reset_repair,
)
from monitor.replicas.leadership import Leadership
from monitor.replicas.sync import StateSync
from monitor.run_tools import (
    preview_repair,
    repair_planner,
    tools_to_repair,
    tools_to_undo,
)
from monitor.runtime import CurrentRuntime, repair_settings
from monitor.scheduler import Scheduler
from monitor.service.bulkhead import Bulkhead
from monitor.state import checks, history
from monitor.state import control as control_rows
from monitor.state import repairs as repair_rows
from monitor.state import runs as run_rows
from monitor.state.statements import StateStatements
from monitor.status import CENSUS, REPAIRS

Asked = ParamSpec("Asked")
Found = TypeVar("Found")
Use = Callable[Concatenate[AsyncConnection, StateStatements, Asked], Awaitable[Found]]
"""Reads or writes our own tables."""


class ServiceCommands(Commands):
    """Passes on what is asked for, and lets the loop look at once where that may matter."""

    def __init__(
        self,
        runtime: CurrentRuntime,
        run_queue: RunQueue,
        user_backfills: UserBackfills,
        sync: StateSync,
        scheduler: Scheduler,
        leadership: Leadership,
        *,
        readers: Bulkhead,
        writers: Bulkhead,
    ) -> None:
        """What is only read goes through `readers`, users who need a run of their own through
        `writers`."""
        self._runtime = runtime
        self._run_queue = run_queue
        self._user_backfills = user_backfills
        self._sync = sync
        self._scheduler = scheduler
        self._leadership = leadership
        self._readers = readers
        self._writers = writers

    async def _transact(
        self, use: Use[Asked, Found], *asked: Asked.args, **named: Asked.kwargs
    ) -> Found:
        """What `use` finds, in a transaction of its own."""
        runtime = self._runtime.current
        async with transaction(runtime.engine) as connection:
            return await use(connection, runtime.state, *asked, **named)

    async def _read(
        self, read: Use[Asked, Found], *asked: Asked.args, **named: Asked.kwargs
    ) -> Found:
        """What `read`, which changes nothing, finds in its turn among the callers' questions."""
        question = (read, asked, tuple(sorted(named.items())))
        find = partial(self._transact, read, *asked, **named)
        return await self._readers.ask(question, partial(again_if_lost, find))

    async def user_census(self, user_id: str) -> UserCensus:
        count = partial(self._run_queue.user_census, user_id)
        return await self._readers.ask(("user_census", user_id), partial(again_if_lost, count))

    async def would_backfill_user(self, user_id: str) -> int:
        count = partial(again_if_lost, partial(self._count_to_backfill, user_id))
        return await self._readers.ask(("would_backfill_user", user_id), count)

    async def _count_to_backfill(self, user_id: str) -> int:
        census = await self._run_queue.user_census(user_id)
        runtime = self._runtime.current
        cutoffs = Cutoffs.at(census.as_of, runtime.settings.pools_spec())
        async with transaction(runtime.engine, rows=runtime.rows) as connection:
            waiting = await count_unwritable_of_user(
                connection, runtime.healing, cutoffs, user_id, due_until=census.as_of
            )
        return max(0, census.legacy_untracked - waiting)

    async def backfilled(self, user_id: str) -> run_rows.Backfilled | None:
        return await self._read(run_rows.read_backfilled, user_id)

    async def backfill_user(self, user_id: str, *, force: bool) -> UserBackfill:
        self._run_queue.require_healing()
        done = await self._user_backfills.ask(user_id, force=force)
        if done is not None:
            return done
        backfill = partial(
            self._run_queue.backfill_user, user_id, force=force, trigger=run_rows.Trigger.API
        )
        # A question of its own each time: the second of two callers has skipped it.
        return await self._writers.ask(object(), backfill)

    async def backfill_all(self) -> int | None:
        run = await self._run_queue.start(run_rows.Trigger.API, "Asked for through the API.")
        return None if run is None else run.id

    async def undo(self, run_id: int) -> int | None:
        run = await self._run_queue.undo(run_id, run_rows.Trigger.API, "Asked for through the API.")
        await self._sync.refresh()
        return None if run is None else run.id

    async def would_undo(self, run_id: int) -> WouldUndo:
        preview = partial(again_if_lost, partial(self._preview, run_id))
        found = await self._readers.ask(("would_undo", run_id), preview)
        return WouldUndo(found.untouched, found.touched, found.gone)

    async def _preview(self, run_id: int) -> UndoPreview:
        tools = await tools_to_undo(self._runtime.current, run_id, looks=True)
        return await tools.undo_planner.preview(run_id)

    def other_settings(self, run: run_rows.Run) -> tuple[str, ...]:
        return other_settings(run.catalogue, self._runtime.current.state.kept)

    async def runs(self, *, limit: int, before: int | None) -> tuple[run_rows.Run, ...]:
        return await self._read(run_rows.list_runs, limit=limit, before=before)

    async def run(self, run_id: int) -> run_rows.Run | None:
        return await self._read(run_rows.get_run, run_id)

    async def waits(self, run_id: int) -> Mapping[str, float]:
        return await self._read(run_rows.list_waits, run_id)

    async def quarantine(self, run_id: int) -> tuple[run_rows.QuarantinedPair, ...]:
        return await self._read(run_rows.list_quarantined, run_id=run_id)

    async def batches(
        self, run_id: int, *, limit: int, after: int
    ) -> tuple[run_rows.BatchRow, ...]:
        return await self._read(run_rows.list_batches, run_id, limit=limit, after=after)

    async def census_series(self, span: timedelta) -> tuple[history.CensusPoint, ...]:
        return await self._read(history.read_series, span)

    async def check_history(self, name: str, *, limit: int) -> checks.CheckHistory:
        return await self._read(checks.read_history, name, limit=limit)

    async def pause(self, reason: str) -> None:
        await self._transact(control_rows.pause, reason)
        await self._sync.refresh()

    async def resume(self) -> None:
        await self._transact(control_rows.resume)
        await self._sync.refresh()
        self._scheduler.wake(CENSUS)
        self._scheduler.wake(REPAIRS)

    async def reset_breaker(self) -> BreakerReset:
        runtime = self._runtime.current
        async with transaction(runtime.engine) as connection:
            done = await reset(
                connection,
                runtime.state,
                share=await newest_share(connection, runtime.state),
                max_share=runtime.settings.healing.breaker.max_share,
            )
        await self._sync.refresh()
        if done.was_open:
            self._scheduler.wake(CENSUS)
            self._scheduler.wake(REPAIRS)
        return done

    def _repair(self, name: str) -> Repair:
        repairs = self._runtime.current.settings.repairs
        return next(one for one in repairs if one.name == name)

    async def mend(self, repair: str) -> int | None:
        asked = "Asked for through the API."
        run = await self._run_queue.repair(self._repair(repair), run_rows.Trigger.API, asked)
        await self._sync.refresh()
        return None if run is None else run.id

    async def would_mend(self, repair: str) -> WouldMend:
        look = partial(again_if_lost, partial(self._would_mend, self._repair(repair)))
        return await self._readers.ask(("would_mend", repair), look)

    async def _would_mend(self, repair: Repair) -> WouldMend:
        runtime = self._runtime.current
        tools = await tools_to_repair(runtime, repair)
        found = await preview_repair(tools, repair)
        async with runtime.transaction() as connection:
            control = await control_rows.read_control(connection, runtime.state)
            own = await repair_rows.read_repair_control(connection, runtime.state, repair.name)
        refusal = repair_planner(tools, repair).refusal(found.named, found.share, own)
        refused = "" if refusal is None or not found.named else refusal.reason
        return WouldMend(
            would_mend=min(found.named, repair.max_rows_per_run),
            named=found.named,
            share=found.share,
            action=repair.action.value,
            table=repair.table,
            keys=tuple(one["key"] for one in found.shown),
            refused=breaker_sentence(control.breaker_reason) if control.breaker_open else refused,
        )

    async def repair_decisions(
        self, repair: str, *, limit: int
    ) -> tuple[repair_rows.DecisionRow, ...]:
        return await self._read(repair_rows.list_decisions, repair, limit=limit)

    async def resume_repair(self, repair: str) -> bool:
        ended = await self._transact(repair_rows.resume_repair, repair)
        await self._sync.refresh()
        self._scheduler.wake(REPAIRS)
        return ended

    async def reset_repair_breaker(self, repair: str) -> RepairBreakerReset:
        found = await self._transact(repair_rows.read_found)
        known = found.get(repair)
        done = await self._transact(
            reset_repair,
            repair_settings(self._repair(repair)),
            None if known is None else known.count,
        )
        await self._sync.refresh()
        self._scheduler.wake(REPAIRS)
        return done

    async def wake_loop(self) -> bool:
        if self._leadership.leads:
            return self._scheduler.wake(CENSUS)
        runtime = self._runtime.current
        async with transaction(runtime.engine) as connection:
            await runtime.state.run(connection, "control_wake")
        return True
