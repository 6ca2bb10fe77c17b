"""What is kept of the checks: results, transitions, and what is forgotten of them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.judgement import Outcome
from monitor.database import transaction
from monitor.replicas.published import read_checks, write_check, write_result
from monitor.runtime import Runtime
from monitor.state import history
from monitor.state.checks import read_history
from monitor.status import CheckResult
from tests.support.app import app_on
from tests.support.generated import examples
from tests.support.healing import make_runtime

pytestmark = pytest.mark.prepared

OUTCOMES = st.sampled_from(list(Outcome))


def status(outcome: Outcome, value: float | None = 1.0, name: str = "a_check") -> CheckResult:
    return CheckResult(
        name=name,
        outcome=outcome,
        value=value,
        message=f"It is {outcome}.",
        interval_seconds=60,
        configured_interval_seconds=60,
        duration_seconds=0.25,
        last_run=1_769_860_800.0,
    )


async def keep(runtime: Runtime, found: list[tuple[CheckResult, float]]) -> None:
    """Each result with its age in seconds, oldest first; the last of them is the newest status."""
    async with transaction(runtime.engine) as connection:
        for one, age in found:
            await write_result(connection, runtime.state, one, age)
        await write_check(connection, runtime.state, found[-1][0])


async def forget(runtime: Runtime, days: int) -> None:
    async with transaction(runtime.engine) as connection:
        await history.prune(connection, runtime.state, timedelta(days=days))


def changes(outcomes: list[Outcome]) -> list[tuple[str | None, str]]:
    """Every change of the outcome, the first result among them; written out plainly."""
    found: list[tuple[str | None, str]] = []
    before: Outcome | None = None
    for outcome in outcomes:
        if outcome is not before:
            found.append((None if before is None else before.value, outcome.value))
        before = outcome
    return found


@examples(10)
@given(parts=st.lists(st.lists(OUTCOMES, min_size=1, max_size=6), min_size=1, max_size=4))
async def test_transitions_are_the_changes_and_the_newest_says_since_when(
    app_database_url: str, service_url: str, parts: list[list[Outcome]]
) -> None:
    """`parts`: what is written together, by whichever process leads at the time."""
    outcomes = [outcome for part in parts for outcome in part]
    async with app_on(app_database_url) as app, make_runtime(service_url) as runtime:
        await app.run(
            "TRUNCATE conservator.check_result, conservator.check_transition,"
            " conservator.check_status"
        )
        age = float(len(outcomes))
        for part in parts:
            found = []
            for outcome in part:
                found.append((status(outcome), age))
                age -= 1
            await keep(runtime, found)
        kept = await app.rows(
            "SELECT before, after FROM conservator.check_transition ORDER BY changed_at, id"
        )
        assert kept == changes(outcomes)
        results = await app.rows("SELECT outcome FROM conservator.check_result ORDER BY taken_at")
        assert [outcome for (outcome,) in results] == [one.value for one in outcomes]
        # The run of equal outcomes at the end began with the newest change.
        since = await app.value(
            "SELECT extract(epoch FROM max(changed_at))::float8 FROM conservator.check_transition"
        )
        async with transaction(runtime.engine) as connection:
            shown = (await read_checks(connection, runtime.state))["a_check"]
        assert (shown.outcome, shown.since) == (outcomes[-1], since)


async def test_what_could_not_be_evaluated_has_no_value(app_database_url: str) -> None:
    async with make_runtime(app_database_url) as runtime:
        await keep(runtime, [(status(Outcome.PASS, 3.0), 2), (status(Outcome.ERROR, 3.0), 1)])
        async with transaction(runtime.engine) as connection:
            found = await read_history(connection, runtime.state, "a_check", limit=10)
            nothing = await read_history(connection, runtime.state, "another", limit=10)
        assert [(row.outcome, row.value, row.seconds) for row in found.results] == [
            ("error", None, 0.25),
            ("pass", 3.0, 0.25),
        ]
        assert [(row.before, row.after) for row in found.transitions] == [
            ("pass", "error"),
            (None, "pass"),
        ]
        assert not nothing.results
        assert not nothing.transitions


async def test_history_is_forgotten_by_its_age_but_never_since_when(app_database_url: str) -> None:
    day = 86400.0
    async with app_on(app_database_url) as app, make_runtime(app_database_url) as runtime:
        old = [(status(Outcome.PASS), 95 * day), (status(Outcome.FAIL), 92 * day)]
        await keep(runtime, [*old, (status(Outcome.FAIL), day)])
        await keep(runtime, [(status(Outcome.PASS, name="other"), 95 * day)])
        await forget(runtime, 90)
        results = await app.rows("SELECT name, outcome FROM conservator.check_result")
        assert results == [("a_check", "fail")]
        kept = await app.rows("SELECT name, after FROM conservator.check_transition ORDER BY name")
        assert kept == [("a_check", "fail"), ("other", "pass")]
