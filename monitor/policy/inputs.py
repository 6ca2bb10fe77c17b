"""What the policy looks at: the settings that decide, and how things are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time

from checks.census import Census
from monitor.config.types import MaintenanceWindow
from monitor.policy.breaker import BreakerSettings, FinishedRun
from monitor.policy.loss import Loss
from monitor.state.control import Control
from monitor.state.runs import Run


@dataclass(frozen=True, slots=True)
class PolicySettings:
    """The settings that decide. Times in seconds, shares 0 to 1."""

    heals: bool
    threshold: int
    consecutive: int
    cooldown_seconds: float
    window: MaintenanceWindow | None
    max_share: float = 0.5
    max_tracked_drop: float = 0.1
    stuck_after: int = 3

    @property
    def breaker(self) -> BreakerSettings:
        """The breaker's limits."""
        return BreakerSettings(self.max_share, self.max_tracked_drop, self.stuck_after)


@dataclass(frozen=True, slots=True)
class PolicyInput:
    """Everything that a decision looks at."""

    censuses: Sequence[Census]
    """The newest first; at least `consecutive` of them once the service has run that long."""
    census_error: str | None
    """Why the newest census could not be taken, or None."""
    control: Control
    active_run: Run | None
    seconds_since_run: float | None
    """Since the last heal run ended; None before the first."""
    local_time: time
    """In the catalogue's time zone, by the database's clock."""
    blockers: Sequence[str] = ()
    """What `doctor` says must be mended before anything is written."""
    most_audience: int = 0
    """The largest audience of the last 24 hours' censuses."""
    loss: Loss | None = None
    """From a tally taken in this pass; None where none was."""
    tally_error: str | None = None
    """Why the tally that goes before a heal could not be taken."""
    last_runs: Sequence[FinishedRun] = ()
    """The heal runs that ended last, the newest first."""
    recurring: int = 0
    """Legacy pairs that appeared behind the last verified heal, as the pass's tally found them."""
    recurring_before: int = 0
    """The same of the runs of the last 24 hours."""
    quarantined: int = 0
    """Legacy pairs that can't be written, and are not due to be tried again: nobody's work."""
    retry_at: datetime | None = None
    """When the first of them is tried again."""

    @property
    def in_quarantine(self) -> str:
        """What a sentence about legacy pairs adds; empty where none is put aside."""
        return f", {self.quarantined} of them in quarantine" if self.quarantined else ""

    def to_heal(self, census: Census) -> int:
        """The legacy pairs of a census that a run would try to write."""
        return max(0, census.legacy_untracked - self.quarantined)
