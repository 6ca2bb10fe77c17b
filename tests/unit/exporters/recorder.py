"""Commands that write down what was asked and answer what the test said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from checks.pairs import UserCensus
from monitor.commands import UserBackfill, WouldMend, WouldUndo
from monitor.policy.breaker_store import BreakerReset, RepairBreakerReset
from monitor.state.checks import CheckHistory
from monitor.state.history import CensusPoint
from monitor.state.repairs import DecisionRow
from monitor.state.runs import Backfilled, BatchRow, QuarantinedPair, Run
from tests.support.builders import NOON


@dataclass
class Recorder:
    """`asked` holds every call; `error` is raised by each of them while it is set."""

    asked: list[tuple[object, ...]] = field(default_factory=list)
    error: Exception | None = None
    found_runs: tuple[Run, ...] = ()
    found_batches: tuple[BatchRow, ...] = ()
    found_waits: Mapping[str, float] = field(default_factory=dict)
    found_quarantine: tuple[QuarantinedPair, ...] = ()
    found_series: tuple[CensusPoint, ...] = ()
    found_backfilled: Backfilled | None = None
    found_history: CheckHistory = field(default_factory=lambda: CheckHistory((), ()))
    started_run: int | None = 13
    wakes: bool = True
    reset: BreakerReset = field(
        default_factory=lambda: BreakerReset(True, "max_share", "Too much.", NOON, 0.6)
    )
    done: UserBackfill = field(default_factory=lambda: UserBackfill(6, 12, skipped=False))

    def _note(self, *call: object) -> None:
        self.asked.append(call)
        if self.error is not None:
            raise self.error

    async def user_census(self, user_id: str) -> UserCensus:
        self._note("user_census", user_id)
        return UserCensus(NOON, True, tracked=3, fresh=0, storage=1, legacy_untracked=2)

    async def backfill_user(self, user_id: str, *, force: bool) -> UserBackfill:
        self._note("backfill_user", user_id, force)
        return self.done

    async def would_backfill_user(self, user_id: str) -> int:
        self._note("would_backfill_user", user_id)
        return 6

    async def backfill_all(self) -> int | None:
        self._note("backfill_all")
        return self.started_run

    async def undo(self, run_id: int) -> int | None:
        self._note("undo", run_id)
        return self.started_run

    async def would_undo(self, run_id: int) -> WouldUndo:
        self._note("would_undo", run_id)
        return WouldUndo(untouched=6, touched=2, gone=1)

    async def census_series(self, span: timedelta) -> tuple[CensusPoint, ...]:
        self._note("census_series", span)
        return self.found_series

    async def backfilled(self, user_id: str) -> Backfilled | None:
        self._note("backfilled", user_id)
        return self.found_backfilled

    async def check_history(self, name: str, *, limit: int) -> CheckHistory:
        self._note("check_history", name, limit)
        return CheckHistory(self.found_history.results[:limit], self.found_history.transitions)

    async def runs(self, *, limit: int, before: int | None) -> tuple[Run, ...]:
        self._note("runs", limit, before)
        older = [run for run in self.found_runs if before is None or run.id < before]
        return tuple(older[:limit])

    async def run(self, run_id: int) -> Run | None:
        self._note("run", run_id)
        return next((run for run in self.found_runs if run.id == run_id), None)

    def other_settings(self, run: Run) -> tuple[str, ...]:
        return () if run.catalogue is None else ("catalog.impressions.where",)

    async def waits(self, run_id: int) -> Mapping[str, float]:
        self._note("waits", run_id)
        return self.found_waits

    async def quarantine(self, run_id: int) -> tuple[QuarantinedPair, ...]:
        self._note("quarantine", run_id)
        return self.found_quarantine

    async def batches(self, run_id: int, *, limit: int, after: int) -> tuple[BatchRow, ...]:
        self._note("batches", run_id, limit, after)
        return tuple(row for row in self.found_batches if row.number > after)[:limit]

    async def pause(self, reason: str) -> None:
        self._note("pause", reason)

    async def resume(self) -> None:
        self._note("resume")

    async def reset_breaker(self) -> BreakerReset:
        self._note("reset_breaker")
        return self.reset

    async def mend(self, repair: str) -> int | None:
        self._note("mend", repair)
        return self.started_run

    async def would_mend(self, repair: str) -> WouldMend:
        self._note("would_mend", repair)
        return WouldMend(6, 7, 0.01, "delete", "user_art_impressions", ({"id": "42"},), "")

    async def repair_decisions(self, repair: str, *, limit: int) -> tuple[DecisionRow, ...]:
        self._note("repair_decisions", repair, limit)
        return (DecisionRow(NOON, "paused", "observe", "Its check fails."),)

    async def resume_repair(self, repair: str) -> bool:
        self._note("resume_repair", repair)
        return True

    async def reset_repair_breaker(self, repair: str) -> RepairBreakerReset:
        self._note("reset_repair_breaker", repair)
        return RepairBreakerReset(repair, True, "max_rows", "Too many.", NOON, 600)

    async def wake_loop(self) -> bool:
        self._note("wake_loop")
        return self.wakes
