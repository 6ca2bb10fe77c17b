"""What the service knows right now: one immutable snapshot, replaced as a whole.

Exporters read it and nothing else, so that no scrape ever touches the database. Moments that are
compared with "now" are on the process's monotonic clock: `monotonic` fields, in seconds.
"""

from __future__ import annotations

import os
import socket
import subprocess
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

import structlog

from checks.affected import AffectedUsers
from checks.census import Census
from checks.doctor.findings import TABLE_MISSING, Examination, Finding
from checks.judgement import MAX_EVIDENCE, Measurement, Outcome
from monitor.config import Mode, Settings
from monitor.deadlines import GIT_SECONDS
from monitor.healing.executor import Progress
from monitor.policy.decision import Decision
from monitor.state.control import Control
from monitor.state.repairs import RepairControl, RepairCount
from monitor.state.runs import Run

log = structlog.get_logger(__name__)

CENSUS = "census"
"""The name of the check whose result the census is; its interval is the census's."""
STRUCTURE = "structure"
"""The name of the check whose result is what doctor finds."""
REPAIRS = "repair-pass"
"""The name of the job that decides about repairs; no check can have it."""
STALE_AFTER_INTERVALS = 3
"""A result older than this many of its intervals in effect is no longer shown as current."""


UNREAD = Examination(findings=(), catalogue=None)
"""Nothing is known of the app's tables yet."""


@dataclass(frozen=True, slots=True)
class CheckFacts:
    """What the configuration says about a check, for whoever looks at its result."""

    warn: str | None = None
    """The condition on which it warns, in words; None: never."""
    fail: str | None = None
    """The condition on which it fails, in words; None: never."""
    owner: str | None = None
    runbook: str | None = None
    suite: str | None = None
    """Of an expectation: the suite that it belongs to."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The last result of one check. Moments are Unix seconds, durations seconds."""

    name: str
    outcome: Outcome | None
    """None before the first run."""
    value: float | None
    message: str
    interval_seconds: float
    """In effect now, after the budget stretched it."""
    configured_interval_seconds: float
    duration_seconds: float | None = None
    last_run: float | None = None
    last_success: float | None = None
    """Last evaluated, whatever the verdict."""
    since: float | None = None
    """Since when the outcome has been this."""
    evidence: tuple[Mapping[str, str], ...] = ()
    """At most 20 example rows: ids and timestamps, as text."""
    numbers: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """What the value is made of."""
    facts: CheckFacts = CheckFacts()
    monotonic: float | None = None
    """When it was last evaluated, on the monotonic clock."""
    stale_after_seconds: float | None = None
    """By cron: how long the last evaluation holds, to the next run that is due and its grace. None:
    three intervals."""

    @property
    def holds_seconds(self) -> float:
        """How long the last evaluation is shown as current."""
        if self.stale_after_seconds is not None:
            return self.stale_after_seconds
        return STALE_AFTER_INTERVALS * self.interval_seconds

    def current_outcome(self, now: float) -> Outcome | None:
        """The outcome, unless it is too old at `now`. An error stays: it looks healthy to
        nobody."""
        if self.outcome is Outcome.ERROR or not is_stale(self.monotonic, self.holds_seconds, now):
            return self.outcome
        return None

    def after(self, found: Measurement, *, wall: float, monotonic: float) -> CheckResult:
        """The result that follows this one when the check found `found`, judged, at that moment.

        Where it could not be evaluated, the last value grows old until it is left out.
        """
        result = replace(
            self,
            outcome=found.outcome,
            since=self.since if self.outcome is found.outcome else wall,
            message=found.message,
            duration_seconds=found.seconds,
            last_run=wall,
            evidence=found.evidence[:MAX_EVIDENCE],
            numbers=found.numbers,
        )
        if found.outcome is Outcome.ERROR:
            return result
        return replace(result, value=found.value, last_success=wall, monotonic=monotonic)


@dataclass(frozen=True, slots=True)
class RepairStatus:
    """One configured repair, with what was found and decided last."""

    name: str
    check: str
    action: str
    table: str
    heals: bool
    """`mode: heal`; else only a person starts it."""
    own: RepairControl
    """What people have switched, and its breaker."""
    decision: Decision | None = None
    decided_at: datetime | None = None
    count: RepairCount | None = None
    """What `find` named when it was counted last."""
    counted_at: datetime | None = None
    counted_monotonic: float | None = None
    newest_run: int = 0
    """The number of its newest run; 0 before the first."""


