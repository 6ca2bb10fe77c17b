"""One batch, tried as often as its error allows, and smaller where a row of it is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from tenacity import AsyncRetrying, RetryCallState, stop_after_attempt, wait_random_exponential

from checks.errors import ConservatorError, DatabaseUnavailableError, StatementError
from monitor.database import RETRYABLE_STATES, sqlstate
from monitor.healing.batch import Batch
from monitor.healing.errors import LeaseLostError, RunHeld
from monitor.healing.sqlstates import is_row_error
from monitor.healing.strategies import RunStrategy
from monitor.healing.wait_times import WaitTimes
from monitor.healing.writer import BatchWriter
from monitor.state.runs import Run

log = structlog.get_logger(__name__)

ATTEMPTS = 8
"""Tries of one batch before the run is put down; with jitter they span about a minute."""
LONGEST_RETRY_WAIT_SECONDS = 10.0
STOPPING = "The service is shutting down."
"""Why a run is put down that was told to stop."""
FOREIGN_KEY_VIOLATION = "23503"
SAME_SIZE_ATTEMPTS = 2
"""A row was deleted meanwhile: once more the same, whose snapshot no longer sees it, then halve."""


class BatchRetrier:
    """Writes single batches of one run, with retries.

    Locks, timeouts and lost connections are waited out with jitter. An error that speaks of a row
    halves the batch, until the strategy of a batch of one row either writes it or passes it over.
    """

    def __init__(
        self,
        writer: BatchWriter,
        strategy: RunStrategy,
        *,
        stop: asyncio.Event,
        wait_or_stop: Callable[[float], Awaitable[None]],
    ) -> None:
        self._writer = writer
        self._strategy = strategy
        self._stop = stop
        self._wait_or_stop = wait_or_stop

    async def write(self, run: Run, size: int, waited: WaitTimes) -> tuple[Batch | None, int]:
        """The batch, None at the end of the pass, and the size that it was written with: less
        than `size` where the database refused a row. Raises what the last attempt failed with."""
        while True:
            try:
                return await self._patiently(run, size, waited), size
            except StatementError as error:
                if size == 1 or not is_row_error(sqlstate(error)):
                    raise
                # Ten of these for each refused pair, which is then told of by itself.
                log.debug("batch_halved", run_id=run.id, sqlstate=sqlstate(error), size=size)
                size = size // 2

    async def _patiently(self, run: Run, size: int, waited: WaitTimes) -> Batch | None:
        """One size, again and again as long as only others are in the way."""
        retrying = AsyncRetrying(
            retry=_worth_another_try,
            wait=wait_random_exponential(multiplier=0.1, max=LONGEST_RETRY_WAIT_SECONDS),
            stop=stop_after_attempt(ATTEMPTS),
            sleep=self._wait_or_stop,
            before_sleep=lambda state: _log_retry(run, state),
            reraise=True,
        )
        async for attempt in retrying:
            with attempt:
                if self._stop.is_set():
                    raise RunHeld(STOPPING)
                batch = await self._writer.write(run, self._strategy, size=size, waited=waited)
        return batch


def _worth_another_try(state: RetryCallState) -> bool:
    error = state.outcome.exception() if state.outcome is not None else None
    if isinstance(error, LeaseLostError) or not isinstance(error, ConservatorError):
        return False
    if isinstance(error, DatabaseUnavailableError):
        return True
    if sqlstate(error) == FOREIGN_KEY_VIOLATION:
        return state.attempt_number < SAME_SIZE_ATTEMPTS
    return sqlstate(error) in RETRYABLE_STATES


def _log_retry(run: Run, state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome is not None else None
    log.warning(
        "batch_retried",
        run_id=run.id,
        attempt=state.attempt_number,
        sqlstate=None if error is None else sqlstate(error),
        error=str(error),
    )
