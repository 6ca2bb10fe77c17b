"""A suite as an entry of the schedule: one run, a result for the suite and for each expectation."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.catalogue import parse_name
from checks.errors import ConservatorError
from monitor.checking.definition import Confirm, ScheduledCheck, facts
from monitor.checking.expectations.client import START_SECONDS, Worker
from monitor.checking.expectations.messages import Validate, Validated
from monitor.checking.expectations.results import (
    expectation_names,
    outcomes,
    suite_outcome,
    suite_spec,
)
from monitor.checking.replica import LEFT
from monitor.checking.result import CheckResult
from monitor.checking.runner import GRACE_SECONDS, CheckRunner, Results, said
from monitor.config import ExpectationsCheck, Settings, Severity
from monitor.database import transaction
from monitor.runtime import Runtime
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


class SuiteRunner:
    """Runs one suite in the worker and keeps its report."""

    def __init__(
        self,
        settings: Settings,
        engine: AsyncEngine,
        check: ExpectationsCheck,
        runtime: Callable[[], Runtime],
        examiner: CheckRunner,
        worker: Worker,
    ) -> None:
        """`engine` is the primary's, where the report is kept."""
        self._settings = settings
        self._engine = engine
        self._check = check
        self._runtime = runtime
        self._examiner = examiner
        self._worker = worker
        self._names = expectation_names(check)

    def routine(self) -> ScheduledCheck:
        """The entry of the schedule."""
        own = facts(self._check)
        severities = {one.severity for one in self._check.expectations}
        rows = {self._check.name: _told(own, severities)}
        for name, one in zip(self._names, self._check.expectations, strict=True):
            rows[name] = replace(_told(own, {one.severity}), suite=self._check.name)
        return ScheduledCheck(self._check.name, self._check, rows, self.run)

    async def run(self, confirm: Confirm | None) -> Results:
        """Validate once; with `confirm`, keep the report."""

        async def work(timeout: timedelta) -> Results:
            answer, why = await self._validate(timeout)
            if confirm is not None:
                await self._keep(answer, confirm)
            return self._results(answer, why)

        names = (self._check.name, *self._names)
        # Suites take turns: one that waits for the worker must not hold a place.
        async with self._worker.suites:
            return await self._examiner.within(
                self._check, names, work, grace_seconds=GRACE_SECONDS + START_SECONDS
            )

    async def _validate(self, timeout: timedelta) -> tuple[Validated, str]:
        database = self._settings.database
        schema, table = parse_name(self._check.table)
        seconds = timeout.total_seconds()
        replica, why = database.sqlalchemy_read_url, ""
        if replica is not None:
            _, problem = await self._examiner.server.look(timeout)
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

    def _results(self, answer: Validated, why: str) -> Results:
        parts = outcomes(self._check, answer.results)
        outcome, measured, message = suite_outcome(parts)
        error = message if measured is None else None
        measured = None if measured is None else said(measured, why)
        return (
            CheckResult(self._check.name, outcome, measured, error, answer.seconds),
            *(
                CheckResult(one.name, one.outcome, one.measurement, one.error, None)
                for one in parts
            ),
        )

    async def _keep(self, answer: Validated, confirm: Confirm) -> None:
        """The report is a convenience: the verdict stands without it."""
        state, timeout = self._runtime().state, self._settings.database.statement_timeout
        try:
            async with transaction(self._engine, timeout=timeout) as connection:
                await keep_validation(connection, state, self._check.name, answer.document)
                await confirm(connection)
        except ConservatorError as error:
            log.warning("validation_not_kept", suite=self._check.name, error=str(error))
