"""Keeps the snapshot and our own tables in step: what others change is read, totals are added."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.errors import ConservatorError, DatabaseUnavailableError
from monitor.database import transaction
from monitor.state.control import read_control
from monitor.state.counters import CHECK_MISSED, add_to_counters, read_counters
from monitor.state.history import prune
from monitor.state.runs import active_run
from monitor.status import StatusBoard
from monitor.workshop import Workshop

log = structlog.get_logger(__name__)

SHORT = timedelta(seconds=10)
"""The deadline of a statement over our own tables."""


class Bookkeeper:
    """Reads and writes the small things. What the database does is logged, never raised."""

    def __init__(
        self, engine: AsyncEngine, workshop: Callable[[], Workshop], board: StatusBoard
    ) -> None:
        self._engine = engine
        self._workshop = workshop
        self._board = board
        self._missed: dict[str, int] = {}

    def count_missed(self, name: str) -> None:
        """A run of the job `name` was left out; the next refresh adds it to the totals."""
        self._missed[name] = self._missed.get(name, 0) + 1

    async def refresh(self) -> None:
        """Read what others may have changed: pause, totals, the active run."""
        state = self._workshop().state
        missed, self._missed = self._missed, {}
        try:
            async with transaction(self._engine, timeout=SHORT) as connection:
                await add_to_counters(
                    connection, state, {(CHECK_MISSED, name): n for name, n in missed.items()}
                )
                control = await read_control(connection, state)
                counters = await read_counters(connection, state)
                run = await active_run(connection, state)
        except ConservatorError as error:
            for name, n in missed.items():
                self._missed[name] = self._missed.get(name, 0) + n
            if isinstance(error, DatabaseUnavailableError):
                self._board.update(database_up=False, database_error=str(error))
            log.warning("refresh_failed", error=str(error))
            return
        self._board.update(
            control=control,
            control_known=True,
            counters=counters,
            active_run=run,
            database_up=True,
            database_error=None,
        )

    async def add(self, added: dict[tuple[str, str], float]) -> None:
        """Add to the totals."""
        try:
            async with transaction(self._engine, timeout=SHORT) as connection:
                await add_to_counters(connection, self._workshop().state, added)
        except ConservatorError as error:
            log.warning("totals_not_kept", error=str(error))

    async def prune(self) -> None:
        """Forget what is older than `history`; close per-user runs whose process is gone."""
        workshop = self._workshop()
        try:
            async with transaction(self._engine, timeout=SHORT) as connection:
                await prune(connection, workshop.state, workshop.settings.history)
                await workshop.state.run(connection, "run_abandon_user", {"subject": None})
        except ConservatorError as error:
            log.warning("history_not_pruned", error=str(error))
