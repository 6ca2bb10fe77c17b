"""The time between two batches: the rest that `duty` asks for, and waiting for others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from monitor.database import transaction
from monitor.healing.batches import HoldError, LeaseLostError, paused_sentence
from monitor.healing.traffic import Traffic, Wait
from monitor.healing.waits import SHORT, Waited, keep_waits
from monitor.state.runs import Run
from monitor.state.statements import StateStatements

log = structlog.get_logger(__name__)

LOOK_SECONDS = 1.0
"""How often the signals are read again while a run waits for them."""
DUTY = "duty"
"""The reason of a rest that nobody but `pace.duty` asked for."""


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
        return Waited({DUTY: time.perf_counter() - started})

    async def until_free(self, run: Run, waited: Waited) -> Waited:
        """Wait while others have the right of way; `waited` with what of it is not yet kept.

        Raises HoldError when paused or stopped meanwhile, LeaseLostError.
        """
        waiting: Wait | None = None
        while True:
            wait = await self._traffic.look(waiting)
            if wait is None:
                if waiting is not None:
                    log.info("run_goes_on", run_id=run.id)
                    self._say(None)
                return waited
            if waiting is None or wait.code != waiting.code:
                log.info("run_waits", run_id=run.id, code=wait.code, reason=wait.reason)
            self._say(wait.reason)
            waiting = wait
            started = time.perf_counter()
            await self.wait_or_stop(LOOK_SECONDS)
            waited = waited.plus(wait.code, time.perf_counter() - started)
            waited = await self._keep(run, wait, waited)
            if self._stop.is_set():
                raise HoldError("The service is shutting down.")

    async def _keep(self, run: Run, wait: Wait, waited: Waited) -> Waited:
        """Write down what was waited so far, and keep the lease."""
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
        return Waited()

    async def wait_or_stop(self, seconds: float) -> None:
        """Let `seconds` pass, or less when the run is to stop."""
        try:
            await asyncio.wait_for(self._stop.wait(), timeout=max(seconds, 0.001))
        except TimeoutError:
            return
