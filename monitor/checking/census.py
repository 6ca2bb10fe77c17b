"""Runs the checks: census and structure, each measured, judged and published, whatever happens."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from checks.census import AffectedUsers, Census, none_affected
from checks.doctor.findings import Examination, Severity
from checks.errors import ConservatorError, DatabaseUnavailableError
from checks.judgement import Measurement, Outcome, Thresholds, at_least
from checks.relations import Engine
from monitor.checking.builtin import NONE_AT_ALL
from monitor.checking.census_source import CensusSource
from monitor.checking.definition import facts
from monitor.checking.tracker import CheckTracker
from monitor.config import Check, Settings
from monitor.replicas.published import users_interval
from monitor.runtime import Runtime, finding_sentence
from monitor.status import CheckFacts, StatusBoard

log = structlog.get_logger(__name__)


def core_facts(settings: Settings) -> tuple[tuple[str, Check, CheckFacts], ...]:
    """Name, settings and facts of the two checks that healing is decided from."""
    checks = settings.checks
    threshold = at_least(settings.healing.threshold)
    census = Thresholds(warn=NONE_AT_ALL, fail=threshold)
    return (
        ("census", checks.census, facts(checks.census, census)),
        (
            "structure",
            checks.structure,
            replace(facts(checks.structure), warn="> 0", fail="an error"),
        ),
    )


@dataclass(frozen=True, slots=True)
class CensusResult:
    """What one census pass brought: a census, or the sentence that says why not."""

    census: Census | None
    error: str | None
    users: AffectedUsers | None = None
    """The affected users, where they were counted in the same snapshot."""


class CensusRunner:
    """Takes the census and, more rarely, counts the affected users in the same snapshot."""

    def __init__(
        self,
        counting: CensusSource,
        runtime: Callable[[], Runtime],
        board: StatusBoard,
        times: CheckTracker,
        *,
        keep: int,
    ) -> None:
        self._counting = counting
        self._runtime = runtime
        self._board = board
        self._times = times
        self.newest: deque[Census] = deque(maxlen=max(1, keep))

    async def run(self) -> CensusResult:
        """One census: measured, judged, published. Never raises for what the database does."""
        started = time.perf_counter()
        try:
            counted = await self._counting.take(
                verified_until=self._board.current.control.verified_until,
                users_due=self._users_due,
            )
        except ConservatorError as error:
            self._times.failed(str(error), seconds=time.perf_counter() - started)
            if isinstance(error, DatabaseUnavailableError):  # the primary's: a replica is left
                self._board.update(database_up=False, database_error=str(error))
            log.warning("census_failed", error=str(error))
            return CensusResult(None, str(error))
        self.publish(counted.census, counted.users, note=counted.note)
        return CensusResult(counted.census, None, counted.users)

    def publish(
        self,
        census: Census,
        users: AffectedUsers | None = None,
        *,
        age_seconds: float = 0.0,
        note: str = "",
    ) -> None:
        """Make `census` the newest; the recount of a heal run comes through here too, and may
        have been taken by another process a moment ago. `note`: how it came about, where that
        has to be said."""
        if self.newest and self.newest[0].as_of == census.as_of:
            return
        self.newest.appendleft(census)
        now = time.monotonic() - age_seconds
        changes: dict[str, object] = {"census": census, "census_monotonic": now}
        if users is None and census.legacy_untracked == 0:
            users = none_affected(census)
        if users is not None:
            changes |= {"users": users, "users_monotonic": now}
            changes["users_interval_seconds"] = users_interval(
                users, self._times.status.interval_seconds
            )
        # Nothing about database_up: this may have been a replica, or a server become read-only.
        self._board.update(**changes)
        threshold = self._runtime().settings.healing.threshold
        legacy = census.legacy_untracked
        if self._runtime().catalogue.engine is Engine.CITUS:
            # Its nodes have no snapshot in common.
            note = f"Approximate while the app writes. {note}"
        outcome = Outcome.FAIL if legacy >= threshold else Outcome.WARN if legacy else Outcome.PASS
        measured = Measurement(
            value=legacy,
            message=f"{legacy} legacy-untracked of {census.pairs} pairs. {note}".rstrip(),
            numbers=_numbers(census),
        )
        self._times.evaluated(
            outcome, measured, seconds=census.duration_seconds, age_seconds=age_seconds
        )
        log.info(
            "census",
            form=census.form,
            tracked=census.tracked,
            fresh=census.fresh,
            storage=census.storage,
            legacy_untracked=legacy,
            seconds=round(census.duration_seconds, 4),
        )

    def _users_due(self) -> bool:
        status = self._board.current
        if status.users is None or status.users_monotonic is None:
            return True
        return time.monotonic() - status.users_monotonic >= status.users_interval_seconds * 0.9


def _numbers(census: Census) -> dict[str, float]:
    return {
        "tracked": census.tracked,
        "fresh": census.fresh,
        "storage": census.storage,
        "aged": census.aged,
        "appeared": census.appeared,
    }


class StructureRunner:
    """Runs `doctor` as a recurring check: an index dropped at night is noticed."""

    def __init__(self, times: CheckTracker) -> None:
        self._times = times

    def publish(self, examination: Examination, *, seconds: float) -> None:
        """Judge an examination and publish it."""
        findings = [
            finding for finding in examination.findings if finding.severity is not Severity.ADVICE
        ]
        errors = sum(finding.severity is Severity.ERROR for finding in findings)
        outcome = Outcome.FAIL if errors else Outcome.WARN if findings else Outcome.PASS
        evidence = tuple(
            {"finding": finding.code, "subject": finding.subject} for finding in findings
        )
        message = " ".join(finding_sentence(finding) for finding in findings[:3])
        measured = Measurement(
            value=len(findings),
            message=message or "The tables are as they should be.",
            numbers={"errors": errors, "warnings": len(findings) - errors},
            evidence=evidence,
        )
        self._times.evaluated(outcome, measured, seconds=seconds)

    def failed(self, error: ConservatorError, *, seconds: float) -> None:
        """The catalogue could not be read."""
        self._times.failed(str(error), seconds=seconds)
