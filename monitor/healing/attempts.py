"""One batch, tried as often as its error allows."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    wait_random_exponential,
)

from checks.errors import ConservatorError, DatabaseUnavailableError
from monitor.database import RETRYABLE_STATES, sqlstate
from monitor.healing.batches import Batch, HoldError, LeaseLostError
from monitor.healing.crafts import Craft
from monitor.healing.waits import Waited
from monitor.state.runs import Run

log = structlog.get_logger(__name__)

ATTEMPTS = 8
"""Tries of one batch before the run is put down; with jitter they span about a minute."""
LONGEST_RETRY_WAIT_SECONDS = 10.0
FOREIGN_KEY_VIOLATION = "23503"
SAME_SIZE_ATTEMPTS = 2
"""A row was deleted meanwhile: once more the same, whose snapshot no longer sees it, then halve."""


class Attempts:
    """Writes single batches of one run, with retries."""

    def __init__(
        self,
        craft: Craft,
        *,
        stop: asyncio.Event,
        wait_or_stop: Callable[[float], Awaitable[None]],
    ) -> None:
        self._craft = craft
        self._stop = stop
        self._wait_or_stop = wait_or_stop

    async def write(self, run: Run, size: int, waited: Waited) -> tuple[Batch | None, int]:
        """The batch, None at the end of the pass, and the size that it was written with: less
        than `size` where a smaller one was needed. Raises what the last attempt failed with."""
        retrying = AsyncRetrying(
            retry=retry_if_exception(_worth_another_try),
            wait=wait_random_exponential(multiplier=0.1, max=LONGEST_RETRY_WAIT_SECONDS),
            stop=stop_after_attempt(ATTEMPTS),
            sleep=self._wait_or_stop,
            before_sleep=lambda state: _log_retry(run, state),
            reraise=True,
        )
        async for attempt in retrying:
            with attempt:
                self._hold_when_stopping()
                number = attempt.retry_state.attempt_number
                violated = _sqlstate_of(attempt.retry_state) == FOREIGN_KEY_VIOLATION
                # First the same again: the new snapshot no longer sees the deleted row.
                if violated and number > SAME_SIZE_ATTEMPTS:
                    size = max(1, size // 2)
                batch = await self._craft.write(run, size=size, waited=waited)
        return batch, size

    def _hold_when_stopping(self) -> None:
        if self._stop.is_set():
            raise HoldError("The service is shutting down.")


def _sqlstate_of(state: RetryCallState) -> str | None:
    """The SQLSTATE of the previous attempt, if it failed with one."""
    if state.outcome is None or not state.outcome.failed:
        return None
    error = state.outcome.exception()
    return None if error is None else sqlstate(error)


def _worth_another_try(error: BaseException) -> bool:
    if isinstance(error, HoldError | LeaseLostError) or not isinstance(error, ConservatorError):
        return False
    if isinstance(error, DatabaseUnavailableError):
        return True
    state = sqlstate(error)
    return state in RETRYABLE_STATES or state == FOREIGN_KEY_VIOLATION


def _log_retry(run: Run, state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome is not None else None
    log.warning(
        "batch_retried",
        run_id=run.id,
        attempt=state.attempt_number,
        sqlstate=_sqlstate_of(state),
        error=str(error),
    )
