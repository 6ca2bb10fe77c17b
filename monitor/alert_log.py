"""Takes what Alertmanager tells, at once; writes it down as soon as the database takes it.

    told ──> waiting (memory, bounded) ──> recorded (a row, once for all replicas)

A process that ends while the database is away loses what waits: Alertmanager repeats what still
fires, and nothing is decided by an alert.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.errors import ConservatorError, DatabaseUnavailableError
from monitor.database import transaction
from monitor.runtime import Runtime
from monitor.state.alerts import Notification, record_alerts

log = structlog.get_logger(__name__)

PATIENCE_SECONDS = 2.0
"""How long Alertmanager waits for the record: its answer must not hang with the database."""
DEADLINE = timedelta(seconds=10)
MOST_WAITING = 10_000
"""Notifications that wait for a database that is away; of more, the oldest are lost."""


class AlertLog:
    """What was told to this process."""

    def __init__(self, engine: AsyncEngine, runtime: Callable[[], Runtime], *, holder: str) -> None:
        self._engine = engine
        self._runtime = runtime
        self._holder = holder
        self._waiting: deque[Notification] = deque(maxlen=MOST_WAITING)
        self._turn = asyncio.Lock()
        self._writing: set[asyncio.Task[frozenset[Notification] | None]] = set()

    @property
    def tasks(self) -> tuple[asyncio.Task[frozenset[Notification] | None], ...]:
        """What is being written down."""
        return tuple(self._writing)

    async def take(self, alerts: Iterable[Notification]) -> frozenset[Notification] | None:
        """Which of `alerts`, and of those that waited, no replica had recorded; None: the database
        has not taken them in time, and they wait."""
        self._waiting.extend(alerts)
        writing = asyncio.create_task(self.flush(), name="alerts")
        self._writing.add(writing)
        writing.add_done_callback(self._writing.discard)
        done, _ = await asyncio.wait({writing}, timeout=PATIENCE_SECONDS)
        return writing.result() if done else None

    async def flush(self) -> frozenset[Notification] | None:
        """Write down what waits; None where the database doesn't take it. Never raises what the
        database does."""
        async with self._turn:
            told = tuple(self._waiting)
            if not told:
                return frozenset()
            self._waiting.clear()
            try:
                return await self._record(told)
            except ConservatorError as error:
                again = isinstance(error, DatabaseUnavailableError)
                event = "alerts_wait" if again else "alerts_not_recorded"
                log.warning(event, alerts=len(told), error=str(error))
                if again:
                    self._waiting.extendleft(reversed(told))
                return None

    async def _record(self, told: Sequence[Notification]) -> frozenset[Notification]:
        state = self._runtime().state
        async with transaction(self._engine, timeout=DEADLINE) as connection:
            return await record_alerts(connection, state, told, taken_by=self._holder)
