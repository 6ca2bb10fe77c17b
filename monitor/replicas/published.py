"""What replicas tell each other through our own tables: the leader writes, followers read.

Moments travel as ages on the database's clock and become moments of this process's monotonic
clock, so that a follower calls the same values stale as the leader does.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.affected import AffectedUsers
from checks.census import Census, CensusForm
from checks.judgement import Outcome
from monitor.policy.decision import Code, Decision, Verdict
from monitor.state.repairs import (
    RepairControl,
    RepairFound,
    read_found,
    read_repair_controls,
)
from monitor.state.statements import SchemaStatements, parameters
from monitor.status import CheckResult, RepairStatus

USERS_BUDGET = 0.01
"""Share of the time that counting the affected users may take; it costs several censuses."""

SHARED = ("leader_read", "census_newest")
"""What `read_published` runs."""
SHARED_RESULTS = ("check_status_read", "decision_newest")
"""And where the results of whoever leads are wanted, too."""
SHARED_REPAIRS = ("repair_status_read", "repair_controls")
"""And where repairs are configured."""

_CENSUS = frozenset(field.name for field in fields(Census))

Known = TypeVar("Known")
Stored = TypeVar("Stored")


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
    repairs: Mapping[str, RepairFound]
    """By name, what was found and decided about each."""
    repair_controls: Mapping[str, RepairControl]


async def read_published(
    connection: AsyncConnection,
    state: SchemaStatements,
    *,
    results: bool = True,
    repairs: bool = False,
) -> PublishedState:
    """Everything as it stands. Raises DatabaseUnavailableError where the server is read-only.
    Without `results`, checks and decision are left out: whoever leads has them. Without `repairs`,
    none is configured."""
    leader = (await state.run(connection, "leader_read")).scalar_one()
    counted = (await state.run(connection, "census_newest")).one_or_none()
    checks = await read_checks(connection, state) if results else {}
    decided = (await state.run(connection, "decision_newest")).one_or_none() if results else None
    census = None if counted is None else _known(_census, counted)
    users = None if counted is None or census is None else _users(counted)
    return PublishedState(
        checks=checks,
        census=census,
        census_age=float(counted.age) if counted is not None else 0.0,
        users=users,
        users_age=float(counted.users_age) if counted is not None and users is not None else 0.0,
        decision=None if decided is None else _known(_decision, decided),
        decided_at=None if decided is None else decided.decided_at,
        leader=leader,
        repairs=await read_found(connection, state) if repairs else {},
        repair_controls=await read_repair_controls(connection, state) if repairs else {},
    )


async def read_checks(
    connection: AsyncConnection, state: SchemaStatements
) -> dict[str, CheckResult]:
    """The last result of every check, by name. Locks nothing."""
    make = partial(_check_result, time.monotonic())
    results = await state.list(connection, "check_status_read", make)
    return {result.name: result for result in results}


async def write_check(
    connection: AsyncConnection, state: SchemaStatements, check: CheckResult
) -> None:
    """Keep the last result of a check for the other replicas."""
    values = parameters(check) | {
        "run_age": _age(check.last_run, time.time()),
        "success_age": _age(check.monotonic, time.monotonic()),
        "evidence": json.dumps([dict(row) for row in check.evidence], ensure_ascii=False),
        "numbers": json.dumps(_finite(check.numbers)),
    }
    await state.run(connection, "check_status_write", values)


async def write_result(
    connection: AsyncConnection, state: SchemaStatements, check: CheckResult, age: float
) -> None:
    """Keep a result for the history, `age` seconds after it was found; a change of the outcome
    too."""
    evaluated = check.outcome is not Outcome.ERROR
    values = parameters(check) | {"age": age, "value": check.value if evaluated else None}
    await state.run(connection, "check_result_insert", values)


def users_interval(users: AffectedUsers, census_interval_seconds: float) -> float:
    """How often the affected users are counted, in seconds, by what counting them costs."""
    return max(census_interval_seconds, users.duration_seconds / USERS_BUDGET)


def _check_result(now: float, **columns: Any) -> CheckResult:
    """The result of a check as another replica kept it; `now` on the monotonic clock."""
    success_age, outcome = columns.pop("success_age"), columns.pop("outcome")
    evidence = tuple({str(k): str(v) for k, v in one.items()} for one in columns.pop("evidence"))
    return CheckResult(
        **columns,
        # A newer replica may know outcomes that this one doesn't.
        outcome=None if outcome is None else _known(Outcome, outcome),
        evidence=evidence,
        monotonic=None if success_age is None else now - success_age,
    )


def _census(row: Row[Any]) -> Census:
    # Which artworks are incomplete is not kept: it is for whoever has just counted.
    values = {name: value for name, value in row._asdict().items() if name in _CENSUS}
    return Census(**values | {"form": CensusForm(row.form)})


def _users(row: Row[Any]) -> AffectedUsers | None:
    if row.users_as_of is None:
        return None
    return AffectedUsers(row.users_as_of, row.users_affected, row.users_clear, row.users_seconds)


def show_repair(shown: RepairStatus, published: PublishedState, *, found: bool) -> RepairStatus:
    """A repair with what people have switched by now; and, where `found`, with what the leader
    found and decided."""
    own = published.repair_controls.get(shown.name, RepairControl(shown.name))
    row = published.repairs.get(shown.name)
    if row is None:
        return replace(shown, own=own)
    decision = _known(_decision, row)
    if decision is None or not found:
        return replace(shown, own=own, newest_run=row.newest_run)
    age = row.counted_age
    return replace(
        shown,
        own=own,
        newest_run=row.newest_run,
        decision=decision,
        decided_at=row.decided_at,
        count=row.count,
        counted_at=row.counted_at,
        counted_monotonic=None if age is None else time.monotonic() - age,
    )


def _decision(row: Row[Any] | RepairFound) -> Decision:
    return Decision(Verdict(row.kind), Code(row.code), row.reason)


def _known(build: Callable[[Stored], Known], stored: Stored) -> Known | None:
    """What a replica of another version wrote is left out where this one has no word for it."""
    try:
        return build(stored)
    except ValueError:
        return None


def _finite(numbers: Mapping[str, float]) -> dict[str, float]:
    """Without what JSON has no word for."""
    return {name: number for name, number in numbers.items() if math.isfinite(number)}


def _age(moment: float | None, now: float) -> float | None:
    return None if moment is None else now - moment
