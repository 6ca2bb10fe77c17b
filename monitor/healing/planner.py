"""A new run: census, judgement, frozen cutoff and work list, in one snapshot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.affected import MOST_NAMED
from checks.census import Census, Few, incomplete_few, parameters, take_census
from checks.pairs import take_user_census
from checks.sequences import shortage
from checks.spec import Cutoffs
from monitor.database import transaction
from monitor.healing.errors import (
    ActiveRunError,
    HealRefusedError,
    PausedError,
    SequenceShortError,
    SuspendedError,
    active_sentence,
    paused_sentence,
)
from monitor.healing.missing import MissingPairs, UserWork, list_missing, still_missing
from monitor.healing.quarantine import count_unwritable, count_unwritable_of_user
from monitor.healing.statements import HealingContext, HealingStatements
from monitor.policy.decision import Decision, open_refusal
from monitor.state.control import Control, read_control
from monitor.state.repairs import RepairControl
from monitor.state.runs import (
    Backfilled,
    Run,
    RunKind,
    Trigger,
    active_run,
    get_run,
    read_backfilled,
)
from monitor.state.statements import StateStatements
from monitor.state.transitions import Actor, abandon_user_runs, insert_run

Guard = Callable[[Census, Control], Decision | None]
"""Says why not, from the census in the plan's own snapshot; None to go ahead."""


_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_CONFLICTS = {
    RunKind.HEAL: "A heal run",
    RunKind.USER: "A backfill of this user",
    RunKind.UNDO: "A run",
    RunKind.REPAIR: "A run",
}


@dataclass(frozen=True, slots=True)
class RunOwner:
    """Who starts or takes over a run."""

    holder: str
    lease: timedelta
    trigger: Trigger


@dataclass(frozen=True, slots=True)
class Occasion:
    """What the loop found that a run is planned for."""

    recurring: int
    """Legacy pairs that recur, as far as they were counted."""
    missing: MissingPairs | None = None
    """The legacy pairs of its census, where they are few."""


@dataclass(frozen=True, slots=True)
class Planned:
    """The result of planning: the census behind it, and a run unless there was nothing to do."""

    census: Census
    run: Run | None


