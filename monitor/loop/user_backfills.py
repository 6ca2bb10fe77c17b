"""Backfills of single users as callers ask for them: those that wait are written together.

Whoever asks alone is written at once. While a transaction is under way, those who come meanwhile
gather for the next one, so that a burst of log-ins costs a few transactions and not one each. A
user is in one of them at a time: a second caller comes after the first, and finds it done.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import cast

import structlog

from checks.errors import BusyError, ConservatorError, RefusedError, UnknownUserError
from checks.pairs import is_text
from monitor.commands import UserBackfill
from monitor.deadlines import TOTALS_SECONDS, TURN_SECONDS
from monitor.healing.throttle.throttler import Throttler
from monitor.healing.user_backfill import (
    AskedUser,
    Group,
    Left,
    Outcome,
    UserBackfillWriter,
    WrittenUser,
)
from monitor.runtime import CurrentRuntime, Runtime, make_throttler, pace_settings

log = structlog.get_logger(__name__)

MOST_USERS = 32
"""Of one transaction."""
LEAST_USERS = 8
"""With fewer, most of a transaction's time is what it costs at all: on a busy machine, or far from
the database, going below would make it slower and gain the app nothing."""
MOST_WAITING = 1024
"""Callers who wait; more are turned away at once."""


@dataclass(slots=True, eq=False)
class _Caller:
    asked: AskedUser
    answer: asyncio.Future[UserBackfill | None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


def next_size(size: int, done: Group, *, most_rows: int, target_seconds: float) -> int:
    """How many users share the next transaction, after one of `size` users at most.

    Half as many where it took longer than a batch may, else twice; within what the rows of those
    whom it wrote leave room for.
    """
    users = len(done.written)
    room = most_rows * users // done.rows if users else MOST_USERS
    wanted = max(LEAST_USERS, size // 2) if done.seconds > target_seconds else 2 * size
    return max(1, min(MOST_USERS, room, wanted))


class _Tools:
    """What writes for one runtime."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.writer: UserBackfillWriter = runtime.user_backfills()
        self.throttler: Throttler = make_throttler(runtime.engine, runtime.settings)


