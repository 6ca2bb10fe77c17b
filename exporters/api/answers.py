"""Records -> JSON. Moments are ISO 8601 in UTC with a Z, durations seconds."""

from __future__ import annotations

import math

from checks.census import Census
from checks.pairs import UserCensus
from exporters.current import check_is_stale
from exporters.moments import moment, moment_or_none, unix_moment
from monitor.commands import UserBackfill
from monitor.state.runs import BatchRow, Run, RunKind
from monitor.status import CheckStatus

Json = dict[str, object]


def counts(census: Census | UserCensus) -> Json:
    """The four counts."""
    return {
        "fresh": census.fresh,
        "storage": census.storage,
        "legacy_untracked": census.legacy_untracked,
        "tracked": census.tracked,
        "as_of": moment(census.as_of),
    }


def backfill(done: UserBackfill) -> Json:
    """What became of a per-user backfill; `run_id` is null where there was nothing to write."""
    if done.skipped:
        return {"updated": 0, "skipped": True}
    return {"updated": done.updated, "run_id": done.run_id}


def check(status: CheckStatus, now: float) -> Json:
    """The last result of a check, marked stale where it is."""
    finite = status.value is not None and math.isfinite(status.value)
    return {
        "name": status.name,
        "outcome": status.outcome,
        "value": status.value if finite else None,
        "message": status.message,
        "stale": check_is_stale(status, now),
        "since": unix_moment(status.since),
        "last_run": unix_moment(status.last_run),
        "last_success": unix_moment(status.last_success),
        "duration_seconds": status.duration_seconds,
        "interval_seconds": status.interval_seconds,
        "configured_interval_seconds": status.configured_interval_seconds,
        "evidence": [dict(row) for row in status.evidence],
    }


def run(found: Run) -> Json:
    """A run, without what only its worker needs: lease, fencing token, cursor."""
    return {
        "id": found.id,
        "kind": found.kind,
        "trigger": found.trigger,
        "state": found.state,
        "reason": found.reason,
        "outcome": found.outcome,
        "holder": found.holder,
        "user_id": str(found.subject) if found.kind is RunKind.USER else None,
        "started_at": moment(found.started_at),
        "finished_at": moment_or_none(found.finished_at),
        "legacy_until": moment(found.legacy_until),
        "created_before": moment_or_none(found.created_before),
        "planned_users": found.planned_users,
        "planned_rows": found.planned_rows,
        "pass": found.pass_,
        "batches": found.batches,
        "inserted": found.inserted,
        "writing_seconds": found.writing_seconds,
        "waiting_seconds": found.waiting_seconds,
        "legacy_before": found.legacy_before,
        "legacy_after": found.legacy_after,
        "remaining": found.remaining,
    }


def batch(row: BatchRow) -> Json:
    """One committed batch."""
    return {
        "number": row.number,
        "started_at": moment(row.started_at),
        "seconds": row.seconds,
        "users": row.users,
        "inserted": row.inserted,
    }
