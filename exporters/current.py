"""What of a snapshot may be shown as current: a stale number must not look like a healthy one."""

from __future__ import annotations

from checks.affected import AffectedUsers
from checks.census import Census
from checks.judgement import Outcome
from monitor.policy.repairs import COUNT_BUDGET
from monitor.status import (
    CENSUS,
    STALE_AFTER_INTERVALS,
    CheckResult,
    RepairStatus,
    Status,
    is_stale,
)


def current_census(status: Status, now: float) -> Census | None:
    """The census, unless it is too old at `now`, or nobody says how often one is taken."""
    check = status.checks.get(CENSUS)
    if check is None or is_stale(status.census_monotonic, check.holds_seconds, now):
        return None
    return status.census


def current_users(status: Status, now: float) -> AffectedUsers | None:
    """The count of affected users, unless it is too old at `now`."""
    census = status.checks.get(CENSUS)
    # Counted with a census by cron, they hold as long as it does.
    holds = STALE_AFTER_INTERVALS * status.users_interval_seconds
    if census is not None and status.users_interval_seconds <= census.interval_seconds:
        holds = census.holds_seconds
    if is_stale(status.users_monotonic, holds, now):
        return None
    return status.users


def check_is_stale(check: CheckResult, now: float) -> bool:
    """Whether the check was last evaluated too long ago, or never."""
    return is_stale(check.monotonic, check.holds_seconds, now)


def current_outcome(check: CheckResult, now: float) -> Outcome | None:
    """The outcome, unless it is too old. An error stays: it looks healthy to nobody."""
    return check.current_outcome(now)


def pending_rows(status: Status, repair: RepairStatus, now: float) -> int | None:
    """How many rows the repair's `find` counted last; None where that failed, or is too old: it is
    counted as often as its check runs, as far as its own budget allows."""
    count, check = repair.count, status.checks.get(repair.check)
    if count is None or count.error is not None or check is None:
        return None
    holds = max(check.holds_seconds, STALE_AFTER_INTERVALS * count.seconds / COUNT_BUDGET)
    return None if is_stale(repair.counted_monotonic, holds, now) else count.named


def remaining_rows(status: Status) -> int:
    """Rows of the active run's plan that are not yet written; 0 while no run is active."""
    run, progress = status.active_run, status.progress
    if run is None:
        return 0
    if progress is not None and progress.run.id == run.id:
        return progress.remaining
    return max(0, run.planned_rows - run.inserted)