class Planner:
    """Makes runs. One transaction each: a refusal leaves nothing behind."""

    def __init__(self, context: HealingContext) -> None:
        self._context = context
        self._statements = context.statements
        self._state = context.state

    async def plan_audience(
        self,
        owner: RunOwner,
        *,
        reason: str,
        max_rows: int,
        guard: Guard,
        beyond_breaker: bool = False,
        occasion: Occasion | None = None,
    ) -> Planned:
        """A run over every affected user, at most `max_rows` rows.

        `beyond_breaker`: its batches go on although the breaker is open; `guard` is asked all the
        same. `occasion`: what it is planned for; where its pairs are listed, only these are looked
        up again, by its census's cutoff, and what recurs is known. Raises
        ActiveRunError, PausedError, HealRefusedError, SequenceShortError.
        """
        timeout, rows = self._context.timeout, self._context.rows
        async with transaction(
            self._context.engine, timeout=timeout, idle=timeout, one_snapshot=True, rows=rows
        ) as connection:
            control = await read_unpaused(connection, self._state)
            refuse_suspended(owner, control)
            active = await active_run(connection, self._state)
            if active is not None:
                raise ActiveRunError(active_sentence(active))
            if owner.trigger is not Trigger.SCHEDULE:
                await self._statements.run(connection, "quarantine_retry_all")
            asked = await self._context.cutoffs(connection)
            census, listed = await self._find(connection, control, occasion, asked)
            refusal = guard(census, control)
            if refusal is not None:
                raise HealRefusedError(refusal)
            cutoffs = replace(Cutoffs.at(census.as_of, self._state.pools), now=asked.now)
            legacy = census.legacy_untracked
            aside, recurring = (
                (listed.aside, listed.recurring)
                if listed is not None
                else await self._count_apart(connection, control, occasion, census, cutoffs)
            )
            if legacy <= aside:
                return Planned(census, None)
            # Scheduled runs follow each other until nothing is left.
            scheduled = owner.trigger is Trigger.SCHEDULE
            wanted = legacy - aside if scheduled else min(legacy - aside, max_rows)
            await self._require_values(connection, wanted)
            values = {
                **_frozen(cutoffs, legacy),
                **{"reason": reason, "beyond_breaker": beyond_breaker, "recurring": recurring},
                "artworks": self._artworks(census),
            }
            run_id = await begin_run(connection, self._state, RunKind.HEAL, owner, values)
            if listed is None:
                await self._count_work(connection, run_id, census, cutoffs, max_rows)
            else:
                await self._insert_work(connection, run_id, listed.work(max_rows))
            return Planned(census, await self._size(connection, run_id, aside=aside))

    async def _find(
        self,
        connection: AsyncConnection,
        control: Control,
        occasion: Occasion | None,
        cutoffs: Cutoffs,
    ) -> tuple[Census, MissingPairs | None]:
        """What is missing now; one by one, where that is little.

        Of what the occasion listed, where it did and the audience is the same: what grew old or
        was lost after that is the next census's, and the next run's.
        """
        statements, now = self._statements, cutoffs.now
        if occasion is not None and occasion.missing is not None:
            still = await still_missing(connection, statements, occasion.missing, control, now)
            if still is not None:
                return still.census, still
        census = await take_census(
            connection,
            self._state.catalogue,
            self._state.pools,
            cutoffs,
            verified_until=control.verified_until,
        )
        return census, await list_missing(connection, statements, census, control, now)

    async def _count_apart(
        self,
        connection: AsyncConnection,
        control: Control,
        occasion: Occasion | None,
        census: Census,
        cutoffs: Cutoffs,
    ) -> tuple[int, int]:
        """Of the legacy pairs, how many an automatic run leaves out, and how many recur."""
        legacy, few = census.legacy_untracked, incomplete_few(census, self._state.catalogue)
        asked = (connection, self._statements, cutoffs)
        aside = (await count_unwritable(*asked, legacy=legacy, few=few)).pairs
        known = 0 if occasion is None else occasion.recurring
        if known or not census.appeared or legacy <= aside:
            return aside, known
        return aside, await count_recurring(*asked, control, few=few)

    async def _count_work(
        self,
        connection: AsyncConnection,
        run_id: int,
        census: Census,
        cutoffs: Cutoffs,
        max_rows: int,
    ) -> None:
        """Write the work list down, from a count of what each user misses."""
        few = incomplete_few(census, self._state.catalogue)
        work = {"due_until": cutoffs.now, "run_id": run_id, "max_rows": max_rows}
        values = {**parameters(cutoffs, few=few), **work}
        if census.legacy_untracked > MOST_NAMED:
            await self._statements.run(connection, "work_insert", values)
            return
        rows = await self._statements.run(connection, "plan_walk", values)
        users = [UserWork(row.user_id, row.found, row.planned) for row in rows]
        await self._insert_work(connection, run_id, users)

    async def _insert_work(
        self, connection: AsyncConnection, run_id: int, users: Sequence[UserWork]
    ) -> None:
        listed = [
            (position, artwork)
            for position, one in enumerate(users, start=1)
            for artwork in one.artworks
        ]
        work = {
            "run_id": run_id,
            "positions": list(range(1, len(users) + 1)),
            "users": [one.user_id for one in users],
            "found": [one.found for one in users],
            "planned": [one.planned for one in users],
            "of_positions": [position for position, _ in listed],
            "artworks": [artwork for _, artwork in listed],
        }
        await self._statements.run(connection, "work_insert_listed", work)

    def _artworks(self, census: Census) -> list[str] | None:
        """The artworks that a plan from this census is about; None: whatever is legacy."""
        if census.incomplete is None or self._context.on_citus:
            return None
        return list(census.incomplete)

    async def plan_user(
        self,
        owner: RunOwner,
        user_id: str,
        *,
        reason: str,
        force: bool,
        beyond_breaker: bool = False,
    ) -> Run | Backfilled | None:
        """A run for one user; None when it has no legacy pairs.

        Without `force` a user that was backfilled before is left alone. Raises UnknownUserError,
        PausedError, ActiveRunError when a run for this user is under way, and HealRefusedError
        while the breaker is open, unless `beyond_breaker`; SequenceShortError in either case.
        """
        catalogue, pools = self._state.catalogue, self._state.pools
        timeout, rows = self._context.timeout, self._context.rows
        async with transaction(
            self._context.engine, timeout=timeout, idle=timeout, rows=rows
        ) as connection:
            control = await read_unpaused(connection, self._state)
            refusal = open_refusal(control)
            if refusal is not None and not beyond_breaker:
                raise HealRefusedError(refusal)
            cutoffs = await self._context.cutoffs(connection)
            census = await take_user_census(connection, catalogue, pools, cutoffs, user_id)
            done = await read_backfilled(connection, self._state, user_id)
            if done is not None and not force:
                return done
            waiting = await count_unwritable_of_user(
                connection, self._statements, cutoffs, user_id, due_until=cutoffs.now
            )
            found = census.legacy_untracked - waiting
            if found <= 0:
                return None
            await self._require_values(connection, found)
            await abandon_user_runs(connection, self._state, user_id)
            run_id = await begin_run(
                connection,
                self._state,
                RunKind.USER,
                owner,
                _frozen(cutoffs, census.legacy_untracked)
                | {"reason": reason, "beyond_breaker": beyond_breaker, "subject": user_id},
            )
            work = {"run_id": run_id, "user_id": user_id, "found": found}
            await self._state.run(connection, "work_insert_user", work)
            return await self._size(connection, run_id, aside=waiting)

    async def _require_values(self, connection: AsyncConnection, rows: int) -> None:
        """Raises SequenceShortError where so many rows would use too much of a sequence up."""
        short = await shortage(connection, self._state.catalogue, rows)
        if short is not None:
            raise SequenceShortError(short)

    async def _size(self, connection: AsyncConnection, run_id: int, *, aside: int) -> Run:
        """The run, once its row says what the work list adds up to."""
        await self._state.run(connection, "run_planned", {"run_id": run_id, "aside": aside})
        return await planned_run(connection, self._state, run_id)


