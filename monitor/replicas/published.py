"""What replicas tell each other through our own tables: the leader writes, followers read.

Moments travel as ages on the database's clock and become moments of this process's monotonic
clock, so that a follower calls the same values stale as the leader does.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.census import AffectedUsers, Census, CensusForm
from checks.judgement import Outcome
from monitor.policy.decision import Code, Decision, Verdict
from monitor.state.statements import SchemaStatements
from monitor.status import CheckResult

USERS_BUDGET = 0.01
"""Share of the time that counting the affected users may take; it costs several censuses."""

Known = TypeVar("Known")


@dataclass(frozen=True, slots=True)
class PublishedState:
    """What is common to all replicas. Ages are seconds."""

    checks: Mapping[str, CheckResult]
    census: Census | None
    census_age: float
    users: AffectedUsers | None
    users_age: float
    decision: Decision | None
    decided_at: datetime | None
    leader: str
    """Who leads; empty while nobody does."""


async def read_published(
    connection: AsyncConnection, statements: SchemaStatements
) -> PublishedState:
    """Everything as it stands. Raises DatabaseUnavailableError where the server is read-only."""
    leader = (await statements.run(connection, "leader_read")).scalar_one()
    checks = await read_checks(connection, statements)
    counted = (await statements.run(connection, "census_newest")).one_or_none()
    decided = (await statements.run(connection, "decision_newest")).one_or_none()
    census = None if counted is None else _known(lambda: _census(counted))
    users = None if counted is None or census is None else _users(counted)
    return PublishedState(
        checks=checks,
        census=census,
        census_age=float(counted.age) if counted is not None else 0.0,
        users=users,
        users_age=float(counted.users_age) if counted is not None and users is not None else 0.0,
        decision=None if decided is None else _known(lambda: _decision(decided)),
        decided_at=None if decided is None else decided.decided_at,
        leader=leader,
    )


async def read_checks(
    connection: AsyncConnection, statements: SchemaStatements
) -> dict[str, CheckResult]:
    """The last result of every check, by name. Locks nothing."""
    rows = await statements.run(connection, "check_status_read")
    now = time.monotonic()
    return {row.name: check_from_row(row, now) for row in rows}


async def write_check(
    connection: AsyncConnection, statements: SchemaStatements, check: CheckResult
) -> None:
    """Keep the last result of a check for the other replicas."""
    wall, monotonic = time.time(), time.monotonic()
    await statements.run(
        connection,
        "check_status_write",
        {
            "name": check.name,
            "outcome": None if check.outcome is None else check.outcome.value,
            "value": check.value,
            "message": check.message,
            "interval_seconds": check.interval_seconds,
            "configured_interval_seconds": check.configured_interval_seconds,
            "duration_seconds": check.duration_seconds,
            "run_age": _age(check.last_run, wall),
            "success_age": _age(check.monotonic, monotonic),
            "evidence": json.dumps([dict(row) for row in check.evidence]),
            "numbers": json.dumps(finite(check.numbers)),
        },
    )


async def write_result(
    connection: AsyncConnection, statements: SchemaStatements, check: CheckResult, age: float
) -> None:
    """Keep a result for the history, `age` seconds after it was found; a change of the outcome
    too."""
    outcome = check.outcome
    assert outcome is not None
    evaluated = outcome is not Outcome.ERROR
    await statements.run(
        connection,
        "check_result_insert",
        {
            "name": check.name,
            "age": age,
            "outcome": outcome.value,
            "value": check.value if evaluated else None,
            "seconds": check.duration_seconds,
            "message": check.message,
        },
    )


def finite(numbers: Mapping[str, float]) -> dict[str, float]:
    """Without what JSON has no word for."""
    return {name: number for name, number in numbers.items() if math.isfinite(number)}


def check_from_row(row: Row[Any], now: float) -> CheckResult:
    """The result of a check as another replica kept it; `now` on the monotonic clock."""
    return CheckResult(
        name=row.name,
        # A newer replica may know outcomes that this one doesn't.
        outcome=None if row.outcome is None else _known(lambda: Outcome(row.outcome)),
        value=row.value,
        message=row.message,
        interval_seconds=row.interval_seconds,
        configured_interval_seconds=row.configured_interval_seconds,
        duration_seconds=row.duration_seconds,
        last_run=row.last_run,
        last_success=row.last_success,
        since=row.since,
        evidence=tuple({str(k): str(v) for k, v in one.items()} for one in row.evidence),
        numbers=row.numbers,
        monotonic=None if row.success_age is None else now - row.success_age,
    )


def users_interval(users: AffectedUsers, census_interval_seconds: float) -> float:
    """How often the affected users are counted, in seconds, by what counting them costs."""
    return max(census_interval_seconds, users.duration_seconds / USERS_BUDGET)


def _census(row: Row[Any]) -> Census:
    columns = {field.name for field in fields(Census)} - {"form", "duration_seconds"}
    values = {name: getattr(row, name) for name in columns}
    return Census(**values, form=CensusForm(row.form), duration_seconds=row.seconds)


def _users(row: Row[Any]) -> AffectedUsers | None:
    if row.users_as_of is None:
        return None
    return AffectedUsers(row.users_as_of, row.users_affected, row.users_clear, row.users_seconds)


def _decision(row: Row[Any]) -> Decision:
    return Decision(Verdict(row.kind), Code(row.code), row.reason)


def _known(build: Callable[[], Known]) -> Known | None:
    """What a replica of another version wrote is left out where this one has no word for it."""
    try:
        return build()
    except ValueError:
        return None


def _age(moment: float | None, now: float) -> float | None:
    return None if moment is None else now - moment
