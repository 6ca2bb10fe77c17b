"""What the policy decides about: a gallery with some legacy pairs, and runs in its way."""

from __future__ import annotations

from datetime import UTC, datetime, time

from checks.census import Census
from monitor.config.types import WINDOW
from monitor.policy.inputs import PolicyInput, PolicySettings
from monitor.state.control import Control
from monitor.state.runs import RunState
from tests.support.builders import a_census, a_run

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
NIGHT = WINDOW.parse("22:00-04:00")
SETTINGS = PolicySettings(
    heals=True, threshold=1, consecutive=1, cooldown_seconds=60, window=None, max_share=0.5
)


def census(legacy: int, tracked: int = 100) -> Census:
    """Of one user, with nothing fresh and nothing in storage."""
    return a_census(
        as_of=NOW,
        tracked=tracked,
        fresh=0,
        storage=0,
        legacy_untracked=legacy,
        appeared=0,
        legacy_artworks=min(legacy, 1),
        oldest_legacy_created=None,
        audience=1,
        users=1,
    )


RUNNING = a_run(batches=1, inserted=10, planned_rows=40)
HELD = a_run(batches=1, inserted=10, planned_rows=40, state=RunState.HELD, leased=False)
LOST = a_run(batches=1, inserted=10, planned_rows=40, leased=False)
TEN = PolicyInput(
    censuses=(census(10),),
    census_error=None,
    control=Control(),
    active_run=None,
    seconds_since_run=None,
    local_time=time(12),
)
"""Ten legacy pairs among 110, and nothing against healing them."""
