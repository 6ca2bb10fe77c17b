"""Backfills of single users, each whole in one transaction: plan, run, rows, ledger, once-flag.

Several users share a transaction and its costs. What does not go this way (more pairs than fit, a
refused row, triggers, a run under way, rows of any shape, Citus) is left to a run of its own, which
takes its time and tells more.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

import structlog
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.census import parameters
from checks.errors import ConservatorError, StatementError
from checks.relations import Engine
from checks.row_security import guard_of
from checks.sequences import shortage
from checks.spec import Cutoffs
from monitor.database import transaction
from monitor.database_errors import sqlstate
from monitor.deadlines import GROUP_LOCK_TIMEOUT
from monitor.healing.errors import HealRefusedError
from monitor.healing.planner import RunOwner, read_unpaused
from monitor.healing.statements import HealingContext
from monitor.policy.decision import open_refusal
from monitor.state.counters import (
    HEAL_IMPRESSIONS,
    HEAL_RUNS,
    add_to_counters,
    batch_observation,
)
from monitor.state.runs import RunKind, RunState
from monitor.state.stored_text import stored

log = structlog.get_logger(__name__)

MOST_ROWS = 2000
"""Rows of one such transaction, at most; `healing.pace.max_batch` bounds them, too."""
TRIES = 3
"""Of a group for whose pairs others were faster; after that each user gets a run of its own."""
_OUTCOME = "Nothing of the plan is left."
_WHOLE_LIST = {"run_id": 0, "position": 0, "artwork_cursor": None}
"""Of the work list that these users make, everything."""


@dataclass(frozen=True, slots=True)
class AskedUser:
    """One user that is to be backfilled: once, unless forced."""

    user_id: str
    force: bool


class Left(Enum):
    """Why nothing was written for a user."""

    NOTHING = "nothing"
    """It has no legacy pairs."""
    UNKNOWN = "unknown"
    """There is no such user."""
    FULL = "full"
    """The transaction was full: it is for the next one."""
    APART = "apart"
    """It needs a run of its own."""


@dataclass(frozen=True, slots=True)
class WrittenUser:
    """A user that is done, by this transaction or by an earlier backfill."""

    run_id: int
    rows: int
    """Written now."""
    skipped: bool = False
    """Backfilled before, and not forced."""
    fewer: int = 0
    """Pairs that others wrote since they were looked for."""


Outcome = WrittenUser | Left | ConservatorError


@dataclass(frozen=True, slots=True)
class Group:
    """What became of users that were asked for together, in their order."""

    outcomes: tuple[Outcome, ...]
    seconds: float = 0.0
    """What the transaction took, once it had a connection; of several, all of them. Of one that
    failed, all that passed until then."""

    @property
    def written(self) -> tuple[WrittenUser, ...]:
        """Those for whom rows were written now."""
        done = (one for one in self.outcomes if isinstance(one, WrittenUser))
        return tuple(one for one in done if not one.skipped)

    @property
    def rows(self) -> int:
        """Written for all of them."""
        return sum(one.rows for one in self.written)


class _OvertakenError(Exception):
    """Others wrote all the pairs of a user, or its flag, since they were looked for."""


class UserBackfillWriter:
    """Backfills groups of users on one database."""

    def __init__(
        self, context: HealingContext, owner: RunOwner, *, reason: str, max_batch: int
    ) -> None:
        self._context = context
        self._owner = owner
        self._reason = reason
        self.most = min(MOST_ROWS, max_batch)
        """Rows of one transaction."""

    @property
    def applies(self) -> bool:
        """Whether these tables take it: one row a pair, on one node, and no trigger looks on."""
        catalogue = self._context.state.catalogue
        return (
            catalogue.is_plain
            and catalogue.engine is not Engine.CITUS
            and not catalogue.impressions.insert_triggers
        )

    async def write(self, asked: Sequence[AskedUser]) -> Group:
        """Backfill these users, no two of them the same one; ids that PostgreSQL can be sent.

        Raises PausedError, HealRefusedError while the breaker is open, DatabaseUnavailableError.
        """
        started = time.perf_counter()
        try:
            return await self._patiently(asked)
        except StatementError as error:
            if sqlstate(error) is None:
                raise
            # Whatever it is, it is one user's: nobody waits for another one's lock or bad row.
            log.debug("group_divided", users=len(asked), error=str(error))
        failed = time.perf_counter() - started
        if len(asked) == 1:
            return Group((Left.APART,), failed)
        divided = [await self._alone(one) for one in asked]
        outcomes = tuple(outcome for one in divided for outcome in one.outcomes)
        return Group(outcomes, failed + sum(one.seconds for one in divided))

    async def _alone(self, one: AskedUser) -> Group:
        """Of a divided group: what keeps one from being written is told to that one."""
        try:
            return await self.write([one])
        except ConservatorError as error:
            return Group((error,))

    async def _patiently(self, asked: Sequence[AskedUser]) -> Group:
        for _ in range(TRIES):
            try:
                return await self._once(asked)
            except _OvertakenError:
                continue
        return Group((Left.APART,) * len(asked))

    async def _once(self, asked: Sequence[AskedUser]) -> Group:
        context = self._context
        async with transaction(
            context.engine,
            timeout=context.timeout,
            lock_timeout=min(context.lock_timeout, GROUP_LOCK_TIMEOUT),
            idle=context.lease,
            rows=guard_of(context.state.catalogue, writes=True),
        ) as connection:
            # Not what was waited for a connection.
            started = time.perf_counter()
            outcomes = await self._in_transaction(connection, asked, started)
        done = Group(tuple(outcomes), time.perf_counter() - started)
        _log(done)
        return done

    async def _in_transaction(
        self, connection: AsyncConnection, asked: Sequence[AskedUser], started: float
    ) -> Sequence[Outcome]:
        control = await read_unpaused(connection, self._context.state)
        refusal = open_refusal(control)
        if refusal is not None:
            raise HealRefusedError(refusal)
        begun = await self._begin(connection, asked)
        outcomes = {n: _before(*one) for n, one in enumerate(zip(asked, begun, strict=True))}
        ready = [number for number, outcome in outcomes.items() if outcome is None]
        if ready:
            users = [asked[number] for number in ready]
            done = await self._write_ready(connection, users, begun[0], started)
            outcomes.update(zip(ready, done, strict=True))
        return [outcome for outcome in outcomes.values() if outcome is not None]

    async def _begin(
        self, connection: AsyncConnection, asked: Sequence[AskedUser]
    ) -> Sequence[Row[Any]]:
        values = {
            "users": [one.user_id for one in asked],
            "impressions": self._context.state.catalogue.impressions.beneath.oid,
        }
        return (await self._context.statements.run(connection, "user_backfill_begin", values)).all()

    async def _write_ready(
        self,
        connection: AsyncConnection,
        users: Sequence[AskedUser],
        begun: Row[Any],
        started: float,
    ) -> Sequence[Outcome]:
        catalogue = self._context.state.catalogue
        slow = begun.triggers or not begun.types_as_read
        # As many as could be written: where that is too much of a sequence, a plan counts.
        if slow or await shortage(connection, catalogue, self.most) is not None:
            return [Left.APART] * len(users)
        found = await self._insert(connection, users, begun.now)
        outcomes: list[Outcome] = [Left.NOTHING] * len(users)
        for row in found:
            outcomes[row.position - 1] = self._outcome(row)
        written = [one for one in outcomes if isinstance(one, WrittenUser)]
        if written:
            await self._record(connection, written, begun.now, started)
        return outcomes

    def _outcome(self, row: Row[Any]) -> Outcome:
        if not row.fits:
            return Left.FULL if row.pairs <= self.most else Left.APART
        if row.run_id is None or row.inserted == 0:
            raise _OvertakenError
        return WrittenUser(row.run_id, row.inserted, fewer=row.pairs - row.inserted)

    async def _insert(
        self, connection: AsyncConnection, users: Sequence[AskedUser], now: datetime
    ) -> Sequence[Row[Any]]:
        state, owner = self._context.state, self._owner
        values = {
            **parameters(Cutoffs.at(now, state.pools)),
            "now": now,
            "users": [one.user_id for one in users],
            # One more than may be written tells that it does not fit.
            "planned": [self.most + 1] * len(users),
            "forced": [one.user_id for one in users if one.force],
            "most": self.most,
            "trigger": owner.trigger.value,
            "reason": self._reason,
            "outcome": _OUTCOME,
            "holder": owner.holder,
            "catalogue": state.kept.as_json(),
            "impressions_oid": state.catalogue.impressions.oid,
            "users_oid": state.catalogue.users.oid,
            **_WHOLE_LIST,
            "until": len(users),
        }
        text = self._context.statements.user_backfill()
        return (await connection.exec_driver_sql(text, stored(values))).all()

    async def _record(
        self,
        connection: AsyncConnection,
        written: Sequence[WrittenUser],
        now: datetime,
        started: float,
    ) -> None:
        rows = sum(one.rows for one in written)
        seconds = time.perf_counter() - started
        record = {
            "runs": [one.run_id for one in written],
            "inserted": [one.rows for one in written],
            "fewer": [one.fewer for one in written],
            "seconds": [seconds * one.rows / rows for one in written],
            "now": now,
        }
        await self._context.statements.run(connection, "user_backfill_record", record)
        added = {(HEAL_IMPRESSIONS, ""): float(rows), (HEAL_RUNS, ""): float(len(written))}
        # Last, because other writers wait for these rows.
        await add_to_counters(
            connection, self._context.state, {**added, **batch_observation(seconds)}
        )


def _log(done: Group) -> None:
    for one in done.written:
        log.info(
            "run_ended",
            run_id=one.run_id,
            kind=RunKind.USER,
            state=RunState.SUCCEEDED,
            inserted=one.rows,
            outcome=_OUTCOME,
        )


def _before(one: AskedUser, row: Row[Any]) -> Outcome | None:
    """What becomes of a user without looking at its pairs; None where these decide."""
    if not row.known:
        return Left.UNKNOWN
    if row.backfilled_by is not None and not one.force:
        return WrittenUser(row.backfilled_by, 0, skipped=True)
    return Left.APART if row.apart else None
