"""A suite as an entry of the schedule: one run, a result for the suite and for each expectation."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.errors import ConservatorError
from checks.judgement import Measurement
from monitor.checking.definition import GRACE_SECONDS, NEVER, CheckDefinition, Confirm, facts
from monitor.checking.expectations.results import Validated, expectation_names
from monitor.checking.expectations.worker import validate
from monitor.checking.expectations.worker_pool import START_SECONDS, WorkerPool
from monitor.checking.replica import LEFT, ReplicaRouter, with_source_note
from monitor.config import ExpectationsCheck, Settings, Severity
from monitor.database import transaction
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


class SuiteRunner:
    """Runs one suite in the worker and keeps its report."""

    def __init__(
        self,
        settings: Settings,
        engine: AsyncEngine,
        check: ExpectationsCheck,
        runtime: CurrentRuntime,
        router: ReplicaRouter,
        worker: WorkerPool,
    ) -> None:
        """`engine` is the primary's, where the report is kept."""
        self._settings = settings
        self._engine = engine
        self._check = check
        self._runtime = runtime
        self._router = router
        self._worker = worker
        self._names = expectation_names(check)

    def definition(self) -> CheckDefinition:
        """The suite, with a row for each expectation."""
        own = facts(self._check, NEVER)
        severities = {one.severity for one in self._check.expectations}
        return CheckDefinition(
            self._check.name,
            self._check,
            self.measure,
            facts=_with_conditions(own, severities),
            parts={
                name: replace(_with_conditions(own, {one.severity}), suite=self._check.name)
                for name, one in zip(self._names, self._check.expectations, strict=True)
            },
            # One that waits for the worker must not hold a place.
            turns=self._worker.suites,
            grace_seconds=GRACE_SECONDS + START_SECONDS,
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
        database = self._settings.database
        url, why = database.sqlalchemy_read_url, ""
        if url is not None:
            _, problem = await self._router.look(timeout)
            if problem:
                url, why = None, f"{LEFT} {problem}"
        seconds = timeout.total_seconds()
        validated = await self._worker.run(
            validate,
            url or database.sqlalchemy_url,
            max(1, round(seconds * 1000)),
            self._check,
            deadline_seconds=seconds,
        )
        return validated, why

    async def _keep(self, validated: Validated, confirm: Confirm) -> None:
        """The report is a convenience: the verdict stands without it."""
        state, timeout = self._runtime.current.state, self._settings.database.statement_timeout
        try:
            async with transaction(self._engine, timeout=timeout) as connection:
                await keep_validation(connection, state, self._check.name, validated.document)
                await confirm(connection)
        except ConservatorError as error:
            log.warning("validation_not_kept", suite=self._check.name, error=str(error))
