"""A suite as a check: one run, a result for the suite and for each expectation.

What Great Expectations does not know of the suites is a mistake of the configuration.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.errors import ConservatorError
from checks.judgement import Measurement
from monitor.checking.definition import NEVER, CheckDefinition, Confirm, facts
from monitor.checking.expectations.results import Validated, expectation_names
from monitor.checking.expectations.worker import (
    MissingExtraError,
    WorkerPool,
    find_faults,
    validate,
)
from monitor.checking.replica import LEFT, ReplicaRouter, with_source_note
from monitor.config import ConfigError, ExpectationsCheck, InvalidConfigError, Settings, Severity
from monitor.database import transaction
from monitor.deadlines import CHECK_GRACE_SECONDS, WORKER_START_SECONDS
from monitor.runtime import CurrentRuntime
from monitor.state.checks import keep_validation
from monitor.status import CheckFacts

log = structlog.get_logger(__name__)

UNMET = "not as expected"


def _with_conditions(own: CheckFacts, severities: Collection[Severity]) -> CheckFacts:
    """`own`, with the conditions of expectations that are so severe."""
    return replace(
        own,
        warn=UNMET if Severity.WARNING in severities else None,
        fail=UNMET if Severity.CRITICAL in severities else None,
    )


@dataclass(frozen=True, slots=True)
class SuiteCheck:
    """One suite: run in the worker, its report kept."""

    settings: Settings
    engine: AsyncEngine
    """The primary's, where the report is kept."""
    router: ReplicaRouter
    runtime: CurrentRuntime
    worker: WorkerPool
    suite: ExpectationsCheck

    def definition(self) -> CheckDefinition:
        """The suite, with a row for each expectation."""
        own = facts(self.suite, NEVER)
        expected = self.suite.expectations
        return CheckDefinition(
            self.suite.name,
            self.suite,
            self.measure,
            facts=_with_conditions(own, {one.severity for one in expected}),
            parts={
                name: replace(_with_conditions(own, {one.severity}), suite=self.suite.name)
                for name, one in zip(expectation_names(self.suite), expected, strict=True)
            },
            # One that waits for the worker must not hold a place.
            turns=self.worker.suites,
            grace_seconds=CHECK_GRACE_SECONDS + WORKER_START_SECONDS,
        )

    async def measure(self, timeout: timedelta, confirm: Confirm | None) -> tuple[Measurement, ...]:
        """Validate once; with `confirm`, keep the report."""
        validated, why = await self._validate(timeout)
        if confirm is not None:
            await self._keep(validated, confirm)
        suite, *parts = validated.results
        return (with_source_note(suite, why), *parts)

    async def _validate(self, timeout: timedelta) -> tuple[Validated, str]:
        """With why it was not read from the replica, where it should have been."""
        database = self.settings.database
        url, why = database.sqlalchemy_read_url, ""
        if url is not None:
            _, problem = await self.router.check_replica(timeout)
            if problem:
                url, why = None, f"{LEFT} {problem}"
        seconds = timeout.total_seconds()
        validated = await self.worker.run(
            validate,
            url or database.sqlalchemy_url,
            max(1, round(seconds * 1000)),
            self.suite,
            deadline_seconds=seconds,
        )
        return validated, why

    async def _keep(self, validated: Validated, confirm: Confirm) -> None:
        """The report is a convenience: the verdict stands without it."""
        state, timeout = self.runtime.current.state, self.settings.database.statement_timeout
        try:
            async with transaction(self.engine, timeout=timeout) as connection:
                await keep_validation(connection, state, self.suite.name, validated.document)
                await confirm(connection)
        except ConservatorError as error:
            log.warning("validation_not_kept", suite=self.suite.name, error=str(error))


async def require_known_expectations(settings: Settings, worker: WorkerPool) -> None:
    """Let Great Expectations look at every suite; nothing is asked where there is none.

    Raises InvalidConfigError with all that it does not know, or where it is not installed;
    StatementError where the worker can't tell.
    """
    checks = settings.checks.expectations
    if not checks:
        return
    try:
        faults = await worker.run(find_faults, checks, deadline_seconds=WORKER_START_SECONDS)
    except MissingExtraError as error:
        raise InvalidConfigError([ConfigError("checks.expectations", str(error))]) from error
    if faults:
        raise InvalidConfigError(faults)