def _frozen(cutoffs: Cutoffs, legacy: int) -> dict[str, object]:
    return {
        "legacy_until": cutoffs.legacy_until,
        "created_before": cutoffs.created_before,
        "legacy_before": legacy,
        "subject": None,
        "recurring": 0,
        "artworks": None,
    }


async def read_unpaused(connection: AsyncConnection, state: StateStatements) -> Control:
    """What people have switched. Raises PausedError."""
    control = await read_control(connection, state)
    if control.paused:
        raise PausedError(paused_sentence(control.paused_reason))
    return control


def refuse_suspended(owner: RunOwner, switches: Control | RepairControl) -> None:
    """Raises SuspendedError for a run that starts by itself: between the decision and the plan an
    undo may have begun and ended, and the plan would do again what it took back."""
    if owner.trigger is Trigger.SCHEDULE and switches.suspended:
        raise SuspendedError(f"Suspended: {switches.suspended_reason or 'no reason given'}.")


async def begin_run(
    connection: AsyncConnection,
    state: StateStatements,
    kind: RunKind,
    owner: RunOwner,
    values: Mapping[str, object],
) -> int:
    """Insert a run in its owner's name; its number. Raises ActiveRunError where one is active."""
    actor = Actor.UNDO_PLANNER if kind is RunKind.UNDO else Actor.PLANNER
    owned = {
        "trigger": owner.trigger.value,
        "holder": owner.holder,
        "lease": owner.lease,
        "catalogue": state.kept.as_json(),
        "impressions_oid": state.catalogue.impressions.oid,
        "users_oid": state.catalogue.users.oid,
        **dict.fromkeys(("repair", "repair_plan", "repair_oid")),
    }
    try:
        return await insert_run(connection, state, actor, {"kind": kind.value, **owned, **values})
    except IntegrityError as error:
        raise ActiveRunError(
            f"{_CONFLICTS[kind]} is under way already; wait for its end."
        ) from error


async def planned_run(connection: AsyncConnection, state: StateStatements, run_id: int) -> Run:
    """The run that this transaction has made."""
    run = await get_run(connection, state, run_id)
    if run is None:
        raise LookupError(run_id)
    return run


async def count_recurring(
    connection: AsyncConnection,
    statements: HealingStatements,
    cutoffs: Cutoffs,
    control: Control,
    *,
    few: Few | None = None,
) -> int:
    """Recurring pairs: legacy behind the last verified cutoff, although not merely aged since, of
    users that were enrolled before that heal.

    0 before the first verified heal. Costs several censuses, unless only `few` artworks are looked
    at: ask where the census found any that `appeared`, which also counts the pairs of
    users who joined since.
    """
    if control.verified_until is None or control.verified_at is None:
        return 0
    behind = replace(cutoffs, legacy_until=min(cutoffs.legacy_until, control.verified_until))
    # All of the quarantine is left out, due to be tried again or not.
    values = {
        **parameters(behind, few=few),
        "verified_at": control.verified_at,
        "due_until": _LONG_AGO,
    }
    result = await statements.run(connection, "plan_recurring", values)
    return int(result.scalar_one())
