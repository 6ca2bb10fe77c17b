"""The one interface through which pages and API ask the service to do something."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from checks.pairs import UserCensus
from monitor.policy.breaker_store import BreakerReset, RepairBreakerReset
from monitor.state.checks import CheckHistory
from monitor.state.history import CensusPoint
from monitor.state.repairs import DecisionRow
from monitor.state.runs import Backfilled, BatchRow, QuarantinedPair, Run


@dataclass(frozen=True, slots=True)
class UserBackfill:
    """What became of a per-user backfill."""

    updated: int
    """Rows written."""
    run_id: int | None
    """None where nothing was to be written."""
    skipped: bool
    """The user was backfilled before, and nobody forced a repetition."""


@dataclass(frozen=True, slots=True)
class WouldUndo:
    """What an undo would find, in rows of the run's ledger."""

    untouched: int
    """Still as the run wrote them: these would be taken back."""
    touched: int
    """Viewed again since: these would stay."""
    gone: int


@dataclass(frozen=True, slots=True)
class WouldMend:
    """What a run of a repair would do now."""

    would_mend: int
    """Rows, at most `max_rows_per_run`."""
    named: int
    """Rows that `find` names."""
    share: float
    """Of the table, 0 to 1."""
    action: str
    table: str
    keys: tuple[Mapping[str, object], ...]
    """Of the first rows, column by column; nothing else of them."""
    refused: str
    """Why the breaker would refuse it; empty where nothing does."""


class Commands(Protocol):
    """Everything that HTTP may cause. Refusals are RefusedError; the database's troubles
    DatabaseUnavailableError and StatementError; an unknown user UnknownUserError, an unknown run
    UnknownRunError."""

    async def user_census(self, user_id: str) -> UserCensus:
        """One user's counts, live."""

    async def backfilled(self, user_id: str) -> Backfilled | None:
        """The backfill of this user that sets the once-flag, if there was one."""

    async def backfill_user(self, user_id: str, *, force: bool) -> UserBackfill:
        """Backfill one user, once unless forced."""

    async def would_backfill_user(self, user_id: str) -> int:
        """How many rows a backfill of this user would write now."""

    async def backfill_all(self) -> int | None:
        """Start a run over the audience in the background; its number, or None when there is
        nothing to heal."""

    async def undo(self, run_id: int) -> int | None:
        """Start an undo of a run in the background, or go on with its unfinished one; its number,
        or None when there is nothing to take back."""

    async def would_undo(self, run_id: int) -> WouldUndo:
        """What an undo of this run would find now."""

    async def runs(self, *, limit: int, before: int | None) -> tuple[Run, ...]:
        """The newest runs first."""

    async def run(self, run_id: int) -> Run | None:
        """One run."""

    def other_settings(self, run: Run) -> tuple[str, ...]:
        """The settings of what is counted or written in which the present ones differ from those
        that the run was planned under, by their paths."""

    async def waits(self, run_id: int) -> Mapping[str, float]:
        """Seconds that a run waited, by reason, the longest first."""

    async def quarantine(self, run_id: int) -> tuple[QuarantinedPair, ...]:
        """At most 20 pairs that are in quarantine since this run, the newest first."""

    async def batches(self, run_id: int, *, limit: int, after: int) -> tuple[BatchRow, ...]:
        """The batches of a run, in order."""

    async def census_series(self, span: timedelta) -> tuple[CensusPoint, ...]:
        """How the counts went over the last `span`, oldest first, in at most 300 points."""

    async def check_history(self, name: str, *, limit: int) -> CheckHistory:
        """The newest results of a check, and the newest changes of its outcome."""

    async def pause(self, reason: str) -> None:
        """The kill switch."""

    async def resume(self) -> None:
        """End a pause and a suspension."""

    async def reset_breaker(self) -> BreakerReset:
        """A person has looked: close the breaker, and accept the newest census's share."""

    async def mend(self, repair: str) -> int | None:
        """Start a run of a configured repair in the background; its number, or None when its `find`
        names nothing."""

    async def would_mend(self, repair: str) -> WouldMend:
        """What a run of a configured repair would do now."""

    async def repair_decisions(self, repair: str, *, limit: int) -> tuple[DecisionRow, ...]:
        """How the decisions about a repair changed, the newest first."""

    async def resume_repair(self, repair: str) -> bool:
        """End the suspension of a repair; False where there was none."""

    async def reset_repair_breaker(self, repair: str) -> RepairBreakerReset:
        """A person has looked: close the breaker of a repair, and accept what it named last."""

    async def wake_loop(self) -> bool:
        """Have the leader count and decide now; where it is another replica, at its next look.
        False: no census is taken."""
