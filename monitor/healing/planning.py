"""A new run: census, judgement, frozen cutoff and work list, in one snapshot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from checks.census import Census, parameters, take_census
from checks.errors import RefusedError
from checks.pairs import take_user_census
from checks.spec import Cutoffs
from monitor.database import set_local, translated
from monitor.healing.batches import paused_sentence
from monitor.healing.quarantine import count_aside, count_aside_of_user, retry_all
from monitor.healing.recurring import count_recurring
from monitor.healing.statements import HealingStatements
from monitor.policy.decision import Decision, open_refusal
from monitor.state.control import Control, read_control
from monitor.state.runs import Run, RunKind, Trigger, active_run, get_run

Guard = Callable[[Census, Control], Decision | None]
"""Says why not, from the census in the plan's own snapshot; None to go ahead."""


class ActiveRunError(RefusedError):
    """A heal run is active already."""

    code = "active_run"


class PausedError(RefusedError):
    """Somebody has paused everything that writes."""

    code = "paused"


class NotNowError(RefusedError):
    """The policy's guard refuses, as a rule because of the breaker; `decision` says why."""

    code = "breaker_open"

    def __init__(self, decision: Decision) -> None:
        super().__init__(decision.reason)
        self.decision = decision


@dataclass(frozen=True, slots=True)
class Claimant:
    """Who starts or takes over a run."""

    holder: str
    lease: timedelta
    trigger: Trigger


@dataclass(frozen=True, slots=True)
class Planned:
    """The result of planning: the census behind it, and a run unless there was nothing to do."""

    census: Census
    run: Run | None


