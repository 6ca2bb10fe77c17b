"""Runs the checks: census and structure, each measured, judged and published, whatever happens."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.census import AffectedUsers, Census, count_affected_users, take_census
from checks.doctor import Severity
from checks.errors import ConservatorError, DatabaseUnavailableError
from checks.judgement import Outcome
from checks.spec import Borders
from monitor.database import snapshot
from monitor.healing.planning import database_now
from monitor.scheduler import Schedule
from monitor.status import CheckStatus, StatusBoard
from monitor.workshop import Workshop, finding_sentence

log = structlog.get_logger(__name__)

MAX_EVIDENCE = 20
USERS_BUDGET = 0.01
"""Share of the time that counting the affected users may take; it costs several censuses."""


@dataclass(frozen=True, slots=True)
class CensusResult:
    """What one census pass brought: a census, or the sentence that says why not."""

    census: Census | None
    error: str | None


class CheckTimes:
    """Keeps what is remembered about one check between its runs, and publishes its status."""

    def __init__(
        self, name: str, schedule: Schedule, board: StatusBoard, budget: float | None
    ) -> None:
        self.name = name
        self.schedule = schedule
        self._board = board
        self._budget = budget
        interval = schedule.interval_seconds()
        board.update_check(
            CheckStatus(
                name=name,
                outcome=None,
                value=None,
                message="",
                interval_seconds=interval,
                configured_interval_seconds=interval,
            )
        )

    @property
    def status(self) -> CheckStatus:
        """As published last."""
        return self._board.current.checks[self.name]

    def evaluated(
        self,
        outcome: Outcome,
        *,
        value: float,
        message: str,
        seconds: float,
        evidence: tuple[dict[str, str], ...] = (),
    ) -> None:
        """The check was evaluated, whatever the verdict."""
        now = time.time()
        self._publish(
            outcome,
            value=value,
            message=message,
            duration_seconds=seconds,
            last_run=now,
            last_success=now,
            evidence=evidence[:MAX_EVIDENCE],
            monotonic=time.monotonic(),
        )

    def failed(self, message: str, *, seconds: float) -> None:
        """The check could not be evaluated; its last value grows old until it is left out."""
        self._publish(
            Outcome.ERROR, message=message, duration_seconds=seconds, last_run=time.time()
        )

    def _publish(self, outcome: Outcome, **changes: object) -> None:
        before = self.status
        since = before.since if before.outcome is outcome else time.time()
        if before.outcome is not outcome:
            log.info("check_changed", check=self.name, outcome=outcome, before=before.outcome)
        self._board.update_check(replace(before, outcome=outcome, since=since, **changes))  # type: ignore[arg-type]

    def stretched(self, seconds: float) -> timedelta | None:
        """The interval that keeps a run of `seconds` within the budget, if it has to change."""
        configured = self.status.configured_interval_seconds
        if self._budget is None or self.schedule.cron is not None:
            return None
        wanted = max(configured, seconds / self._budget)
        now = self.status.interval_seconds
        # A tenth up or down is noise; each change would move the next run.
        if abs(wanted - now) <= 0.1 * now:
            return None
        self._board.update_check(replace(self.status, interval_seconds=wanted))
        log.info("interval_changed", check=self.name, seconds=wanted, configured=configured)
        return timedelta(seconds=wanted)


class CensusRunner:
    """Takes the census and, more rarely, counts the affected users in the same snapshot."""

    def __init__(
        self,
        read_engine: AsyncEngine,
        workshop: Callable[[], Workshop],
        board: StatusBoard,
        times: CheckTimes,
        *,
        keep: int,
    ) -> None:
        self._read_engine = read_engine
        self._workshop = workshop
        self._board = board
        self._times = times
        self.newest: deque[Census] = deque(maxlen=max(1, keep))

    async def run(self) -> CensusResult:
        """One census: measured, judged, published. Never raises for what the database does."""
        started = time.perf_counter()
        try:
            census, users = await self._count()
        except ConservatorError as error:
            self._times.failed(str(error), seconds=time.perf_counter() - started)
            if isinstance(error, DatabaseUnavailableError):
                self._board.update(database_up=False, database_error=str(error))
            log.warning("census_failed", error=str(error))
            return CensusResult(None, str(error))
        self.publish(census, users)
        return CensusResult(census, None)

    def publish(self, census: Census, users: AffectedUsers | None = None) -> None:
        """Make `census` the newest; the recount of a heal run comes through here too."""
        self.newest.appendleft(census)
        now = time.monotonic()
        changes: dict[str, object] = {"census": census, "census_monotonic": now}
        if users is None and census.legacy_untracked == 0:
            users = AffectedUsers(census.as_of, 0, census.audience, 0.0)
        if users is not None:
            changes |= {"users": users, "users_monotonic": now}
            changes["users_interval_seconds"] = max(
                self._times.status.interval_seconds, users.duration_seconds / USERS_BUDGET
            )
        self._board.update(**changes, database_up=True, database_error=None)
        threshold = self._workshop().settings.healing.threshold
        legacy = census.legacy_untracked
        outcome = Outcome.FAIL if legacy >= threshold else Outcome.WARN if legacy else Outcome.PASS
        self._times.evaluated(
            outcome,
            value=legacy,
            message=f"{legacy} legacy-untracked of {census.pairs} pairs.",
            seconds=census.duration_seconds,
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

    async def _count(self) -> tuple[Census, AffectedUsers | None]:
        workshop = self._workshop()
        settings = workshop.settings
        pools = settings.pools_spec()
        timeout = settings.checks.census.timeout or settings.database.statement_timeout
        verified_until = self._board.current.control.verified_until
        borders = None
        if self._read_engine is not workshop.engine:
            # Age is measured on the primary's clock, whichever server counts.
            async with snapshot(workshop.engine, timeout=timeout) as primary:
                borders = Borders.at(await database_now(primary), pools)
        async with snapshot(self._read_engine, timeout=timeout) as connection:
            if borders is None:
                borders = Borders.at(await database_now(connection), pools)
            census = await take_census(
                connection, workshop.catalogue, pools, borders, verified_until=verified_until
            )
            if census.legacy_untracked and not self._users_due():
                return census, None
            users = await count_affected_users(
                connection, workshop.catalogue, pools, borders, census
            )
            return census, users

    def _users_due(self) -> bool:
        status = self._board.current
        if status.users is None or status.users_monotonic is None:
            return True
        return time.monotonic() - status.users_monotonic >= status.users_interval_seconds * 0.9


class StructureRunner:
    """Runs `doctor` as a recurring check: an index dropped at night is noticed."""

    def __init__(self, times: CheckTimes) -> None:
        self._times = times

    def publish(self, workshop: Workshop, *, seconds: float) -> None:
        """Judge an examination and publish it."""
        findings = [
            finding
            for finding in workshop.examination.findings
            if finding.severity is not Severity.ADVICE
        ]
        errors = sum(finding.severity is Severity.ERROR for finding in findings)
        outcome = Outcome.FAIL if errors else Outcome.WARN if findings else Outcome.PASS
        evidence = tuple(
            {"finding": finding.code, "subject": finding.subject} for finding in findings
        )
        message = " ".join(finding_sentence(finding) for finding in findings[:3])
        self._times.evaluated(
            outcome,
            value=len(findings),
            message=message or "The tables are as they should be.",
            seconds=seconds,
            evidence=evidence,
        )

    def failed(self, error: ConservatorError, *, seconds: float) -> None:
        """The catalogue could not be read."""
        self._times.failed(str(error), seconds=seconds)
