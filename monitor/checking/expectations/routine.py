"""A suite as an entry of the schedule: one run, a result for the suite and for each expectation."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.catalogue import parse_name
from checks.errors import ConservatorError
from checks.judgement import Measurement, Outcome
from monitor.checking.definition import GRACE_SECONDS, NEVER, CheckDefinition, Confirm, facts
from monitor.checking.expectations.client import START_SECONDS, Worker
from monitor.checking.expectations.messages import Validate, Validated
from monitor.checking.expectations.results import (
    expectation_names,
    outcomes,
    suite_outcome,
    suite_spec,
)
from monitor.checking.replica import LEFT, ReplicaRouter, with_source_note
from monitor.config import ExpectationsCheck, Settings, Severity
from monitor.database import transaction
from monitor.runtime import CurrentRuntime
from monitor.state.validations import keep_validation
from monitor.status import CheckFacts

log = structlog.get_logger(__name__)

UNMET = "not as expected"


def _told(own: CheckFacts, severities: Collection[Severity]) -> CheckFacts:
    """`own`, with the conditions of expectations that are so severe."""
    return replace(
        own,
        warn=UNMET if Severity.WARNING in severities else None,
        fail=UNMET if Severity.CRITICAL in severities else None,
    )


def _judged(outcome: Outcome, measured: Measurement | None, error: str) -> Measurement:
    return replace(measured or Measurement(None, error), outcome=outcome)


class SuiteRunner:
    """Runs one suite in the worker and keeps its report."""

    def __init__(
        self,
        settings: Settings,
        engine: AsyncEngine,
        check: ExpectationsCheck,
        runtime: CurrentRuntime,
        router: ReplicaRouter,
        worker: Worker,
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
            facts=_told(own, severities),
            parts={
                name: replace(_told(own, {one.severity}), suite=self._check.name)
                for name, one in zip(self._names, self._check.expectations, strict=True)
            },
            # One that waits for the worker must not hold a place.
            turns=self._worker.suites,
            grace_seconds=GRACE_SECONDS + START_SECONDS,
        )

    async def measure(self, timeout: timedelta, confirm: Confirm | None) -> tuple[Measurement, ...]:
        """Validate once; with `confirm`, keep the report."""
        answer, why = await self._validate(timeout)
        if confirm is not None:
            await self._keep(answer, confirm)
        return self._measured(answer, why)

    async def _validate(self, timeout: timedelta) -> tuple[Validated, str]:
        database = self._settings.database
        schema, table = parse_name(self._check.table)
        seconds = timeout.total_seconds()
        replica, why = database.sqlalchemy_read_url, ""
        if replica is not None:
            _, problem = await self._router.look(timeout)
            if problem:
                replica, why = None, f"{LEFT} {problem}"
        request = Validate(
            url=replica or database.sqlalchemy_url,
            timeout_ms=max(1, round(seconds * 1000)),
            suite=suite_spec(self._check, schema, table),
        )
        answer = await self._worker.ask(request, deadline_seconds=seconds)
        assert isinstance(answer, Validated)
        return answer, why

    def _measured(self, answer: Validated, why: str) -> tuple[Measurement, ...]:
        parts = outcomes(self._check, answer.results)
        outcome, measured, message = suite_outcome(parts)
        own = _judged(outcome, measured and with_source_note(measured, why), message)
        return (
            replace(own, seconds=answer.seconds),
            *(_judged(one.outcome, one.measurement, one.error or "") for one in parts),
        )

    async def _keep(self, answer: Validated, confirm: Confirm) -> None:
        """The report is a convenience: the verdict stands without it."""
        state, timeout = self._runtime.current.state, self._settings.database.statement_timeout
        try:
            async with transaction(self._engine, timeout=timeout) as connection:
                await keep_validation(connection, state, self._check.name, answer.document)
                await confirm(connection)
        except ConservatorError as error:
            log.warning("validation_not_kept", suite=self._check.name, error=str(error))
