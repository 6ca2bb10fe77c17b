"""Records -> JSON. Moments are ISO 8601 in UTC with a Z, durations seconds."""

from __future__ import annotations

import math
from collections.abc import Mapping

from checks.census import Census
from checks.pairs import UserCensus
from exporters.api.shapes.artworks import Counts, UserHealed, UserSkipped
from exporters.api.shapes.checks import CheckResult, Measured, Transition
from exporters.api.shapes.healing import BreakerClosed, Healing
from exporters.api.shapes.runs import Batch, PutAside, RunAnswer, WouldTakeBack
from exporters.current import check_is_stale
from exporters.moments import moment, moment_or_none, unix_moment
from monitor import status as known
from monitor.commands import UserBackfill, WouldUndo
from monitor.policy.breaker_store import BreakerReset
from monitor.state.checks import ResultRow, TransitionRow
from monitor.state.runs import BatchRow, QuarantinedPair, Run
from monitor.status import Status


def counts(census: Census | UserCensus) -> Counts:
    """The four counts."""
    return {
        "fresh": census.fresh,
        "storage": census.storage,
        "legacy_untracked": census.legacy_untracked,
        "tracked": census.tracked,
        "as_of": moment(census.as_of),
    }


def backfill(done: UserBackfill) -> UserHealed | UserSkipped:
    """What became of a per-user backfill; `run_id` is null where there was nothing to write."""
    if done.skipped:
        return {"updated": 0, "skipped": True}
    return {"updated": done.updated, "run_id": done.run_id}


def check(status: known.CheckResult, now: float) -> CheckResult:
    """The last result of a check, marked stale where it is."""
    return {
        "name": status.name,
        "outcome": status.outcome,
        "value": _number(status.value),
        "message": status.message,
        "stale": check_is_stale(status, now),
        "since": unix_moment(status.since),
        "last_run": unix_moment(status.last_run),
        "last_success": unix_moment(status.last_success),
        "duration_seconds": status.duration_seconds,
        "interval_seconds": status.interval_seconds,
        "configured_interval_seconds": status.configured_interval_seconds,
        "numbers": _finite(status.numbers),
        "evidence": [dict(row) for row in status.evidence],
        "warn": status.facts.warn,
        "fail": status.facts.fail,
        "owner": status.facts.owner,
        "runbook": status.facts.runbook,
        "suite": status.facts.suite,
    }


def transition(row: TransitionRow) -> Transition:
    """A change of a check's outcome; `before` null: its first result."""
    return {
        "changed_at": moment(row.changed_at),
        "before": row.before,
        "after": row.after,
        "value": _number(row.value),
        "message": row.message,
    }


def result(row: ResultRow) -> Measured:
    """One run of a check."""
    return {
        "taken_at": moment(row.taken_at),
        "outcome": row.outcome,
        "value": _number(row.value),
        "seconds": row.seconds,
    }


def _number(value: float | None) -> float | None:
    """Null for what JSON has no word for."""
    return value if value is not None and math.isfinite(value) else None


def _finite(numbers: Mapping[str, float]) -> dict[str, float]:
    """Without what JSON has no word for."""
    return {name: number for name, number in numbers.items() if math.isfinite(number)}


def run(found: Run) -> RunAnswer:
    """A run, without what only its worker needs: lease, fencing token, cursor."""
    return {
        "id": found.id,
        "kind": found.kind,
        "undoes": found.undoes,
        "trigger": found.trigger,
        "state": found.state,
        "reason": found.reason,
        "outcome": found.outcome,
        "holder": found.holder,
        "user_id": None if found.subject is None else str(found.subject),
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
        "waiting_for": found.waiting_for or None,
        "legacy_before": found.legacy_before,
        "legacy_after": found.legacy_after,
        "remaining": found.remaining,
        "quarantined": found.quarantined,
    }


def quarantined(pair: QuarantinedPair) -> PutAside:
    """A pair that can't be written, and what the database said."""
    return {
        "user_id": pair.user_id,
        "artwork_id": pair.artwork_id,
        "error": pair.error,
        "attempts": pair.attempts,
        "first_at": moment(pair.first_at),
        "last_at": moment(pair.last_at),
        "retry_at": moment(pair.retry_at),
    }


def healing(status: Status, *, observe: bool) -> Healing:
    """How healing stands; `observe`: the configuration lets only people heal."""
    control, decision = status.control, status.decision
    return {
        "mode": "observe" if observe else "heal",
        "decision": None
        if decision is None
        else {
            "kind": decision.kind,
            "code": decision.code,
            "reason": decision.reason,
            "decided_at": moment_or_none(status.decided_at),
        },
        "paused": control.paused,
        "paused_reason": control.paused_reason or None,
        "suspended": control.suspended,
        "suspended_reason": control.suspended_reason or None,
        "breaker": {
            "open": control.breaker_open,
            "code": control.breaker_code or None,
            "reason": control.breaker_reason or None,
            "since": moment_or_none(control.breaker_at),
            "reset_at": moment_or_none(control.breaker_reset_at),
            "accepted_share": control.accepted_share,
        },
        "recurring": status.recurring,
    }


def reset(done: BreakerReset) -> BreakerClosed:
    """What a reset of the breaker did; `was_open` false: nothing."""
    return {
        "breaker_open": False,
        "was_open": done.was_open,
        "code": done.code or None,
        "reason": done.reason or None,
        "since": moment_or_none(done.since),
        "accepted_share": done.accepted_share,
    }


def would_undo(found: WouldUndo) -> WouldTakeBack:
    """What an undo would find, in rows."""
    return {"would_undo": found.untouched, "touched": found.touched, "gone": found.gone}


def batch(row: BatchRow) -> Batch:
    """One committed batch."""
    return {
        "number": row.number,
        "started_at": moment(row.started_at),
        "seconds": row.seconds,
        "users": row.users,
        "inserted": row.inserted,
    }
