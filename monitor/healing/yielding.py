"""The time between two batches: the rest that `duty` asks for, and waiting for others."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from datetime import timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.errors import ConservatorError
from monitor.database import transaction
from monitor.healing.attempts import ATTEMPTS, LONGEST_RETRY_WAIT_SECONDS
from monitor.healing.batches import HoldError, LeaseLostError, paused_sentence
from monitor.healing.traffic import Traffic, Wait
from monitor.healing.waits import SHORT, Waited, keep_waits
from monitor.state.runs import Run, RunKind
from monitor.state.statements import StateStatements
from monitor.state.waits import WaitReason

log = structlog.get_logger(__name__)

LOOK_SECONDS = 1.0
"""How often the signals are read again while a run waits for them."""
USER_PATIENCE_SECONDS = 5.0
"""Somebody stands and waits for the answer of a per-user run: after this long it is put down."""


class Yielding:
    """Waits between the batches of one run; a stop ends every wait at once."""

    def __init__(
        self,
        engine: AsyncEngine,
        state: StateStatements,
        traffic: Traffic,
        *,
        lease: timedelta,
        stop: asyncio.Event,
        say: Callable[[str | None], None],
    ) -> None:
        """`say` is told what the run waits for, and None when it goes on."""
        self._engine = engine
        self._state = state
        self._traffic = traffic
        self._lease = lease
        self._stop = stop
        self._say = say

    async def rest(self, seconds: float) -> Waited:
        """Rest so long that writing keeps to its share of the time."""
        if seconds <= 0:
            return Waited()
        started = time.perf_counter()
        await self.wait_or_stop(min(seconds, self._lease.total_seconds() / 2))
        return Waited({WaitReason.DUTY: time.perf_counter() - started})

    async def until_free(self, run: Run, waited: Waited) -> Waited:
        """Wait while others have the right of way; `waited` with what of it is not yet kept.

        Raises HoldError when paused, stopped or refused by the breaker meanwhile, LeaseLostError,
        or what the database says when for many attempts nothing could be written down.
        """
        wait = await self._traffic.look(None)
        return waited if wait is None else await self._until_free(run, wait, waited)

    async def _until_free(self, run: Run, wait: Wait, waited: Waited) -> Waited:
        log.info("run_waits", run_id=run.id, code=wait.code, reason=wait.reason)
        began = counted = time.perf_counter()
        failures = 0
        while True:
            self._say(wait.reason)
            waited, failures = await self._kept(run, wait, waited, failures)
            self._hold_when_over(run, wait, counted - began)
            await self.wait_or_stop(LOOK_SECONDS + _backoff_seconds(failures))
            # Nobody who stops asks a source that may take seconds.
            newest = wait if self._stop.is_set() else await self._traffic.look(wait)
            now = time.perf_counter()
            waited, counted = waited.plus(wait.code, now - counted), now
            if newest is None:
                log.info("run_goes_on", run_id=run.id, waited_seconds=round(now - began, 1))
                self._say(None)
                return waited
            if newest.code != wait.code:
                log.info("run_waits", run_id=run.id, code=newest.code, reason=newest.reason)
            wait = newest

    async def _kept(
        self, run: Run, wait: Wait, waited: Waited, failures: int
    ) -> tuple[Waited, int]:
        """What is left to be kept, and how often in a row that has failed by now."""
        try:
            await self._keep(run, wait, waited)
        except (HoldError, LeaseLostError):
            raise
        except ConservatorError as error:
            # Without the database nobody else can have the run, and it can't go on either. When
            # the database is back, the lease tells whose it is.
            log.warning("wait_not_kept", run_id=run.id, attempt=failures + 1, error=str(error))
            if failures + 1 >= ATTEMPTS:
                raise
            return waited, failures + 1
        return Waited(), 0

    def _hold_when_over(self, run: Run, wait: Wait, seconds: float) -> None:
        if self._stop.is_set():
            raise HoldError("The service is shutting down.")
        if run.kind is RunKind.USER and seconds >= USER_PATIENCE_SECONDS:
            raise HoldError(f"Put down after waiting {seconds:.0f} s: {wait.reason}")

    async def _keep(self, run: Run, wait: Wait, waited: Waited) -> None:
        """Write down what was waited so far, keep the lease, and obey what was switched."""
        async with transaction(self._engine, timeout=SHORT) as connection:
            values = {
                "run_id": run.id,
                "token": run.token,
                "lease": self._lease,
                "waiting_for": wait.reason,
                "waited": waited.total,
            }
            row = (await self._state.run(connection, "run_waiting", values)).one_or_none()
            if row is None:
                raise LeaseLostError(f"Run {run.id} is no longer held by this process.")
            await keep_waits(connection, self._state, run.id, waited)
        if row.paused:
            raise HoldError(paused_sentence(row.paused_reason))
        if row.breaker_open:
            raise HoldError(f"The breaker is open: {row.breaker_reason}")

    async def wait_or_stop(self, seconds: float) -> None:
        """Let `seconds` pass, or less when the run is to stop."""
        try:
            await asyncio.wait_for(self._stop.wait(), timeout=max(seconds, 0.001))
        except TimeoutError:
            return


def _backoff_seconds(failures: int) -> float:
    """How much longer to wait after so many failures in a row, with jitter."""
    if failures == 0:
        return 0.0
    return random.uniform(0, min(LONGEST_RETRY_WAIT_SECONDS, 2.0**failures))
