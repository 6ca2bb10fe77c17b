"""Situations that the policy decides about."""

from __future__ import annotations

from datetime import UTC, datetime, time

from checks.census import Census, CensusForm
from monitor.config.types import WINDOW
from monitor.policy.inputs import PolicyInput, PolicySettings
from monitor.state.control import Control
from monitor.state.runs import Run, RunKind, RunState, Trigger

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
NIGHT = WINDOW.parse("22:00-04:00")
SETTINGS = PolicySettings(
    heals=True, threshold=1, consecutive=1, cooldown_seconds=60, window=None, max_share=0.5
)


def census(legacy: int, tracked: int = 100) -> Census:
    return Census(
        as_of=NOW,
        form=CensusForm.BY_TOTAL,
        tracked=tracked,
        fresh=0,
        storage=0,
        legacy_untracked=legacy,
        appeared=0,
        legacy_artworks=min(legacy, 1),
        oldest_legacy_created=None,
        audience=1,
        users=1,
        duration_seconds=0.1,
    )


def run(state: RunState, *, leased: bool) -> Run:
    return Run(
        id=12,
        kind=RunKind.HEAL,
        trigger=Trigger.SCHEDULE,
        state=state,
        reason="",
        outcome="",
        holder="a",
        token=1,
        lease_until=NOW,
        leased=leased,
        started_at=NOW,
        finished_at=None,
        legacy_until=NOW,
        created_before=None,
        subject=None,
        planned_users=3,
        planned_rows=40,
        pass_=1,
        position=1,
        artwork_cursor=None,
        batches=1,
        inserted=10,
        writing_seconds=0.1,
        waiting_seconds=0.0,
        legacy_before=None,
        legacy_after=None,
        remaining=None,
        undoes=None,
        user_cursor=None,
        beyond_breaker=False,
        quarantined=0,
        aside=0,
        recurring=0,
        waiting_for="",
    )


RUNNING = run(RunState.RUNNING, leased=True)
HELD = run(RunState.HELD, leased=False)
LOST = run(RunState.RUNNING, leased=False)
TEN = PolicyInput(
    censuses=(census(10),),
    census_error=None,
    control=Control(),
    active_run=None,
    seconds_since_run=None,
    local_time=time(12),
)
"""Ten legacy pairs among 110, and nothing against healing them."""
