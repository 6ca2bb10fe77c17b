"""Records with unremarkable values; a test names what matters to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from checks.affected import AffectedUsers
from checks.census import Census, CensusForm
from checks.doctor.findings import Blocks, Examination, Finding, Severity
from checks.judgement import Outcome
from monitor.policy.decision import Code, Decision, Verdict
from monitor.state.repairs import RepairControl, RepairCount
from monitor.state.runs import Run, RunKind, RunState, Trigger
from monitor.status import STRUCTURE, CheckResult, RepairStatus, Status, StatusBoard

NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
INTERVAL = 60.0


@dataclass
class Clock:
    """A monotonic clock that a test moves."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now

    def past_staleness(self) -> None:
        """Just beyond three intervals from where it was."""
        self.now += 3 * INTERVAL + 0.001


def a_census(**changes: Any) -> Census:
    census = Census(
        as_of=NOON,
        form=CensusForm.BY_PROBE,
        tracked=41,
        fresh=1,
        storage=2,
        legacy_untracked=6,
        appeared=4,
        legacy_artworks=3,
        oldest_legacy_created=1_700_000_000.0,
        audience=10,
        users=12,
        duration_seconds=0.3,
    )
    return replace(census, **changes)


def a_check(name: str = "census", **changes: Any) -> CheckResult:
    check = CheckResult(
        name=name,
        outcome=Outcome.PASS,
        value=6.0,
        message="6 legacy-untracked pairs.",
        interval_seconds=INTERVAL,
        configured_interval_seconds=INTERVAL,
        duration_seconds=0.3,
        last_run=1_769_860_800.0,
        last_success=1_769_860_800.0,
        since=1_769_860_000.0,
        monotonic=1000.0,
    )
    return replace(check, **changes)


def a_structure(**found: float) -> CheckResult:
    """The structure check, which found so many findings by what they block."""
    numbers = {blocks.value: found.get(blocks.value, 0.0) for blocks in Blocks}
    return a_check(STRUCTURE, value=sum(found.values()), message="Read.", numbers=numbers)


def a_suspicion(**changes: Any) -> Finding:
    """That nobody crosses a tenant, as the rules would say it."""
    finding = Finding(
        code="nobody_crosses",
        subject="visitors.studio_id",
        problem="None of 12,686 impressions crosses studio_id, which 4 values share.",
        consequence="6,350 pairs may count as legacy although nobody could have been shown them.",
        remedy="Say in the catalogue who may be shown what.",
        severity=Severity.ERROR,
        blocks=Blocks.HEALING,
        accepted_as="nobody_crosses_studio_id",
    )
    return replace(finding, **changes)


def an_examination(*findings: Finding) -> Examination:
    """What an examination brought."""
    return Examination(findings, None)


def unrun(name: str = "census") -> CheckResult:
    """A check before its first run."""
    return CheckResult(
        name=name,
        outcome=None,
        value=None,
        message="",
        interval_seconds=INTERVAL,
        configured_interval_seconds=INTERVAL,
    )


def a_run(**changes: Any) -> Run:
    run = Run(
        id=12,
        kind=RunKind.HEAL,
        trigger=Trigger.SCHEDULE,
        state=RunState.RUNNING,
        reason="6 legacy-untracked pairs, threshold 1.",
        outcome="",
        holder="gallery-1",
        token=3,
        lease_until=NOON,
        leased=True,
        started_at=NOON,
        finished_at=None,
        legacy_until=NOON,
        created_before=None,
        subject=None,
        planned_users=3,
        planned_rows=100,
        pass_=1,
        position=1,
        artwork_cursor=None,
        batches=2,
        inserted=40,
        writing_seconds=1.5,
        waiting_seconds=0.5,
        legacy_before=100,
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
    return replace(run, **changes)


def just_started(**changes: Any) -> Status:
    """A leader that has measured nothing."""
    status = Status(
        started=NOON,
        version="1.2.3",
        revision="abc",
        checks=checks(unrun()),
        leader=True,
        database_up=True,
        state_schema_current=True,
    )
    return replace(status, **changes)


def at_work(**changes: Any) -> Status:
    """A leader with a census, users and a check, all taken when `Clock` starts."""
    status = just_started(
        checks=checks(a_check()),
        census=a_census(),
        census_monotonic=1000.0,
        users=AffectedUsers(NOON, affected=3, clear=7, duration_seconds=0.1),
        users_monotonic=1000.0,
        users_interval_seconds=INTERVAL,
        reading_replica=True,
    )
    return replace(status, **changes)


def all_measured() -> Status:
    """A leader that has measured everything that there is to measure."""
    return at_work(
        checks=checks(a_check(), a_structure(healing=2.0, nothing=1.0)),
        repairs=repairs(a_repair()),
    )


def a_repair(name: str = "orphans", **changes: Any) -> RepairStatus:
    """A repair that a person would have to start, of six rows."""
    repair = RepairStatus(
        name=name,
        check="census",
        action="delete",
        table="user_art_impressions",
        heals=False,
        own=RepairControl(name),
        decision=Decision(Verdict.PAUSED, Code.OBSERVE, "Its check census fails."),
        decided_at=NOON,
        count=RepairCount(seconds=0.1, named=6, table_rows=600, share=0.01),
        counted_at=NOON,
        counted_monotonic=1000.0,
        newest_run=14,
    )
    return replace(repair, **changes)


def repairs(*several: RepairStatus) -> Mapping[str, RepairStatus]:
    return MappingProxyType({repair.name: repair for repair in several})


def checks(*several: CheckResult) -> Mapping[str, CheckResult]:
    return MappingProxyType({check.name: check for check in several})


def board(status: Status | None = None) -> StatusBoard:
    return StatusBoard(at_work() if status is None else status)