@dataclass(frozen=True, slots=True)
class Status:
    """Everything that pages, API and metrics show."""

    started: datetime
    version: str
    revision: str
    checks: Mapping[str, CheckResult] = field(default_factory=lambda: MappingProxyType({}))
    census: Census | None = None
    census_monotonic: float | None = None
    """When the newest census was taken; None before the first."""
    users: AffectedUsers | None = None
    users_monotonic: float | None = None
    users_interval_seconds: float = 0.0
    repairs: Mapping[str, RepairStatus] = field(default_factory=lambda: MappingProxyType({}))
    """Those that are configured, by name, in the order of the configuration."""
    decision: Decision | None = None
    decided_at: datetime | None = None
    control: Control = field(default_factory=Control)
    control_known: bool = False
    """The control row has been read at least once."""
    active_run: Run | None = None
    progress: Progress | None = None
    quarantined: int = 0
    """Pairs that can't be written; each is tried again once a day."""
    recurring: int = 0
    """Pairs that the runs of the last 24 hours found behind the last verified heal's cutoff, of
    users that it had healed: what was recorded then has vanished since, or was never recorded."""
    counters: Mapping[tuple[str, str], float] = field(default_factory=lambda: MappingProxyType({}))
    """(name, label) -> total; names are those of `monitor.state.counters`."""
    replica: str = ""
    """The name of this process: host, process number, and a part that no other process has."""
    leader: bool = False
    """This process leads, and what it shows is its own."""
    leader_name: str = ""
    """Who leads; empty while nobody does, or nobody is known to."""
    reading_replica: bool | None = None
    """Whether the checks read the replica; None: none is configured, or nothing was read yet."""
    reading_problem: str = ""
    """Why they read the primary although a replica is configured."""
    database_up: bool = False
    database_error: str | None = None
    state_schema_current: bool = False
    examination: Examination = UNREAD
    """What this process found last when it read the app's tables."""

    @property
    def missing_tables(self) -> tuple[Finding, ...]:
        """Which of the app's three tables are not there."""
        return tuple(one for one in self.examination.findings if one.code == TABLE_MISSING)

    @property
    def ready(self) -> bool:
        """The database answers, the state schema is the one that this version needs, and the three
        tables are there."""
        return self.database_up and self.state_schema_current and not self.missing_tables


class StatusBoard:
    """Holds the current Status. Replaced, never changed in place; read from anywhere."""

    def __init__(self, first: Status) -> None:
        self._status = first
        self._listeners: list[Callable[[], None]] = []

    @property
    def current(self) -> Status:
        """The newest snapshot."""
        return self._status

    def subscribe(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Have `changed` called after every change, at once: it must only take note. Returns what
        ends that."""
        self._listeners.append(changed)
        return lambda: self._listeners.remove(changed)

    def update(self, **changes: object) -> Status:
        """Publish a snapshot that differs from the current one by `changes`."""
        before, self._status = self._status, replace(self._status, **changes)  # type: ignore[arg-type]
        if self._status.database_up and not before.database_up:
            log.info("database_up")
        elif before.database_up and not self._status.database_up:
            log.warning("database_down", error=self._status.database_error)
        for changed in tuple(self._listeners):
            changed()
        return self._status

    def update_repair(self, name: str, **changes: object) -> Status:
        """Publish what has changed about one repair."""
        before = self._status.repairs[name]
        changed = {**self._status.repairs, name: replace(before, **changes)}  # type: ignore[arg-type]
        return self.update(repairs=MappingProxyType(changed))

    def update_check(self, check: CheckResult) -> Status:
        """Publish a new result of one check."""
        checks = MappingProxyType({**self._status.checks, check.name: check})
        return self.update(checks=checks)


def configured_repairs(settings: Settings) -> Mapping[str, RepairStatus]:
    """The repairs of the configuration, of which nothing is known yet."""
    return MappingProxyType(
        {
            one.name: RepairStatus(
                name=one.name,
                check=one.check,
                action=one.action.value,
                table=one.table,
                heals=one.mode is Mode.HEAL,
                own=RepairControl(one.name),
            )
            for one in settings.repairs
        }
    )


def is_stale(monotonic: float | None, holds_seconds: float, now: float) -> bool:
    """Whether a result from `monotonic` is too old to be shown at `now`; None always is."""
    return monotonic is None or now - monotonic > holds_seconds


UNKNOWN = "unknown"


def process_name() -> str:
    """Who holds a lease: host, process and a part that no other process has."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


def revision() -> str:
    """The commit of a checkout, CONSERVATOR_REVISION where the build sets it, or "unknown"."""
    given = os.environ.get("CONSERVATOR_REVISION")
    if given:
        return given
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return UNKNOWN
    try:
        found = subprocess.run(
            ["git", "-C", str(root), "rev-parse", "--short", "HEAD"],
            capture_output=True,
            text=True,
            timeout=GIT_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return UNKNOWN
    return found.stdout.strip() or UNKNOWN