class Planner:
    """Makes runs. One transaction each: a refusal leaves nothing behind."""

    def __init__(
        self, engine: AsyncEngine, statements: HealingStatements, *, timeout: timedelta
    ) -> None:
        self._engine = engine
        self._statements = statements
        self._state = statements.state
        self._timeout = timeout

    async def plan_audience(
        self,
        claimant: Claimant,
        *,
        reason: str,
        max_rows: int,
        guard: Guard,
        beyond_breaker: bool = False,
    ) -> Planned:
        """A run over every affected user, at most `max_rows` rows.

        `beyond_breaker`: its batches go on although the breaker is open; `guard` is asked all the
        same. Raises ActiveRunError, PausedError, NotNowError.
        """
        async with translated(), self._engine.connect() as connection:
            await connection.execution_options(isolation_level="REPEATABLE READ")
            async with connection.begin():
                return await self._plan_audience(
                    connection, claimant, reason, max_rows, guard, beyond_breaker
                )

    async def _plan_audience(
        self,
        connection: AsyncConnection,
        claimant: Claimant,
        reason: str,
        max_rows: int,
        guard: Guard,
        beyond_breaker: bool,
    ) -> Planned:
        catalogue, pools = self._state.catalogue, self._state.pools
        await self._deadline(connection)
        control = await self._writable(connection)
        active = await active_run(connection, self._state)
        if active is not None:
            raise ActiveRunError(active_sentence(active))
        cutoffs = Cutoffs.at(await database_now(connection), pools)
        census = await take_census(
            connection,
            catalogue,
            pools,
            cutoffs,
            verified_until=control.verified_until,
            expects_legacy=True,
        )
        refusal = guard(census, control)
        if refusal is not None:
            raise NotNowError(refusal)
        if claimant.trigger is not Trigger.SCHEDULE:
            await retry_all(connection, self._statements)
        aside = await count_aside(connection, self._statements, cutoffs, control.verified_until)
        if census.legacy_untracked <= aside.pairs:
            return Planned(census, None)
        recurring = 0
        if census.appeared:
            recurring = await count_recurring(connection, self._statements, cutoffs, control)
        run_id = await self._insert(
            connection,
            claimant,
            RunKind.HEAL,
            reason,
            cutoffs,
            legacy=census.legacy_untracked,
            beyond_breaker=beyond_breaker,
            recurring=recurring,
        )
        await connection.exec_driver_sql(
            self._statements.text("work_insert"),
            {
                **parameters(cutoffs),
                "due_until": cutoffs.now,
                "run_id": run_id,
                "max_rows": max_rows,
            },
        )
        return Planned(census, await self._planned(connection, run_id, aside=aside.pairs))

    async def plan_user(
        self,
        claimant: Claimant,
        user_id: str,
        *,
        reason: str,
        force: bool,
        beyond_breaker: bool = False,
    ) -> Run | AlreadyBackfilled | None:
        """A run for one user; None when it has no legacy pairs.

        Without `force` a user that was backfilled before is left alone. Raises UnknownUserError,
        PausedError, ActiveRunError when a run for this user is under way, and NotNowError while
        the breaker is open, unless `beyond_breaker`.
        """
        catalogue, pools = self._state.catalogue, self._state.pools
        async with translated(), self._engine.connect() as connection, connection.begin():
            await self._deadline(connection)
            control = await self._writable(connection)
            refusal = open_refusal(control)
            if refusal is not None and not beyond_breaker:
                raise NotNowError(refusal)
            cutoffs = Cutoffs.at(await database_now(connection), pools)
            census = await take_user_census(connection, catalogue, pools, cutoffs, user_id)
            done = await self.already_backfilled(connection, user_id)
            if done is not None and not force:
                return done
            aside = await count_aside_of_user(
                connection, self._statements, cutoffs, user_id, due_until=cutoffs.now
            )
            found = census.legacy_untracked - aside
            if found <= 0:
                return None
            await self._state.run(connection, "run_abandon_user", {"subject": user_id})
            run_id = await self._insert(
                connection,
                claimant,
                RunKind.USER,
                reason,
                cutoffs,
                legacy=census.legacy_untracked,
                subject=user_id,
                beyond_breaker=beyond_breaker,
            )
            await self._state.run(
                connection,
                "work_insert_user",
                {"run_id": run_id, "user_id": user_id, "found": found},
            )
            return await self._planned(connection, run_id, aside=aside)

    async def already_backfilled(
        self, connection: AsyncConnection, user_id: str
    ) -> AlreadyBackfilled | None:
        """The once-flag of a user."""
        row = (
            await self._state.run(connection, "backfilled_user_read", {"user_id": user_id})
        ).one_or_none()
        return None if row is None else AlreadyBackfilled(int(row.run_id), int(row.inserted))

    async def _deadline(self, connection: AsyncConnection) -> None:
        milliseconds = f"{round(self._timeout.total_seconds() * 1000)}ms"
        await set_local(
            connection,
            statement_timeout=milliseconds,
            idle_in_transaction_session_timeout=milliseconds,
            jit="off",
        )

    async def _writable(self, connection: AsyncConnection) -> Control:
        control = await read_control(connection, self._state)
        if control.paused:
            raise PausedError(paused_sentence(control.paused_reason))
        return control

    async def _insert(
        self,
        connection: AsyncConnection,
        claimant: Claimant,
        kind: RunKind,
        reason: str,
        cutoffs: Cutoffs,
        *,
        legacy: int,
        subject: str | None = None,
        beyond_breaker: bool = False,
        recurring: int = 0,
    ) -> int:
        values = {
            "kind": kind.value,
            "trigger": claimant.trigger.value,
            "reason": reason,
            "holder": claimant.holder,
            "lease": claimant.lease,
            "legacy_until": cutoffs.legacy_until,
            "created_before": cutoffs.created_before,
            "subject": subject,
            "legacy_before": legacy,
            "beyond_breaker": beyond_breaker,
            "recurring": recurring,
        }
        try:
            return int((await self._state.run(connection, "run_insert", values)).scalar_one())
        except IntegrityError as error:
            what = "A heal run" if kind is RunKind.HEAL else "A backfill of this user"
            raise ActiveRunError(f"{what} is under way already; wait for its end.") from error

    async def _planned(self, connection: AsyncConnection, run_id: int, *, aside: int) -> Run:
        await self._state.run(connection, "run_planned", {"run_id": run_id, "aside": aside})
        run = await get_run(connection, self._state, run_id)
        if run is None:
            raise LookupError(run_id)
        return run


@dataclass(frozen=True, slots=True)
class AlreadyBackfilled:
    """The once-flag of a user: which run wrote how many rows."""

    run_id: int
    inserted: int


async def database_now(connection: AsyncConnection) -> datetime:
    """The primary's clock, which alone decides about age."""
    now: datetime = (await connection.exec_driver_sql("SELECT now()")).scalar_one()
    return now


def active_sentence(run: Run) -> str:
    """Why no other run begins beside the active one."""
    where = f"{run.inserted} of {run.planned_rows} rows"
    if run.kind is RunKind.UNDO:
        return (
            f"Run {run.id} takes run {run.undoes} back, at {where}, and has to be finished first:"
            f" `conservator undo {run.undoes}` goes on with it."
        )
    if run.claimable:
        return f"Run {run.id} was put down at {where} and has to be finished first: {run.outcome}"
    return f"Run {run.id} is active at {where}, held by {run.holder}."
