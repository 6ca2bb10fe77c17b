"""Works runs for the service: one of healing, of a repair or of an undo in the background, users as
they come."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import structlog

from checks.census import Census
from checks.doctor.findings import Blocks
from checks.errors import ConservatorError, RefusedError
from checks.pairs import UserCensus, take_user_census
from checks.spec import Cutoffs
from monitor.commands import UserBackfill
from monitor.config import Repair
from monitor.database import database_now, snapshot
from monitor.healing.errors import (
    HealRefusedError,
    LeaseLostError,
    RunHeldError,
)
from monitor.healing.executor import Executor, Progress
from monitor.healing.planner import Occasion
from monitor.run_tools import (
    plan_repair,
    preview_repair,
    tools_to_repair,
    tools_to_undo,
    tools_to_work,
)
from monitor.runtime import ASKED_BY_CALLER, CurrentRuntime, Runtime, require_catalogue
from monitor.state.runs import Backfilled, Run, RunKind, RunState, Trigger
from monitor.status import StatusBoard

log = structlog.get_logger(__name__)

USERS_AT_ONCE = 2
"""Per-user backfills that write at the same time; a burst of log-ins must not take the pool."""


class RunQueue:
    """Starts, takes up and works runs. One run over the audience at a time."""

    def __init__(
        self,
        runtime: CurrentRuntime,
        board: StatusBoard,
        publish: Callable[[Census], None],
        refresh: Callable[[], Awaitable[None]],
    ) -> None:
        """`publish` takes a recount; `refresh` reads the totals again, once a run has ended."""
        self._runtime = runtime
        self._board = board
        self._publish = publish
        self._refresh = refresh
        self._inbox: asyncio.Queue[tuple[Run, Executor]] = asyncio.Queue()
        self._working: dict[int, tuple[RunKind, Executor]] = {}
        self._beginning = 0
        self._users = asyncio.Semaphore(USERS_AT_ONCE)
        self._stopping = False

    @property
    def in_flight(self) -> int:
        """Runs that this process works on right now, or is about to."""
        return len(self._working) + self._beginning

    def stop(self) -> None:
        """Finish the current batches, put the runs down, start nothing new."""
        self._stopping = True
        for _, executor in self._working.values():
            executor.stop()

    def stop_healing(self) -> None:
        """The tables forbid it now: runs that heal are put down after the batch at hand; an undo
        goes on, and so does a repair, which is about a table of its own."""
        for kind, executor in self._working.values():
            if kind not in (RunKind.UNDO, RunKind.REPAIR):
                executor.stop()

    async def serve(self) -> None:
        """Work runs as they are handed over, for ever."""
        while True:
            run, executor = await self._inbox.get()
            await self._work(run, executor)

    async def start(
        self, trigger: Trigger, reason: str, *, occasion: Occasion | None = None
    ) -> Run | None:
        """Plan a run over the audience and hand it over; None when there is nothing to heal.
        `occasion`: what it is planned for, as in `Planner`.

        Raises ActiveRunError, PausedError, HealRefusedError.
        """
        with self._starting():
            runtime = self._runtime.current
            planned = await runtime.plan_audience(
                trigger,
                reason=reason,
                max_rows=runtime.settings.healing.max_rows_per_run,
                occasion=occasion,
            )
            if planned.run is None:
                self._publish(planned.census)
                return None
            self._enqueue(planned.run, runtime)
            return planned.run

    async def repair(self, repair: Repair, trigger: Trigger, reason: str) -> Run | None:
        """Plan a run of a repair and hand it over; None when its `find` names nothing.

        Raises ActiveRunError, PausedError, RepairRefusedError; CatalogueError and StatementError
        where it could not be planned.
        """
        with self._starting():
            tools = await tools_to_repair(self._runtime.current, repair)
            if trigger is not Trigger.SCHEDULE:
                # As the loop has, and the command line: where `find` writes, before it may.
                await preview_repair(tools, repair)
            run = await plan_repair(tools, repair, trigger, reason=reason)
            if run is not None:
                self._enqueue(run, tools)
            return run

    async def undo(self, run_id: int, trigger: Trigger, reason: str) -> Run | None:
        """Plan an undo of a run, or go on with its unfinished one, and hand it over; None when
        there is nothing to take back.

        Raises UnknownRunError, ActiveRunError, PausedError, NotUndoableError.
        """
        with self._starting():
            tools = await tools_to_undo(self._runtime.current, run_id)
            planned = await tools.undo_planner.plan(tools.run_owner(trigger), run_id, reason=reason)
            if planned is None:
                return None
            self._enqueue(planned.run, tools)
            return planned.run

    async def resume(self, run: Run) -> bool:
        """Go on with a run that nobody holds; False when another process was first."""
        if run.id in self._working:
            return False
        with self._starting():
            runtime = self._runtime.current
            claimed = await runtime.resume(run.id)
            if claimed is None:
                return False
            try:
                tools = await tools_to_work(runtime, claimed)
            except RefusedError as error:
                await runtime.give_up(claimed, str(error))
                return False
            log.info(
                "run_taken_up", run_id=claimed.id, token=claimed.token, inserted=claimed.inserted
            )
            self._enqueue(claimed, tools)
            return True

    @contextmanager
    def _starting(self) -> Iterator[None]:
        """A run is being planned or claimed: `stop` waits for it. Refused once stopping."""
        self._refuse_when_stopping()
        self._beginning += 1
        try:
            yield
        finally:
            self._beginning -= 1

    def _register(self, run: Run, executor: Executor) -> None:
        self._working[run.id] = run.kind, executor
        if self._stopping:
            executor.stop()

    def _enqueue(self, run: Run, tools: Runtime) -> None:
        executor = tools.executor(self._progress)
        self._register(run, executor)
        self._board.update(active_run=run)
        self._inbox.put_nowait((run, executor))

    async def _work(self, run: Run, executor: Executor) -> None:
        ended = None
        try:
            ended = await executor.work(run)
        except LeaseLostError as error:
            log.warning("lease_lost", run_id=run.id, error=str(error))
        except ConservatorError as error:
            # The row stays as it is: once its lease has run out, the next pass takes it up.
            log.warning("run_interrupted", run_id=run.id, error=str(error))
        finally:
            del self._working[run.id]
            self._board.update(active_run=None, progress=None)
        # The totals first: who sees that all is healed sees by how many rows, too.
        await self._refresh()
        if ended is not None and ended.census is not None:
            self._publish(ended.census)

    def _progress(self, progress: Progress) -> None:
        self._board.update(progress=progress, active_run=progress.run)

    async def user_census(self, user_id: str) -> UserCensus:
        """One user's counts, live, in the audience or not. Raises UnknownUserError, CatalogueError
        where something blocks counting."""
        runtime = self._runtime.current
        require_catalogue(runtime.examination, Blocks.COUNTING)
        pools = runtime.settings.pools_spec()
        async with snapshot(
            runtime.engine,
            timeout=runtime.settings.database.statement_timeout,
            rows=runtime.rows,
        ) as connection:
            cutoffs = Cutoffs.at(await database_now(connection), pools)
            return await take_user_census(connection, runtime.catalogue, pools, cutoffs, user_id)

    def require_healing(self) -> None:
        """Raises RefusedError where no user may be backfilled: stopping, breaker, tables."""
        self._refuse_when_stopping()
        runtime = self._runtime.current
        self._refuse_when_breaker_open(runtime)
        runtime.refuse_when_blocked()

    async def backfill_user(self, user_id: str, *, force: bool, trigger: Trigger) -> UserBackfill:
        """Backfill one user by a run of its own, once unless forced, and wait for the end.

        Raises UnknownUserError, PausedError, HealRefusedError, ActiveRunError, RunHeldError, or
        what the run failed with.
        """
        self.require_healing()
        runtime = self._runtime.current
        async with self._users:
            with self._starting():
                planned = await runtime.plan_user(
                    trigger, user_id, reason=ASKED_BY_CALLER, force=force
                )
                if isinstance(planned, Backfilled):
                    return UserBackfill(updated=0, run_id=planned.run_id, skipped=True)
                if planned is None:
                    return UserBackfill(updated=0, run_id=None, skipped=False)
                executor = runtime.executor(lambda _: None, window=False)
                self._register(planned, executor)
            try:
                ended = await executor.work(planned)
            finally:
                del self._working[planned.id]
        await self._refresh()
        if ended.run.state is RunState.FAILED:
            raise ConservatorError(f"Run {ended.run.id} failed: {ended.run.outcome}")
        if ended.run.state is RunState.HELD:
            raise RunHeldError(ended.run.outcome)
        return UserBackfill(updated=ended.run.inserted, run_id=ended.run.id, skipped=False)

    def _refuse_when_breaker_open(self, runtime: Runtime) -> None:
        census = self._board.current.census
        control = self._board.current.control
        refusal = None if census is None else runtime.guard(census, control)
        if refusal is not None:
            raise HealRefusedError(refusal)

    def _refuse_when_stopping(self) -> None:
        if self._stopping:
            raise RefusedError("The service is shutting down; ask again in a moment.")
