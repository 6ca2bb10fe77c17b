"""One pass of the loop: count, look at the state, decide, record, act. Level-triggered.

A timer, an alert or a call only wakes it; what is done depends on what is there now.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.census import incomplete_few
from checks.doctor.state_types import types_differ
from checks.errors import (
    ConservatorError,
    DatabaseUnavailableError,
    RefusedError,
    StatementError,
)
from checks.spec import Cutoffs
from monitor.checking.census import CensusCheck, CensusResult
from monitor.database import database_now
from monitor.database_errors import TOO_SLOW, session_lost, sqlstate
from monitor.healing.errors import HealRefusedError
from monitor.healing.planner import Occasion
from monitor.healing.quarantine import Unwritable, count_unwritable
from monitor.healing.settings_changed import end_others
from monitor.loop.repair_pass import RepairPass, RepairsJudged
from monitor.loop.run_queue import RunQueue
from monitor.loop.tallies import FAILURES_BUDGET, Tallies, Tally
from monitor.policy import breaker_store
from monitor.policy.breaker import tripping
from monitor.policy.decision import Code, Decision, Verdict, record_decision
from monitor.policy.inputs import PolicyInput, PolicySettings
from monitor.policy.policy import decide
from monitor.replicas.leadership import Leadership, NotLeadingError
from monitor.runtime import CurrentRuntime, Runtime, policy_settings
from monitor.state import counters
from monitor.state.control import Control, read_control
from monitor.state.history import record_census
from monitor.state.runs import Run, Trigger, active_run, seconds_since_last_finished
from monitor.status import CENSUS, StatusBoard

log = structlog.get_logger(__name__)

Judged = TypeVar("Judged")


class Reconciler:
    """Passes through the loop whenever it is woken."""

    def __init__(
        self,
        runtime: CurrentRuntime,
        board: StatusBoard,
        census: CensusCheck,
        run_queue: RunQueue,
        leadership: Leadership,
    ) -> None:
        self._runtime = runtime
        self._board = board
        self._census = census
        self._run_queue = run_queue
        self._leadership = leadership
        self._tallies = Tallies(runtime)
        self._repairs = RepairPass(runtime, board, run_queue, leadership)
        # One decision at a time, so that the next one sees the run that this one starts.
        self._turn = asyncio.Lock()
        self._not_planned: Decision | None = None
        """Why no run is planned before `_plans_from`, by the monotonic clock."""
        self._plans_from = 0.0
        self._waits_for: Run | None = None
        """The run that healing, which was to start, was found to wait for."""

    async def run(self) -> Decision | None:
        """One pass of the leader about healing; what was decided, None where that could not be.
        What the database does is published and logged, never raised."""
        result = await self._census.take()
        return await self._in_turn(partial(self._reconcile, result))

    async def run_repairs(self) -> RepairsJudged | None:
        """One pass of the leader about repairs, in the same way."""
        waits = self._waits_for is not None and self._waits_for.repair is not None
        return await self._in_turn(partial(self._repairs.run, healing_waits=waits))

    async def _reconcile(self, result: CensusResult) -> Decision:
        decision, inputs, tally = await self._judge(result)
        if decision.kind is Verdict.HEAL and self._leadership.leads:
            await self._act(decision, inputs, tally)
        return decision

    async def _in_turn(self, one_pass: Callable[[], Awaitable[Judged]]) -> Judged | None:
        try:
            async with self._turn:
                return await one_pass()
        except DatabaseUnavailableError as error:
            if session_lost(error):
                log.info("pass_dropped", reason=str(error))
            else:
                self._board.update(database_up=False, database_error=str(error))
        except NotLeadingError as error:
            log.info("pass_dropped", reason=str(error))
        except ConservatorError as error:
            log.warning("pass_failed", error=str(error))
        return None

    async def _judge(self, result: CensusResult) -> tuple[Decision, PolicyInput, Tally | None]:
        runtime = self._runtime.current
        settings = policy_settings(runtime.settings)
        async with runtime.transaction() as connection:
            if await end_others(connection, runtime.state, runtime.repairs):
                await self._leadership.confirm(connection)
        tally = await self._tally(result)
        rows = None if result.census is None else runtime.rows
        async with runtime.transaction(rows=rows) as connection:
            inputs = await self._look(connection, runtime, result, tally)
            decision = decide(inputs, settings)
            control = await self._update_breaker(connection, inputs, settings)
            await self._record(connection, runtime, decision, result)
            totals = await counters.read_counters(connection, runtime.state)
            # The last word: who was deposed meanwhile has recorded nothing, and starts nothing.
            await self._leadership.confirm(connection)
        waiting = decision.code is Code.ACTIVE_RUN
        self._waits_for = inputs.active_run if waiting else None
        changes: dict[str, object] = {}
        if result.census is not None:
            # Else a node of a cluster may be away, and our own tables answer all the same.
            changes = {"database_up": True, "database_error": None}
        self._board.update(
            decision=decision,
            decided_at=datetime.now(UTC),
            control=control,
            control_known=True,
            recurring=inputs.recurring_before,
            counters=totals,
            **changes,
        )
        breaker_store.log_breaker_opened(inputs.control, control)
        log.info("decision", decision=decision.kind, code=decision.code, reason=decision.reason)
        return decision, inputs, tally

    async def _tally(self, result: CensusResult) -> Tally | None:
        """A tally where one is due, and wherever a heal would start that may have to be refused."""
        census = result.census
        if census is None:
            return None
        control = self._board.current.control
        tally = await self._tallies.take_if_due(census, control)
        runtime = self._runtime.current
        settings = policy_settings(runtime.settings)
        if tally is not None or census.legacy_untracked < settings.threshold:
            return tally
        async with runtime.transaction(rows=runtime.rows) as connection:
            inputs = await self._look(connection, runtime, result, None)
        if decide(inputs, settings).code is not Code.THRESHOLD:
            return None
        return await self._tallies.take_before_heal(census, control, result.users)

    async def _update_breaker(
        self, connection: AsyncConnection, inputs: PolicyInput, settings: PolicySettings
    ) -> Control:
        """What the pass means for the breaker; the control row after it."""
        state, control = self._runtime.current.state, inputs.control
        if not inputs.counted:
            return control
        refusal = tripping(inputs, settings)
        if refusal is not None:
            return await breaker_store.open_breaker(connection, state, control, refusal)
        share = inputs.censuses[0].legacy_share
        return await breaker_store.forget_fallen_share(
            connection, state, control, share=share, max_share=settings.max_share
        )

    async def _look(
        self,
        connection: AsyncConnection,
        runtime: Runtime,
        result: CensusResult,
        tally: Tally | None,
    ) -> PolicyInput:
        now = await database_now(connection)
        stuck_after = runtime.settings.healing.breaker.stuck_after
        control = await read_control(connection, runtime.state)
        cutoffs = Cutoffs.at(now, runtime.settings.pools_spec())
        waiting = Unwritable()
        if result.census is not None and not types_differ(runtime.examination):
            # Reads the app's tables: where no census can, the pass must be able to say so.
            waiting = await count_unwritable(
                connection,
                runtime.healing,
                cutoffs,
                legacy=result.census.legacy_untracked,
                few=incomplete_few(result.census, runtime.catalogue),
            )
        return PolicyInput(
            censuses=tuple(self._census.newest),
            census_error=result.error,
            control=control,
            active_run=await active_run(connection, runtime.state),
            seconds_since_run=await seconds_since_last_finished(connection, runtime.state),
            local_time=now.astimezone(ZoneInfo(runtime.settings.catalog.timezone)).time(),
            blockers=runtime.blockers,
            suspicion=runtime.examination.suspicion,
            most_audience=await breaker_store.read_most_audience(connection, runtime.state),
            last_runs=await breaker_store.read_last_runs(connection, runtime.state, stuck_after),
            recurring_before=await breaker_store.read_recurring(connection, runtime.state),
            loss=None if tally is None else tally.loss,
            tally_error=None if tally is None else tally.error,
            recurring=0 if tally is None else tally.recurring,
            quarantined=waiting.quarantined,
            left_alone=waiting.left_alone,
            retry_at=waiting.retry_at,
        )

    async def _record(
        self,
        connection: AsyncConnection,
        runtime: Runtime,
        decision: Decision,
        result: CensusResult,
    ) -> None:
        added = {(counters.CHECK_RUNS, CENSUS): 1.0}
        if result.census is None:
            added[counters.CHECK_ERRORS, CENSUS] = 1.0
        else:
            await record_census(connection, runtime.state, result.census, result.users)
        if decision.kind is Verdict.REFUSED:
            added[counters.HEAL_REFUSALS, decision.code.value] = 1.0
        legacy = None if result.census is None else result.census.legacy_untracked
        await record_decision(connection, runtime.state, decision, legacy_untracked=legacy)
        await counters.add_to_counters(connection, runtime.state, added)

    async def _act(self, decision: Decision, inputs: PolicyInput, tally: Tally | None) -> None:
        started = time.monotonic()
        if started < self._plans_from and decision.code is not Code.RESUME:
            self._board.update(decision=self._not_planned, decided_at=datetime.now(UTC))
            return
        if decision.code is Code.THRESHOLD and inputs.recurring:
            within = inputs.recurring + inputs.recurring_before
            log.warning("recurring", pairs=inputs.recurring, within_24_hours=within)
        try:
            if decision.code is Code.RESUME and inputs.active_run is not None:
                await self._run_queue.resume(inputs.active_run)
            else:
                missing = None if tally is None else tally.missing
                occasion = Occasion(inputs.recurring, missing)
                run = await self._run_queue.start(
                    Trigger.SCHEDULE, decision.reason, occasion=occasion
                )
                if run is not None:
                    log.info(
                        "run_planned",
                        run_id=run.id,
                        users=run.planned_users,
                        rows=run.planned_rows,
                        seconds=round(time.monotonic() - started, 3),
                    )
        except HealRefusedError as error:
            # The count on the primary, in the plan's own snapshot, says otherwise.
            self._board.update(decision=error.decision, decided_at=datetime.now(UTC))
            log.warning("run_refused", code=error.decision.code, reason=str(error))
            refused = {(counters.HEAL_REFUSALS, error.decision.code.value): 1.0}
            async with self._runtime.current.transaction() as connection:
                await counters.add_to_counters(connection, self._runtime.current.state, refused)
        except RefusedError as error:
            log.info("run_not_started", reason=str(error))
        except StatementError as error:
            if sqlstate(error) != TOO_SLOW:
                raise
            self._put_off(error, time.monotonic() - started)

    def _put_off(self, error: StatementError, took: float) -> None:
        """A run could not be planned in time, which costs several censuses: the next attempt is
        when those that fail keep to their share of the time."""
        rest = took / FAILURES_BUDGET
        self._plans_from = time.monotonic() + rest
        sentence = f"No run could be planned in time; the next attempt is in {rest:.0f} s: {error}"
        self._not_planned = Decision(Verdict.WAIT, Code.NOT_PLANNED, sentence)
        self._board.update(decision=self._not_planned, decided_at=datetime.now(UTC))
        log.warning("run_not_planned", error=str(error), seconds=round(rest))
