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
from checks.spec import Borders
from monitor.database import database_now, transaction
from monitor.decision import refusal_of
from monitor.healer import Healer
from monitor.healing.errors import HealRefusedError
from monitor.healing.quarantine import QuarantineCount, count_in_quarantine
from monitor.latch import forget_fallen_share, latch, read_history, say_opened
from monitor.leadership import Leadership, NotLeadingError
from monitor.policy import Code, Decision, PolicySettings, Situation, Verdict, decide, tripping
from monitor.runner import CensusResult, CensusRunner
from monitor.state.control import Control, read_control
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
from monitor.tallies import Tallies, Tally
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
        leadership: Leadership,
    ) -> None:
        self._workshop = workshop
        self._board = board
        self._runner = runner
        self._healer = healer
        self._leadership = leadership
        self._tallies = Tallies(workshop)

    async def run(self) -> Decision | None:
        """One pass of the leader; what was decided, None where that could not be. What the database
        does is published and logged, never raised."""
        result = await self._runner.run()
        decision = None
        try:
            decision, situation = await self._judge(result)
            if decision.kind is Verdict.HEAL and self._leadership.leads:
                await self._act(decision, situation)
        except DatabaseUnavailableError as error:
            self._board.update(database_up=False, database_error=str(error))
        except NotLeadingError as error:
            log.info("pass_dropped", reason=str(error))
        except ConservatorError as error:
            log.warning("pass_failed", error=str(error))
        return decision

    async def _judge(self, result: CensusResult) -> tuple[Decision, Situation]:
        workshop = self._workshop()
        settings = policy_settings(workshop.settings)
        tally = await self._tally(result)
        async with transaction(
            workshop.engine, timeout=workshop.settings.database.statement_timeout
        ) as connection:
            situation = await self._look(connection, workshop, result, tally)
            decision = decide(situation, settings)
            control = await self._latch(connection, situation, settings)
            await self._record(connection, workshop, decision, result)
            counters = await read_counters(connection, workshop.state)
            # The last word: who was deposed meanwhile has recorded nothing, and starts nothing.
            await self._leadership.confirm(connection)
        self._board.update(
            decision=decision,
            decided_at=datetime.now(UTC),
            control=control,
            control_known=True,
            recurring=situation.recurring_before,
            counters=counters,
            database_up=True,
            database_error=None,
        )
        say_opened(situation.control, control)
        log.info("decision", decision=decision.kind, code=decision.code, reason=decision.reason)
        return decision, situation

    async def _tally(self, result: CensusResult) -> Tally | None:
        """A tally where one is due, and wherever a heal would start: it may have to be refused."""
        census = result.census
        if census is None:
            return None
        control = self._board.current.control
        tally = await self._tallies.take_if_due(census, control)
        workshop = self._workshop()
        settings = policy_settings(workshop.settings)
        if tally is not None or census.legacy_untracked < settings.threshold:
            return tally
        async with transaction(
            workshop.engine, timeout=workshop.settings.database.statement_timeout
        ) as connection:
            situation = await self._look(connection, workshop, result, None)
        if decide(situation, settings).code is not Code.THRESHOLD:
            return None
        return await self._tallies.take(census, control)

    async def _latch(
        self, connection: AsyncConnection, situation: Situation, settings: PolicySettings
    ) -> Control:
        """What the pass means for the breaker; the control row after it."""
        state, control = self._workshop().state, situation.control
        if situation.census_error is not None or not situation.censuses:
            return control
        trip = tripping(situation, settings)
        if trip is not None:
            return await latch(connection, state, control, refusal_of(trip))
        share = situation.censuses[0].legacy_share
        return await forget_fallen_share(
            connection, state, control, share=share, max_share=settings.max_share
        )

    async def _look(
        self,
        connection: AsyncConnection,
        workshop: Workshop,
        result: CensusResult,
        tally: Tally | None,
    ) -> Situation:
        now = await database_now(connection)
        blocking = workshop.examination.blocking(Blocks.COUNTING, Blocks.HEALING)
        history = await read_history(
            connection, workshop.state, runs=workshop.settings.healing.breaker.stuck_after
        )
        control = await read_control(connection, workshop.state)
        borders = Borders.at(now, workshop.settings.pools_spec())
        waiting = QuarantineCount()
        if result.census is not None:
            # Reads the app's tables: where no census can, the pass must be able to say so.
            waiting = await count_in_quarantine(
                connection, workshop.healing, borders, control.verified_until
            )
        return Situation(
            censuses=tuple(self._runner.newest),
            census_error=result.error,
            control=control,
            active_run=await active_run(connection, workshop.state),
            seconds_since_run=await seconds_since_last_finished(connection, workshop.state),
            local_time=now.astimezone(ZoneInfo(workshop.settings.catalog.timezone)).time(),
            blockers=tuple(finding_sentence(finding) for finding in blocking),
            most_audience=history.most_audience,
            last_runs=history.last_runs,
            recurring_before=history.recurring,
            loss=None if tally is None else tally.loss,
            tally_error=None if tally is None else tally.error,
            recurring=0 if tally is None else tally.recurring,
            quarantined=waiting.pairs,
            retry_at=waiting.retry_at,
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
            await record_census(connection, workshop.state, result.census, result.users)
        if decision.kind is Verdict.REFUSED:
            added[HEAL_REFUSALS, decision.code.value] = 1.0
        legacy = None if result.census is None else result.census.legacy_untracked
        await record_decision(connection, workshop.state, decision, legacy_untracked=legacy)
        await add_to_counters(connection, workshop.state, added)

    async def _act(self, decision: Decision, situation: Situation) -> None:
        started = time.perf_counter()
        if decision.code is Code.THRESHOLD and situation.recurring:
            within = situation.recurring + situation.recurring_before
            log.warning("recurring", pairs=situation.recurring, within_24_hours=within)
        try:
            if decision.code is Code.RESUME and situation.active_run is not None:
                await self._healer.resume(situation.active_run)
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
        except HealRefusedError as error:
            # The count on the primary, in the plan's own snapshot, says otherwise.
            self._board.update(decision=error.decision, decided_at=datetime.now(UTC))
            log.warning("run_refused", code=error.decision.code, reason=str(error))
        except RefusedError as error:
            log.info("run_not_started", reason=str(error))
