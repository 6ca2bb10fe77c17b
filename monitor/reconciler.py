"""One pass of the loop: count, look at the state, decide, record, act. Level-triggered.

A timer, an alert or a call only wakes it; what is done depends on what is there now.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.doctor import Blocks
from checks.errors import ConservatorError, DatabaseUnavailableError, RefusedError
from monitor.database import transaction
from monitor.healer import Healer
from monitor.healing.planning import NotNowError, database_now
from monitor.policy import Code, Decision, Situation, Verdict, decide
from monitor.runner import CensusResult, CensusRunner
from monitor.state.control import read_control
from monitor.state.counters import (
    CHECK_ERRORS,
    CHECK_RUNS,
    HEAL_REFUSALS,
    add_to_counters,
    read_counters,
)
from monitor.state.history import record_census, record_decision
from monitor.state.runs import Trigger, active_run, seconds_since_last_finished
from monitor.status import StatusBoard
from monitor.workshop import Workshop, finding_sentence, policy_settings

log = structlog.get_logger(__name__)


class Reconciler:
    """Passes through the loop whenever it is woken."""

    def __init__(
        self,
        workshop: Callable[[], Workshop],
        board: StatusBoard,
        runner: CensusRunner,
        healer: Healer,
    ) -> None:
        self._workshop = workshop
        self._board = board
        self._runner = runner
        self._healer = healer

    async def run(self) -> None:
        """One pass. What the database does is published and logged, never raised."""
        result = await self._runner.run()
        try:
            decision, situation = await self._judge(result)
            if decision.kind is Verdict.HEAL:
                await self._act(decision, situation)
        except DatabaseUnavailableError as error:
            self._board.update(database_up=False, database_error=str(error))
            log.warning("pass_failed", error=str(error))
        except ConservatorError as error:
            log.warning("pass_failed", error=str(error))

    async def _judge(self, result: CensusResult) -> tuple[Decision, Situation]:
        workshop = self._workshop()
        async with transaction(
            workshop.engine, timeout=workshop.settings.database.statement_timeout
        ) as connection:
            situation = await self._look(connection, workshop, result)
            decision = decide(situation, policy_settings(workshop.settings))
            await self._record(connection, workshop, decision, result)
            counters = await read_counters(connection, workshop.state)
        self._board.update(
            decision=decision,
            decided_at=datetime.now(UTC),
            control=situation.control,
            control_known=True,
            counters=counters,
            database_up=True,
            database_error=None,
        )
        log.info("decision", decision=decision.kind, code=decision.code, reason=decision.reason)
        return decision, situation

    async def _look(
        self, connection: AsyncConnection, workshop: Workshop, result: CensusResult
    ) -> Situation:
        now = await database_now(connection)
        blocking = workshop.examination.blocking(Blocks.COUNTING, Blocks.HEALING)
        return Situation(
            censuses=tuple(self._runner.newest),
            census_error=result.error,
            control=await read_control(connection, workshop.state),
            active_run=await active_run(connection, workshop.state),
            seconds_since_run=await seconds_since_last_finished(connection, workshop.state),
            local_time=now.astimezone(ZoneInfo(workshop.settings.catalog.timezone)).time(),
            blockers=tuple(finding_sentence(finding) for finding in blocking),
        )

    async def _record(
        self,
        connection: AsyncConnection,
        workshop: Workshop,
        decision: Decision,
        result: CensusResult,
    ) -> None:
        added = {(CHECK_RUNS, "census"): 1.0}
        if result.census is None:
            added[CHECK_ERRORS, "census"] = 1.0
        else:
            await record_census(connection, workshop.state, result.census)
        if decision.kind is Verdict.REFUSED:
            added[HEAL_REFUSALS, decision.code.value] = 1.0
        legacy = None if result.census is None else result.census.legacy_untracked
        await record_decision(connection, workshop.state, decision, legacy_untracked=legacy)
        await add_to_counters(connection, workshop.state, added)

    async def _act(self, decision: Decision, situation: Situation) -> None:
        started = time.perf_counter()
        try:
            if decision.code is Code.RESUME and situation.active_run is not None:
                await self._healer.take_up(situation.active_run)
            else:
                run = await self._healer.start(Trigger.SCHEDULE, decision.reason)
                if run is not None:
                    log.info(
                        "run_planned",
                        run_id=run.id,
                        users=run.planned_users,
                        rows=run.planned_rows,
                        seconds=round(time.perf_counter() - started, 3),
                    )
        except NotNowError as error:
            # The count on the primary, in the plan's own snapshot, says otherwise.
            self._board.update(decision=error.decision, decided_at=datetime.now(UTC))
            log.warning("run_refused", code=error.decision.code, reason=str(error))
        except RefusedError as error:
            log.info("run_not_started", reason=str(error))
