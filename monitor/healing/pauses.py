"""The time between two batches: the rest that `duty` asks for, and waiting for others."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import structlog

from checks.errors import ConservatorError
from checks.pipeline import Statement, send
from monitor.database import transaction
from monitor.deadlines import LONGEST_RETRY_WAIT_SECONDS, USER_PATIENCE_SECONDS, WAIT_LOOK_SECONDS
from monitor.healing.errors import (
    LeaseLostError,
    RunHeld,
    breaker_sentence,
    lease_lost,
    paused_sentence,
)
from monitor.healing.statements import HealingContext
from monitor.healing.throttle.throttle import Wait
from monitor.healing.throttle.throttler import Throttler, free_connections
from monitor.state.counters import HEAL_THROTTLED_SECONDS, Counters, adding
from monitor.state.runs import Run, RunKind, WaitReason
from monitor.state.statements import SchemaStatements

log = structlog.get_logger(__name__)

ATTEMPTS = 8
"""Tries of one batch, or to write down a wait, before the run is put down; with jitter they span
about a minute."""


@dataclass(frozen=True, slots=True)
class WaitTimes:
    """What was spent waiting since it was last kept, by reason, in seconds."""

    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def total(self) -> float:
        """All of it."""
        return sum(self.seconds.values())

    def plus(self, reason: str, seconds: float) -> WaitTimes:
        """The same with `seconds` more for `reason`."""
        return WaitTimes({**self.seconds, reason: self.seconds.get(reason, 0.0) + seconds})


def keeping(state: SchemaStatements, run: Run, waited: WaitTimes) -> list[Statement]:
    """Adds what was waited to the run's record."""
    if not waited.seconds:
        return []
    reasons, seconds = list(waited.seconds), list(waited.seconds.values())
    values = {"run_id": run.id, "reasons": reasons, "seconds": seconds}
    return [state.statement("run_waits_add", values)]


def throttled(run: Run, waited: WaitTimes) -> Counters:
    """What was waited, as totals of healing."""
    spent = {} if run.repair is not None else waited.seconds
    return {(HEAL_THROTTLED_SECONDS, why): seconds for why, seconds in spent.items()}


class Pauses:
    """Waits between the batches of one run; a stop ends every wait at once."""

    def __init__(
        self,
        context: HealingContext,
        throttler: Throttler,
        on_wait: Callable[[str | None], None],
    ) -> None:
        """`on_wait` is told what the run waits for, and None when it goes on."""
        self._engine = context.engine
        self._state = context.state
        self._throttler = throttler
        self._lease = context.lease
        self._on_wait = on_wait
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """End the wait under way, and every later one."""
        self._stop.set()

    def hold_when_stopped(self) -> None:
        """Raises RunHeld once the run is to stop."""
        if self._stop.is_set():
            raise RunHeld("Its process was told to stop.")

    async def wait_or_stop(self, seconds: float) -> None:
        """Let `seconds` pass, or less when the run is to stop."""
        try:
            await asyncio.wait_for(self._stop.wait(), timeout=max(seconds, 0.001))
        except TimeoutError:
            return

    async def rest(self, seconds: float) -> WaitTimes:
        """Rest so long that writing keeps to its share of the time."""
        if seconds <= 0:
            return WaitTimes()
        started = time.perf_counter()
        await self.wait_or_stop(seconds)
        return WaitTimes({WaitReason.DUTY: time.perf_counter() - started})

    def look_ahead(self, *, beside: int = 0) -> None:
        """A batch is about to be committed: begin to ask whether the next one must wait; `beside`:
        connections that must be free for something else."""
        if free_connections(self._engine) > beside:
            self._throttler.look_ahead()

    async def close(self) -> None:
        """No batch follows."""
        await self._throttler.close()

    async def wait_while_throttled(self, run: Run, waited: WaitTimes) -> WaitTimes:
        """Wait while others have the right of way; `waited` with what of it is not yet kept.

        Raises RunHeld when paused, stopped or refused by the breaker meanwhile, LeaseLostError,
        or what the database says when for many attempts nothing could be written down.
        """
        wait = await self._throttler.look(None)
        return waited if wait is None else await self._wait(run, wait, waited)

    async def _wait(self, run: Run, wait: Wait, waited: WaitTimes) -> WaitTimes:
        log.info("run_waits", run_id=run.id, code=wait.code, reason=wait.reason)
        began = counted = time.perf_counter()
        failures = 0
        while True:
            self._on_wait(wait.reason)
            waited, failures = await self._kept(run, wait, waited, failures)
            self.hold_when_stopped()
            if run.kind is RunKind.USER and counted - began >= USER_PATIENCE_SECONDS:
                raise RunHeld(f"Put down after waiting {counted - began:.0f} s: {wait.reason}")
            await self.wait_or_stop(WAIT_LOOK_SECONDS + _backoff_seconds(failures))
            # Nobody who stops asks a source that may take seconds.
            newest = wait if self._stop.is_set() else await self._throttler.look(wait)
            now = time.perf_counter()
            waited, counted = waited.plus(wait.code, now - counted), now
            if newest is None:
                log.info("run_goes_on", run_id=run.id, waited_seconds=round(now - began, 1))
                self._on_wait(None)
                return waited
            if newest.code != wait.code:
                log.info("run_waits", run_id=run.id, code=newest.code, reason=newest.reason)
            wait = newest

    async def _kept(
        self, run: Run, wait: Wait, waited: WaitTimes, failures: int
    ) -> tuple[WaitTimes, int]:
        """What is left to be kept, and how often in a row that has failed by now."""
        try:
            await self._keep(run, wait, waited)
        except LeaseLostError:
            raise
        except ConservatorError as error:
            # Without the database nobody else can have the run, and it can't go on either. When
            # the database is back, the lease tells whose it is.
            log.warning("wait_not_kept", run_id=run.id, attempt=failures + 1, error=str(error))
            if failures + 1 >= ATTEMPTS:
                raise
            return waited, failures + 1
        return WaitTimes(), 0

    async def _keep(self, run: Run, wait: Wait, waited: WaitTimes) -> None:
        """Write down what was waited so far, keep the lease, and obey what was switched."""
        async with transaction(self._engine) as connection:
            values = {
                "run_id": run.id,
                "token": run.token,
                "lease": self._lease,
                "waiting_for": wait.reason,
                "waited": waited.total,
            }
            waiting = self._state.statement("run_waiting", values)
            kept, totals = keeping(self._state, run, waited), throttled(run, waited)
            # Last, because other writers wait for these rows.
            kept += [adding(self._state, totals)] if totals else []
            found, *_ = await send(connection, [waiting, *kept])
            if not found:
                raise lease_lost(run)
        (row,) = found
        if row.paused:
            raise RunHeld(paused_sentence(row.paused_reason))
        if row.breaker_open:
            raise RunHeld(breaker_sentence(row.breaker_reason))


def _backoff_seconds(failures: int) -> float:
    """How much longer to wait after so many failures in a row, with jitter."""
    if failures == 0:
        return 0.0
    return random.uniform(0, min(LONGEST_RETRY_WAIT_SECONDS, 2.0**failures))