class UserBackfills:
    """Gathers callers, and writes for them; `places` transactions at a time."""

    def __init__(
        self,
        runtime: CurrentRuntime,
        refresh: Callable[[], Awaitable[None]],
        *,
        places: int,
        patience_seconds: float = TURN_SECONDS,
    ) -> None:
        """`refresh` reads the totals again."""
        self._runtime = runtime
        self._refresh = refresh
        self._places = places
        self._patience = patience_seconds
        self._tools: _Tools | None = None
        self._waiting: deque[_Caller] = deque()
        self._busy: set[str] = set()
        self._size = MOST_USERS
        self._workers: set[asyncio.Task[None]] = set()
        self._totals: asyncio.Task[None] | None = None
        self._unread = False
        self._writing = 0
        self._stopping = False

    @property
    def in_flight(self) -> int:
        """Transactions under way."""
        return self._writing

    @property
    def tasks(self) -> tuple[asyncio.Task[None], ...]:
        """What works for callers."""
        return (*self._workers, *(() if self._totals is None else (self._totals,)))

    def stop(self) -> None:
        """Finish the transactions under way; who waits is turned away."""
        self._stopping = True
        while self._waiting:
            _fail(self._waiting.popleft(), _stopping())

    async def ask(self, user_id: str, *, force: bool) -> UserBackfill | None:
        """What became of this user; None where it needs a run of its own.

        Raises UnknownUserError, BusyError, and what `UserBackfillWriter.write` raises.
        """
        if self._stopping:
            raise _stopping()
        if not is_text(user_id) or not self._current().writer.applies:
            return None
        if len(self._waiting) >= MOST_WAITING:
            raise BusyError("Too many backfills wait already; ask again in a moment.")
        caller = _Caller(AskedUser(user_id, force))
        self._waiting.append(caller)
        turn = asyncio.get_running_loop().call_later(self._patience, self._turn_away, caller)
        self._start_workers()
        try:
            # Shielded: who goes away is backfilled all the same.
            return await asyncio.shield(caller.answer)
        finally:
            turn.cancel()

    def _turn_away(self, caller: _Caller) -> None:
        if caller in self._waiting:
            self._waiting.remove(caller)
            sentence = f"No turn came within {self._patience:g} s; ask again in a moment."
            _fail(caller, BusyError(sentence))

    def _current(self) -> _Tools:
        runtime = self._runtime.current
        if self._tools is None or self._tools.runtime is not runtime:
            self._tools = _Tools(runtime)
        return self._tools

    def _start_workers(self) -> None:
        if self._waiting and len(self._workers) < self._places:
            task = asyncio.create_task(self._work(), name="user backfills")
            self._workers.add(task)

    async def _work(self) -> None:
        """Write for those who wait, until nobody does; without rests, which each would wait for."""
        try:
            while group := self._gather():
                await self._write_for(group)
        finally:
            # At once: who comes in the next moment must find the place free.
            self._workers.discard(cast("asyncio.Task[None]", asyncio.current_task()))

    async def _write_for(self, group: list[_Caller]) -> None:
        users = {caller.asked.user_id for caller in group}
        self._busy |= users
        self._writing += 1
        try:
            await self._write(group)
        finally:
            self._writing -= 1
            self._busy -= users

    def _gather(self) -> list[_Caller]:
        """The next group, in the order in which they came; of one user, the first."""
        group: dict[str, _Caller] = {}
        later: list[_Caller] = []
        while self._waiting and len(group) < self._size:
            caller = self._waiting.popleft()
            user = caller.asked.user_id
            if user in group or user in self._busy:
                later.append(caller)
            else:
                group[user] = caller
        self._waiting.extendleft(reversed(later))
        return list(group.values())

    async def _write(self, group: list[_Caller]) -> None:
        """Answer a group."""
        try:
            tools = self._current()
            tools.runtime.refuse_when_blocked()
            if await tools.throttler.look(None) is not None:
                # A run of its own waits, tells for what, and is put down when that takes too long.
                outcomes: tuple[Outcome, ...] = (Left.APART,) * len(group)
            else:
                done = await tools.writer.write([caller.asked for caller in group])
                outcomes = done.outcomes
                self._size = next_size(
                    self._size,
                    done,
                    most_rows=tools.writer.most,
                    target_seconds=pace_settings(tools.runtime.settings).batch_target_seconds,
                )
        except ConservatorError as error:
            for caller in group:
                _fail(caller, error)
            return
        except asyncio.CancelledError:
            for caller in group:
                _fail(caller, _stopping())
            raise
        except Exception as error:
            # Theirs to be told, and no reason to let those down who come next.
            log.exception("user_backfills_failed", error=repr(error))
            for caller in group:
                _fail(caller, error)
            return
        if any(isinstance(one, WrittenUser) and not one.skipped for one in outcomes):
            self._read_totals()
        for caller, outcome in reversed(list(zip(group, outcomes, strict=True))):
            self._answer(caller, outcome)

    def _answer(self, caller: _Caller, outcome: Outcome) -> None:
        match outcome:
            case ConservatorError():
                _fail(caller, outcome)
            case WrittenUser():
                done = UserBackfill(outcome.rows, outcome.run_id, outcome.skipped)
                _tell(caller, done)
            case Left.NOTHING:
                _tell(caller, UserBackfill(updated=0, run_id=None, skipped=False))
            case Left.UNKNOWN:
                _fail(caller, UnknownUserError(f"No user has the id {caller.asked.user_id!r}."))
            case Left.FULL if not self._stopping:
                self._waiting.appendleft(caller)
            case Left.FULL:
                _fail(caller, _stopping())
            case Left.APART:
                _tell(caller, None)

    def _read_totals(self) -> None:
        """Soon, and once for all who are done until then."""
        self._unread = True
        if self._totals is None or self._totals.done():
            self._totals = asyncio.create_task(self._keep_reading_totals(), name="totals")

    async def _keep_reading_totals(self) -> None:
        while self._unread:
            self._unread = False
            await self._refresh()
            await asyncio.sleep(TOTALS_SECONDS)


def _stopping() -> RefusedError:
    return RefusedError("The service is shutting down; ask again in a moment.")


def _tell(caller: _Caller, done: UserBackfill | None) -> None:
    if not caller.answer.done():
        caller.answer.set_result(done)


def _fail(caller: _Caller, error: Exception) -> None:
    if not caller.answer.done():
        caller.answer.set_exception(error)
        caller.answer.exception()  # seen, even where whoever asked has gone away
