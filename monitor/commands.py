"""The one interface through which pages and API ask the service to do something."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from checks.pairs import UserCensus
from monitor.state.runs import BatchRow, Run


@dataclass(frozen=True, slots=True)
class UserBackfill:
    """What became of a per-user backfill."""

    updated: int
    """Rows written."""
    run_id: int | None
    """None where nothing was to be written."""
    skipped: bool
    """The user was backfilled before, and nobody forced a repetition."""


class Commands(Protocol):
    """Everything that HTTP may cause. Refusals are RefusedError; the database's troubles
    DatabaseUnavailableError and StatementError; an unknown user UnknownUserError."""

    async def user_census(self, user_id: str) -> UserCensus:
        """One user's counts, live."""
        ...

    async def backfill_user(self, user_id: str, *, force: bool) -> UserBackfill:
        """Backfill one user, once unless forced."""
        ...

    async def would_backfill_user(self, user_id: str) -> int:
        """How many rows a backfill of this user would write now."""
        ...

    async def backfill_all(self) -> int | None:
        """Start a run over the audience in the background; its number, or None when there is
        nothing to heal."""
        ...

    async def runs(self, *, limit: int, before: int | None) -> tuple[Run, ...]:
        """The newest runs first."""
        ...

    async def run(self, run_id: int) -> Run | None:
        """One run."""
        ...

    async def batches(self, run_id: int, *, limit: int, after: int) -> tuple[BatchRow, ...]:
        """The batches of a run, in order."""
        ...

    async def pause(self, reason: str) -> None:
        """The kill switch."""
        ...

    async def resume(self) -> None:
        """End a pause and a suspension."""
        ...
