"""The decision about a repair, verdict by verdict, and what goes before what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import time
from itertools import product
from typing import Any

import pytest

from checks.judgement import Outcome
from monitor.policy.decision import Code, Verdict
from monitor.policy.inputs import FinishedRun, PolicyInput
from monitor.policy.policy import decide
from monitor.policy.repairs import (
    CheckFound,
    RepairInput,
    RepairSettings,
    count_is_due,
    decide_repair,
    ends_left_run,
    has_fallen,
    too_large,
    tripping_repair,
)
from monitor.state.control import Control
from monitor.state.repairs import RepairControl, RepairCount
from monitor.state.runs import Run, RunKind, RunState, Trigger
from tests.support.builders import a_run
from tests.support.policy_inputs import NIGHT, TEN
from tests.support.policy_inputs import SETTINGS as HEALING

SETTINGS = RepairSettings(
    name="orphans",
    check="orphan_impressions",
    table="user_art_impressions",
    heals=True,
    cooldown_seconds=600,
    window=None,
    max_rows=100,
    max_share=0.1,
    stuck_after=3,
)
SIX = RepairCount(seconds=0.1, named=6, table_rows=1000, share=0.006)
FAILING = RepairInput(
    check=CheckFound(Outcome.FAIL, "6 orphans.", age_seconds=20),
    control=Control(),
    own=RepairControl("orphans"),
    active_run=None,
    local_time=time(12),
    count=SIX,
    count_age=5,
)
"""Its check fails, `find` names six rows, and nothing speaks against mending them."""


def own_run(**changes: Any) -> Run:
    some = {"kind": RunKind.REPAIR, "repair": "orphans", "inserted": 2, "planned_rows": 6}
    return a_run(**{**some, **changes})


def left(trigger: Trigger = Trigger.SCHEDULE, **changes: Any) -> Run:
    return own_run(trigger=trigger, state=RunState.HELD, leased=False, **changes)


def code(inputs: RepairInput, settings: RepairSettings = SETTINGS) -> tuple[Verdict, Code]:
    decision = decide_repair(inputs, settings)
    assert decision.reason.endswith("."), decision.reason
    return decision.kind, decision.code


def test_a_repair_starts_while_its_check_fails_and_says_why() -> None:
    decision = decide_repair(FAILING, SETTINGS)
    assert (decision.kind, decision.code) == (Verdict.HEAL, Code.CHECK_FAILS)
    assert decision.reason == (
        "Its check orphan_impressions fails: 6 orphans. `find` names 6 rows."
    )


@pytest.mark.parametrize(
    ("outcome", "kind", "why"),
    [
        (Outcome.WARN, Verdict.CLEAR, Code.CLEAN),
        (Outcome.PASS, Verdict.CLEAR, Code.CLEAN),
        (Outcome.SKIPPED, Verdict.CLEAR, Code.CLEAN),
        (Outcome.ERROR, Verdict.WAIT, Code.CHECK_UNKNOWN),
        (None, Verdict.WAIT, Code.CHECK_UNKNOWN),
    ],
)
def test_no_other_outcome_starts_one(outcome: Outcome | None, kind: Verdict, why: Code) -> None:
    inputs = replace(FAILING, check=replace(FAILING.check, outcome=outcome))
    assert code(inputs) == (kind, why)


def test_a_check_that_ran_before_the_last_run_ended_says_nothing() -> None:
    inputs = replace(FAILING, changed_age=10, automatic_age=10_000)
    assert code(inputs) == (Verdict.WAIT, Code.CHECK_DUE)
    assert code(replace(inputs, changed_age=30)) == (Verdict.HEAL, Code.CHECK_FAILS)


def test_what_could_not_be_planned_is_an_error_and_never_zero_rows() -> None:
    broken = replace(FAILING, count=RepairCount(0.1, error="`find` names 2 keys more than once."))
    assert code(broken) == (Verdict.ERROR, Code.NOT_PLANNED)
    assert code(broken, replace(SETTINGS, heals=False)) == (Verdict.ERROR, Code.NOT_PLANNED)
    nothing = replace(FAILING, count=RepairCount(0.1, table_rows=1000))
    assert code(nothing) == (Verdict.CLEAR, Code.NOTHING_NAMED)


SWITCHES: Mapping[str, Mapping[str, Any]] = {
    "paused": {"control": Control(paused=True)},
    "own breaker": {"own": RepairControl("orphans", breaker_open=True, breaker_code="stuck")},
    "not failing": {"check": CheckFound(Outcome.PASS, "", 20)},
    "suspended": {"own": RepairControl("orphans", suspended=True)},
    "healing's breaker": {"control": Control(breaker_open=True, breaker_code="loss")},
    "another run": {"active_run": a_run()},
    "healing waits": {"goes_first": "healing"},
    "cooldown": {"automatic_age": 30, "changed_age": 30},
}
VERDICTS = {
    "paused": (Verdict.PAUSED, Code.PAUSED),
    "own breaker": (Verdict.REFUSED, Code.STUCK),
    "not failing": (Verdict.CLEAR, Code.CLEAN),
    "suspended": (Verdict.PAUSED, Code.SUSPENDED),
    "healing's breaker": (Verdict.REFUSED, Code.HEALING_BREAKER),
    "another run": (Verdict.WAIT, Code.ACTIVE_RUN),
    "healing waits": (Verdict.WAIT, Code.OTHERS_FIRST),
    "cooldown": (Verdict.WAIT, Code.COOLDOWN),
}
"""In the order in which they go before each other."""


@pytest.mark.parametrize("name", SWITCHES)
def test_each_thing_in_its_way_has_its_own_verdict(name: str) -> None:
    assert code(replace(FAILING, **SWITCHES[name])) == VERDICTS[name]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (one, other)
        for (m, one), (n, other) in product(enumerate(SWITCHES), enumerate(SWITCHES))
        if m < n
        and not SWITCHES[one].keys() & SWITCHES[other].keys()
        # Who waits for a run does so while there is none.
        and (one, other) != ("another run", "healing waits")
    ],
)
def test_what_stands_first_goes_first(first: str, second: str) -> None:
    both = replace(FAILING, **{**SWITCHES[first], **SWITCHES[second]})
    assert code(both) == VERDICTS[first]


def test_a_cooldown_says_when_it_is_over_and_the_window_when_it_is() -> None:
    assert decide_repair(replace(FAILING, automatic_age=590), SETTINGS).again_in_seconds == 10
    night = replace(SETTINGS, window=NIGHT)
    assert code(FAILING, night) == (Verdict.WAIT, Code.WINDOW)
    assert code(replace(FAILING, local_time=time(23)), night) == (Verdict.HEAL, Code.CHECK_FAILS)


def test_observe_reports_what_a_person_would_start() -> None:
    observing = replace(SETTINGS, heals=False)
    assert code(FAILING, observing) == (Verdict.PAUSED, Code.OBSERVE)
    reason = decide_repair(FAILING, observing).reason
    assert "names 6 rows" in reason
    assert "`conservator repair orphans`" in reason


@pytest.mark.parametrize("run", [own_run(), own_run(undoes=11, kind=RunKind.UNDO)])
def test_its_own_run_is_waited_for_and_told(run: Run) -> None:
    assert code(replace(FAILING, active_run=run)) == (Verdict.WAIT, Code.ACTIVE_RUN)


def test_its_own_run_that_was_left_goes_on_and_needs_no_cooldown() -> None:
    inputs = replace(FAILING, active_run=left(), automatic_age=1, changed_age=30)
    assert code(inputs) == (Verdict.HEAL, Code.RESUME)
    assert not ends_left_run(inputs, decide_repair(inputs, SETTINGS))


@pytest.mark.parametrize("name", ["not failing", "suspended", "own breaker"])
def test_a_left_run_that_started_by_itself_ends_where_it_may_not_go_on(name: str) -> None:
    inputs = replace(FAILING, active_run=left(), **SWITCHES[name])
    assert ends_left_run(inputs, decide_repair(inputs, SETTINGS))


@pytest.mark.parametrize("name", ["paused", "healing's breaker"])
def test_a_left_run_stays_while_everything_is_stopped(name: str) -> None:
    for trigger in Trigger:
        inputs = replace(FAILING, active_run=left(trigger), **SWITCHES[name])
        assert code(inputs) == VERDICTS[name]
        assert not ends_left_run(inputs, decide_repair(inputs, SETTINGS))


@pytest.mark.parametrize("trigger", [Trigger.API, Trigger.COMMAND])
def test_what_a_person_has_agreed_to_goes_on_in_any_mode_at_any_hour(trigger: Trigger) -> None:
    settings = replace(SETTINGS, heals=False, window=NIGHT)
    inputs = replace(FAILING, active_run=left(trigger), **SWITCHES["not failing"])
    assert code(inputs, settings) == (Verdict.HEAL, Code.RESUME)
    suspended = replace(FAILING, active_run=left(trigger), **SWITCHES["suspended"])
    assert code(suspended, settings) == (Verdict.HEAL, Code.RESUME)


def test_a_run_that_was_sent_beyond_the_breaker_goes_on_while_it_is_open() -> None:
    run = left(Trigger.COMMAND, beyond_breaker=True)
    inputs = replace(FAILING, active_run=run, **SWITCHES["healing's breaker"])
    assert code(inputs) == (Verdict.HEAL, Code.RESUME)


def test_too_many_rows_and_too_large_a_share_open_its_breaker() -> None:
    many = replace(FAILING, count=replace(SIX, named=101))
    share = replace(FAILING, count=replace(SIX, share=0.11))
    assert code(many) == (Verdict.REFUSED, Code.MAX_ROWS)
    assert code(share) == (Verdict.REFUSED, Code.MAX_SHARE)
    for one in (many, share):
        tripped = tripping_repair(one, SETTINGS)
        assert tripped is not None
        assert tripped.cause
        assert tripping_repair(replace(one, **SWITCHES["own breaker"]), SETTINGS) is None
    assert tripping_repair(FAILING, SETTINGS) is None
    assert code(replace(many, **SWITCHES["not failing"])) == (Verdict.REFUSED, Code.MAX_ROWS)


def test_a_share_just_above_the_limit_is_told_apart_from_it() -> None:
    count = RepairCount(seconds=0.1, named=11, table_rows=109, share=11 / 109)
    told = decide_repair(replace(FAILING, count=count), SETTINGS).reason
    assert "names 11 rows, 10.09% of user_art_impressions, and breaker.max_share is 10%" in told


def test_rows_that_were_accepted_trip_nothing_until_there_are_more() -> None:
    own = RepairControl("orphans", accepted_rows=200)
    accepted = replace(FAILING, own=own, count=replace(SIX, named=220))
    assert tripping_repair(accepted, SETTINGS) is None
    assert too_large(221, 0.0, SETTINGS, own) is not None
    assert not has_fallen(accepted, SETTINGS)
    assert has_fallen(replace(accepted, count=SIX), SETTINGS)
    assert not has_fallen(FAILING, SETTINGS)


def test_runs_that_leave_as_much_as_they_found_open_its_breaker() -> None:
    stuck = FinishedRun(1, legacy_before=6, legacy_after=6, remaining=6, quarantined=0, inserted=0)
    failed = replace(stuck, legacy_after=None, remaining=None)
    helped = replace(stuck, legacy_after=5, remaining=5)
    inputs = replace(FAILING, last_runs=(stuck, failed, stuck))
    assert code(inputs) == (Verdict.REFUSED, Code.STUCK)
    assert code(replace(inputs, last_runs=(stuck, stuck))) == (Verdict.HEAL, Code.CHECK_FAILS)
    wrote = replace(failed, inserted=1)
    for one in (helped, wrote):
        mixed = replace(inputs, last_runs=(stuck, one, stuck))
        assert code(mixed) == (Verdict.HEAL, Code.CHECK_FAILS)
    assert code(mixed) == (Verdict.HEAL, Code.CHECK_FAILS)
    assert tripping_repair(replace(inputs, **SWITCHES["not failing"]), SETTINGS) is None


def test_what_it_would_mend_is_counted_when_that_may_have_changed() -> None:
    assert count_is_due(replace(FAILING, count=None, count_age=None), SETTINGS)
    assert not count_is_due(FAILING, SETTINGS)
    assert not count_is_due(replace(FAILING, count_age=500_000, **SWITCHES["paused"]), SETTINGS)
    older = replace(FAILING, count_age=100)
    assert count_is_due(older, SETTINGS)
    mended = replace(FAILING, changed_age=1)
    assert count_is_due(mended, SETTINGS)


def test_counting_keeps_to_its_budget_unless_something_is_about_to_start() -> None:
    dear = replace(FAILING, count=replace(SIX, seconds=60), count_age=100)
    assert count_is_due(dear, SETTINGS)
    assert not count_is_due(dear, replace(SETTINGS, heals=False))
    assert count_is_due(replace(dear, count_age=6000), replace(SETTINGS, heals=False))


def test_after_an_error_it_is_counted_again_once_the_cooldown_is_over() -> None:
    broken = replace(FAILING, count=RepairCount(60, error="It ran out of time."), count_age=100)
    assert not count_is_due(broken, SETTINGS)
    assert count_is_due(replace(broken, count_age=600), SETTINGS)


def test_healing_leaves_a_repairs_run_to_the_repair() -> None:
    inputs: PolicyInput = replace(TEN, active_run=left())
    assert (decide(inputs, HEALING).kind, decide(inputs, HEALING).code) == (
        Verdict.WAIT,
        Code.ACTIVE_RUN,
    )
    undo = replace(TEN, active_run=left(kind=RunKind.UNDO, undoes=11))
    assert decide(undo, HEALING).code is Code.RESUME
