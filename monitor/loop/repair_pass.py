"""What a pass of the loop does about repairs: count, decide, record, act, one after the other.

Level-triggered, as for healing: a run of its check, the end of a run, a switch or the timer only
wake it. Whose turn it is, is told from the runs: in the order of the configuration, beginning
behind the repair that ran last, so that none starves.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.errors import (
    CatalogueError,
    DatabaseUnavailableError,
    RefusedError,
    StatementError,
)
from monitor.config import Repair
from monitor.database import again_if_lost, database_now
from monitor.database_errors import session_lost
from monitor.healing.errors import RepairBreakerError
from monitor.healing.settings_changed import end_others
from monitor.loop.run_queue import RunQueue
from monitor.policy.decision import Code, Decision, Verdict
from monitor.policy.inputs import FinishedRun
from monitor.policy.repairs import (
    CheckFound,
    RepairInput,
    count_is_due,
    decide_repair,
    ends_left_run,
    has_fallen,
    tripping_repair,
)
from monitor.replicas.leadership import Leadership
from monitor.run_tools import open_for, preview_repair, tools_to_repair
from monitor.runtime import CurrentRuntime, Runtime, repair_settings
from monitor.state import counters
from monitor.state.control import read_control
from monitor.state.repairs import (
    RepairControl,
    RepairCount,
    RepairEnds,
    read_ends,
    read_repair_control,
    write_found,
)
from monitor.state.runs import Run, Trigger, active_run
from monitor.state.transitions import Actor, close_run
from monitor.status import StatusBoard

log = structlog.get_logger(__name__)

HEALING = "healing"


@dataclass(frozen=True, slots=True)
class RepairsJudged:
    """What follows from a pass for others."""

    checks_due: Mapping[str, int] = field(default_factory=dict)
    """Checks that are to run again, each for a run that has changed rows since."""
    again_in_seconds: float | None = None
    """When time alone makes another decision."""
    healing_first: bool = False
    """Repairs wait for healing."""


@dataclass(frozen=True, slots=True)
class _Judged:
    inputs: RepairInput
    decision: Decision
    ends: RepairEnds


class RepairPass:
    """Decides about the repairs of one service."""

    def __init__(
        self,
        runtime: CurrentRuntime,
        board: StatusBoard,
        run_queue: RunQueue,
        leadership: Leadership,
    ) -> None:
        self._runtime = runtime
        self._board = board
        self._run_queue = run_queue
        self._leadership = leadership

    async def run(self, *, healing_waits: bool) -> RepairsJudged:
        """One pass of the leader over every repair. Raises DatabaseUnavailableError,
        NotLeadingError."""
        due: dict[str, int] = {}
        again: list[float] = []
        held_back = False
        first = HEALING if healing_waits else ""
        for repair in await self._in_turn():
            judged = await self._reconcile(repair, first)
            held_back = held_back or judged.decision.code is Code.OTHERS_FIRST
            run = judged.inputs.active_run
            if judged.decision.code is Code.ACTIVE_RUN and run and run.repair != repair.name:
                # That run may end while the others are judged.
                first = first or f"the repair {repair.name}"
            if judged.inputs.check_due:
                due[repair.check] = max(due.get(repair.check, 0), judged.ends.changed_run)
            if judged.decision.again_in_seconds is not None:
                again.append(judged.decision.again_in_seconds)
        return RepairsJudged(due, min(again, default=None), healing_waits and held_back)

    async def _in_turn(self) -> Sequence[Repair]:
        """The repairs, beginning behind the one that ran last; runs planned under other settings
        that nobody works on are ended first."""
        runtime = self._runtime.current
        repairs = runtime.settings.repairs
        async with runtime.transaction() as connection:
            if await end_others(connection, runtime.state, runtime.repairs):
                await self._leadership.confirm(connection)
            ends = await read_ends(connection, runtime.state, [one.name for one in repairs])
        newest = [ends[one.name].newest_run for one in repairs]
        start = newest.index(max(newest)) + 1 if any(newest) else 0
        return (*repairs[start:], *repairs[:start])

    async def _reconcile(self, repair: Repair, first: str) -> _Judged:
        judged = await self._judge(repair, first)
        if not self._leadership.leads:
            return judged
        if ends_left_run(judged.inputs, judged.decision):
            assert judged.inputs.left is not None
            await self._end(judged.inputs.left, judged.decision)
        elif judged.decision.kind is Verdict.HEAL:
            told = await self._act(repair, judged)
            if told is not None:
                return await self._judge(repair, first, told)
        return judged

    async def _judge(self, repair: Repair, first: str, count: RepairCount | None = None) -> _Judged:
        """Look, count where that is due, decide, record. `count`: what was found out since."""
        settings = repair_settings(repair)
        inputs, ends = await self._look(repair, first)
        if count is None and count_is_due(inputs, settings):
            count = await self._count(repair)
        if count is not None:
            inputs = replace(inputs, count=count, count_age=0.0)
        decision = decide_repair(inputs, settings)
        await self._record(repair, inputs, decision, ends, counted=count is not None)
        return _Judged(inputs, decision, ends)

    async def _look(self, repair: Repair, first: str) -> tuple[RepairInput, RepairEnds]:
        runtime, status = self._runtime.current, self._board.current.repairs[repair.name]
        state, name = runtime.state, repair.name
        async with runtime.transaction() as connection:
            now = await database_now(connection)
            ends = (await read_ends(connection, state, [name]))[name]
            last = {"repair": name, "limit": repair.breaker.stuck_after}
            inputs = RepairInput(
                check=self._check_found(repair.check),
                control=await read_control(connection, state),
                own=await read_repair_control(connection, state, name),
                active_run=await active_run(connection, state),
                local_time=now.astimezone(ZoneInfo(runtime.settings.catalog.timezone)).time(),
                goes_first=first,
                changed_age=ends.changed_age,
                automatic_age=ends.automatic_age,
                count=status.count,
                count_age=_age(status.counted_monotonic, time.monotonic()),
                last_runs=await state.list(connection, "repair_runs_ended", FinishedRun, **last),
            )
        return inputs, ends

    def _check_found(self, name: str) -> CheckFound:
        check = self._board.current.checks.get(name)
        if check is None:
            return CheckFound(None)
        # What it has read, it has read since it began.
        ran = _age(check.last_run, time.time())
        age = None if ran is None else ran + (check.duration_seconds or 0.0)
        return CheckFound(check.current_outcome(time.monotonic()), check.message, age)

    async def _count(self, repair: Repair) -> RepairCount:
        """What `find` names now, or why that could not be found out."""
        started = time.perf_counter()
        try:
            tools = await tools_to_repair(self._runtime.current, repair)
            found = await again_if_lost(partial(preview_repair, tools, repair))
        except (CatalogueError, StatementError) as error:
            return RepairCount(time.perf_counter() - started, error=str(error))
        except DatabaseUnavailableError as error:
            if not session_lost(error):
                raise
            # Twice in a row, and there was a second one: all repairs would wait for this one's.
            told = f"Repair {repair.name} could not be planned: `find` ends its session: {error}"
            return RepairCount(time.perf_counter() - started, error=told)
        return RepairCount(found.seconds, found.named, found.table_rows, found.share)

    async def _record(
        self,
        repair: Repair,
        inputs: RepairInput,
        decision: Decision,
        ends: RepairEnds,
        *,
        counted: bool,
    ) -> None:
        """Keep what was decided, and publish it. Nothing is written where nothing is new."""
        name, now = repair.name, time.monotonic()
        before = self._board.current.repairs[name]
        own = inputs.own
        if counted or before.decision is None or _other(before.decision, decision):
            runtime = self._runtime.current
            async with runtime.transaction() as connection:
                own = await self._update_breaker(connection, runtime, repair, inputs)
                await self._keep(connection, runtime, name, inputs, decision, counted=counted)
                # The last word: who was deposed meanwhile has recorded nothing.
                await self._leadership.confirm(connection)
            log.info(
                "repair_decision",
                repair=name,
                decision=decision.kind,
                code=decision.code,
                reason=decision.reason,
            )
        if own.breaker_open and not inputs.own.breaker_open:
            log.warning("repair_breaker_opened", repair=name, code=own.breaker_code)
        changes: dict[str, object] = {"own": own, "newest_run": ends.newest_run}
        if counted:
            at = {"counted_at": datetime.now(UTC), "counted_monotonic": now}
            changes |= {"count": inputs.count, **at}
        self._board.update_repair(name, decision=decision, decided_at=datetime.now(UTC), **changes)

    async def _update_breaker(
        self, connection: AsyncConnection, runtime: Runtime, repair: Repair, inputs: RepairInput
    ) -> RepairControl:
        """What the pass means for the repair's breaker; its control row after it."""
        settings, state = repair_settings(repair), runtime.state
        refusal = tripping_repair(inputs, settings)
        if refusal is not None:
            await open_for(connection, state, repair.name, refusal)
        elif has_fallen(inputs, settings):
            await state.run(connection, "repair_rows_fallen", {"repair": repair.name})
        return await read_repair_control(connection, state, repair.name)

    async def _keep(
        self,
        connection: AsyncConnection,
        runtime: Runtime,
        name: str,
        inputs: RepairInput,
        decision: Decision,
        *,
        counted: bool,
    ) -> None:
        changed = await write_found(
            connection,
            runtime.state,
            repair=name,
            kind=decision.kind.value,
            code=decision.code.value,
            reason=decision.reason,
            count=inputs.count,
            counted_age=inputs.count_age,
        )
        added: dict[tuple[str, str], float] = {}
        if changed and decision.kind is Verdict.REFUSED:
            added[counters.REPAIR_REFUSALS, name] = 1.0
        if counted and inputs.count is not None and inputs.count.error is not None:
            added[counters.REPAIR_PLAN_ERRORS, name] = 1.0
        await counters.add_to_counters(connection, runtime.state, added)

    async def _end(self, left: Run, decision: Decision) -> None:
        """End a run that the repair may not go on with."""
        runtime = self._runtime.current
        outcome = (
            f"Ended where it stood, and what is left is planned anew. Nobody worked on it, and it"
            f" may not go on: {decision.reason}"
        )
        async with runtime.transaction() as connection:
            if await close_run(connection, runtime.state, left.id, Actor.SUCCESSOR, outcome):
                log.info("run_ended_by_policy", run_id=left.id, code=decision.code)
            await self._leadership.confirm(connection)

    async def _act(self, repair: Repair, judged: _Judged) -> RepairCount | None:
        """Start a run, or go on with one; what was found out where none could be planned."""
        decision, started = judged.decision, time.perf_counter()
        try:
            if decision.code is Code.RESUME and judged.inputs.active_run is not None:
                await self._run_queue.resume(judged.inputs.active_run)
                return None
            run = await self._run_queue.repair(repair, Trigger.SCHEDULE, decision.reason)
        except RepairBreakerError as error:
            # The count in the plan's own snapshot says otherwise, and the breaker is open by now.
            log.warning("run_refused", repair=repair.name, reason=str(error))
            return judged.inputs.count
        except RefusedError as error:
            log.info("run_not_started", repair=repair.name, reason=str(error))
            return None
        except (CatalogueError, StatementError) as error:
            return RepairCount(time.perf_counter() - started, error=str(error))
        if run is None:
            return RepairCount(time.perf_counter() - started)
        log.info("run_planned", run_id=run.id, repair=repair.name, rows=run.planned_rows)
        return None


def _other(before: Decision, after: Decision) -> bool:
    return (before.kind, before.code, before.reason) != (after.kind, after.code, after.reason)


def _age(moment: float | None, now: float) -> float | None:
    return None if moment is None else max(0.0, now - moment)
