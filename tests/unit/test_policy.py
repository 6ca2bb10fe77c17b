"""The decision, verdict by verdict, and what goes before what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.census import Census
from monitor.config.types import MaintenanceWindow
from monitor.policy.breaker import ACCEPTED_GROWTH, breaker_refusal
from monitor.policy.decision import REFUSALS, Code, Decision, Verdict
from monitor.policy.inputs import FinishedRun, Loss, PolicyInput, PolicySettings
from monitor.policy.policy import decide
from monitor.state.control import Control
from monitor.state.runs import Run
from tests.support.policy_inputs import HELD, LOST, NIGHT, NOW, RUNNING, SETTINGS, TEN, census


def test_legacy_pairs_that_nothing_speaks_against_are_healed() -> None:
    assert decide(TEN, SETTINGS) == Decision(
        Verdict.HEAL, Code.THRESHOLD, "10 legacy-untracked pairs, threshold 1."
    )


def test_without_legacy_pairs_all_is_clear() -> None:
    decision = decide(replace(TEN, censuses=(census(0),)), SETTINGS)
    assert (decision.kind, decision.code) == (Verdict.CLEAR, Code.CLEAN)


def test_fewer_than_the_threshold_are_clear_and_the_threshold_itself_is_healed() -> None:
    decision = decide(TEN, replace(SETTINGS, threshold=11))
    assert (decision.kind, decision.code) == (Verdict.CLEAR, Code.CLEAN)
    assert "below the threshold of 11" in decision.reason
    assert decide(TEN, replace(SETTINGS, threshold=10)).kind is Verdict.HEAL


@pytest.mark.parametrize(("error", "censuses"), [("no route", TEN.censuses), (None, ())])
def test_without_a_census_it_waits(error: str | None, censuses: Sequence[Census]) -> None:
    decision = decide(replace(TEN, census_error=error, censuses=censuses), SETTINGS)
    assert (decision.kind, decision.code) == (Verdict.WAIT, Code.CENSUS_FAILED)
    assert (error or "none was taken yet") in decision.reason


def test_a_pause_stops_everything_and_says_who_asked_for_it() -> None:
    paused = replace(TEN, control=Control(paused=True, paused_reason="release day"))
    assert decide(paused, SETTINGS) == Decision(Verdict.PAUSED, Code.PAUSED, "Paused: release day.")
    assert decide(replace(paused, active_run=HELD), SETTINGS).code is Code.PAUSED


def test_observe_leaves_healing_to_a_person() -> None:
    decision = decide(TEN, replace(SETTINGS, heals=False))
    assert (decision.kind, decision.code) == (Verdict.PAUSED, Code.OBSERVE)
    assert "10 legacy-untracked pairs" in decision.reason


def test_a_suspension_says_how_it_ends() -> None:
    undone = replace(TEN, control=Control(suspended=True, suspended_reason="run 7 was undone"))
    decision = decide(undone, SETTINGS)
    assert (decision.kind, decision.code) == (Verdict.PAUSED, Code.SUSPENDED)
    assert "run 7 was undone" in decision.reason
    assert "`conservator resume`" in decision.reason


def test_with_nothing_to_heal_a_suspension_is_not_worth_a_word() -> None:
    undone = replace(TEN, control=Control(suspended=True), censuses=(census(0),))
    assert decide(undone, replace(SETTINGS, heals=False)).code is Code.CLEAN


def test_while_a_run_is_at_it_nobody_else_starts() -> None:
    decision = decide(replace(TEN, active_run=RUNNING), SETTINGS)
    assert (decision.kind, decision.code) == (Verdict.WAIT, Code.ACTIVE_RUN)
    assert decision.reason == "Run 12 is healing: 10 of 40 rows."


@pytest.mark.parametrize("left", [HELD, LOST], ids=["held", "lease ran out"])
def test_a_run_that_nobody_works_on_goes_on_even_where_the_census_is_clear(left: Run) -> None:
    decision = decide(replace(TEN, active_run=left, censuses=(census(0),)), SETTINGS)
    assert (decision.kind, decision.code) == (Verdict.HEAL, Code.RESUME)


def test_a_run_that_was_left_waits_for_the_window_too() -> None:
    decision = decide(replace(TEN, active_run=HELD), replace(SETTINGS, window=NIGHT))
    assert (decision.kind, decision.code) == (Verdict.WAIT, Code.WINDOW)


def test_what_the_doctor_says_must_be_mended_refuses() -> None:
    decision = decide(replace(TEN, blockers=("No unique index.",)), SETTINGS)
    assert decision == Decision(Verdict.REFUSED, Code.CATALOGUE, "No unique index.")
    several = decide(replace(TEN, blockers=("No unique index.", "More.")), SETTINGS)
    assert several.reason == "No unique index. 1 more: `conservator doctor` lists them."


@pytest.mark.parametrize("left", [None, HELD, replace(HELD, beyond_breaker=True)])
def test_a_suspicion_is_refused_and_no_run_goes_on_past_it(left: Run | None) -> None:
    suspected = replace(TEN, suspicion="Nobody crosses.", active_run=left)
    decision = decide(suspected, SETTINGS)
    assert decision == Decision(Verdict.REFUSED, Code.CATALOGUE, "Nobody crosses.")
    both = decide(replace(suspected, blockers=("No unique index.",)), SETTINGS)
    assert both.reason == "No unique index. Nobody crosses."


def test_whatever_is_decided_an_open_suspicion_is_told_with_it_once() -> None:
    suspected = replace(TEN, suspicion="Nobody crosses.")
    for inputs, settings in (
        (replace(suspected, censuses=(census(0),)), SETTINGS),
        (replace(suspected, census_error="timeout"), SETTINGS),
        (replace(suspected, active_run=RUNNING), SETTINGS),
        (replace(suspected, control=Control(paused=True)), SETTINGS),
        (suspected, replace(SETTINGS, heals=False)),
    ):
        decision = decide(inputs, settings)
        assert decision.code is decide(replace(inputs, suspicion=""), settings).code
        assert decision.reason.count("Nobody crosses.") == 1


def test_in_observe_nobody_is_sent_to_heal_what_the_tables_forbid() -> None:
    observing = replace(SETTINGS, heals=False)
    assert "only a person heals" in decide(TEN, observing).reason
    blocked = decide(replace(TEN, blockers=("No unique index.",)), observing)
    assert (blocked.kind, blocked.code) == (Verdict.PAUSED, Code.OBSERVE)
    assert blocked.reason.endswith("healing.mode is observe, nor can anybody: No unique index.")


def test_a_share_at_the_breaker_is_healed_and_one_pair_more_is_refused() -> None:
    assert decide(replace(TEN, censuses=(census(50, 50),)), SETTINGS).kind is Verdict.HEAL
    decision = decide(replace(TEN, censuses=(census(51, 50),)), SETTINGS)
    assert (decision.kind, decision.code) == (Verdict.REFUSED, Code.MAX_SHARE)
    assert "51 of 101 pairs (50.5%)" in decision.reason
    assert "`conservator heal --beyond-breaker`" in decision.reason


def test_a_breaker_of_the_whole_never_opens() -> None:
    never = replace(SETTINGS, max_share=1.0)
    assert breaker_refusal(census(10, 0), Control(), never) is None
    assert breaker_refusal(census(0, 0), Control(), replace(SETTINGS, max_share=0.0)) is None


@pytest.mark.parametrize(
    ("counts", "kind"),
    [
        ([5, 5, 5], Verdict.HEAL),
        ([5, 5, 5, 0], Verdict.HEAL),
        ([5, 5], Verdict.WAIT),
        ([5, 5, 0, 5], Verdict.WAIT),
        ([0, 5, 5, 5], Verdict.CLEAR),
    ],
)
def test_the_threshold_must_be_reached_in_consecutive_censuses(
    counts: list[int], kind: Verdict
) -> None:
    censuses = tuple(census(legacy) for legacy in counts)
    decision = decide(replace(TEN, censuses=censuses), replace(SETTINGS, consecutive=3))
    assert decision.kind is kind
    assert kind is not Verdict.WAIT or decision.code is Code.CONSECUTIVE


def test_the_cooldown_counts_from_the_end_of_the_last_run() -> None:
    decision = decide(replace(TEN, seconds_since_run=59.9), SETTINGS)
    assert (decision.kind, decision.code) == (Verdict.WAIT, Code.COOLDOWN)
    assert decision.again_in_seconds == pytest.approx(0.1)
    assert decide(replace(TEN, seconds_since_run=60), SETTINGS).kind is Verdict.HEAL


@pytest.mark.parametrize(
    ("clock", "kind"),
    [
        (time(21, 59, 59), Verdict.WAIT),
        (time(22), Verdict.HEAL),
        (time(0), Verdict.HEAL),
        (time(3, 59, 59), Verdict.HEAL),
        (time(4), Verdict.WAIT),
        (time(12), Verdict.WAIT),
    ],
)
def test_a_window_may_span_midnight(clock: time, kind: Verdict) -> None:
    decision = decide(replace(TEN, local_time=clock), replace(SETTINGS, window=NIGHT))
    assert decision.kind is kind
    assert kind is not Verdict.WAIT or decision.code is Code.WINDOW


def test_what_goes_before_what() -> None:
    """Everything speaks against healing; taking the reasons away one by one shows their order."""
    inputs = PolicyInput(
        censuses=(census(300),),
        census_error="timeout",
        control=Control(paused=True, suspended=True, breaker_open=True, breaker_code="stuck"),
        active_run=RUNNING,
        seconds_since_run=1,
        local_time=time(12),
        blockers=("No unique index.",),
        tally_error="timeout",
    )
    settings = replace(SETTINGS, heals=False, consecutive=2, window=NIGHT)
    seen = [decide(inputs, settings).code]
    inputs = replace(inputs, census_error=None)
    seen.append(decide(inputs, settings).code)
    inputs = replace(inputs, control=replace(inputs.control, paused=False))
    seen.append(decide(inputs, settings).code)
    inputs = replace(inputs, control=Control(suspended=True))
    seen.append(decide(inputs, settings).code)
    settings = replace(settings, max_share=1.0)
    seen.append(decide(inputs, settings).code)
    settings = replace(settings, heals=True)
    seen.append(decide(inputs, settings).code)
    inputs = replace(inputs, control=Control())
    seen.append(decide(inputs, settings).code)
    inputs = replace(inputs, active_run=None)
    seen.append(decide(inputs, settings).code)
    inputs = replace(inputs, blockers=())
    seen.append(decide(inputs, settings).code)
    settings = replace(settings, consecutive=1)
    seen.append(decide(inputs, settings).code)
    inputs = replace(inputs, seconds_since_run=None)
    seen.append(decide(inputs, settings).code)
    settings = replace(settings, window=None)
    seen.append(decide(inputs, settings).code)
    inputs = replace(inputs, tally_error=None)
    seen.append(decide(inputs, settings).code)
    assert seen == [
        Code.CENSUS_FAILED,
        Code.PAUSED,
        Code.STUCK,
        Code.MAX_SHARE,
        Code.OBSERVE,
        Code.SUSPENDED,
        Code.ACTIVE_RUN,
        Code.CATALOGUE,
        Code.CONSECUTIVE,
        Code.COOLDOWN,
        Code.WINDOW,
        Code.TALLY_FAILED,
        Code.THRESHOLD,
    ]


# No more is missing than there was.
losses = st.builds(
    lambda lost, kept: Loss(lost, lost + kept, NOW), st.integers(0, 20), st.integers(0, 20)
)
situations = st.builds(
    PolicyInput,
    censuses=st.lists(
        st.builds(census, st.integers(0, 20), tracked=st.integers(0, 20)), max_size=4
    ),
    census_error=st.none() | st.just("timeout"),
    control=st.builds(
        Control,
        paused=st.booleans(),
        suspended=st.booleans(),
        breaker_open=st.sampled_from([False, False, True]),
        breaker_code=st.sampled_from(["loss", "stuck", "of another version"]),
        accepted_share=st.none() | st.floats(0, 1),
    ),
    active_run=st.sampled_from([None, None, RUNNING, HELD, LOST]),
    seconds_since_run=st.none() | st.floats(0, 120),
    local_time=st.times(),
    blockers=st.sampled_from([(), (), ("No unique index.",)]),
    suspicion=st.sampled_from(["", "", "Nobody crosses."]),
    most_audience=st.integers(0, 2),
    loss=st.none() | losses,
    tally_error=st.sampled_from([None, None, "timeout"]),
    last_runs=st.lists(
        st.builds(
            FinishedRun,
            st.just(1),
            st.none() | st.integers(0, 3),
            st.none() | st.integers(0, 3),
            st.none() | st.integers(0, 1),
            st.integers(0, 1),
            st.integers(0, 1),
        ),
        max_size=4,
    ),
)
every_settings = st.builds(
    PolicySettings,
    heals=st.booleans(),
    threshold=st.integers(1, 10),
    consecutive=st.integers(1, 3),
    cooldown_seconds=st.floats(0, 120),
    window=st.none() | st.builds(MaintenanceWindow, st.times(), st.times()),
    max_share=st.floats(0, 1),
    max_tracked_drop=st.floats(0, 1),
    stuck_after=st.integers(1, 3),
)


@given(situations, every_settings)
def test_it_never_heals_against_a_switch_a_failed_census_the_window_or_the_breaker(
    inputs: PolicyInput, settings: PolicySettings
) -> None:
    decision = decide(inputs, settings)
    assert decision.reason
    if decision.kind is not Verdict.HEAL:
        assert decision.code not in (Code.THRESHOLD, Code.RESUME)
        assert (decision.kind is Verdict.REFUSED) == (decision.code in REFUSALS)
        return
    assert inputs.census_error is None
    assert settings.heals
    assert not (inputs.control.paused or inputs.control.suspended)
    assert settings.window is None or settings.window.contains(inputs.local_time)
    assert not inputs.blockers
    assert not inputs.suspicion
    if decision.code is Code.RESUME:
        assert inputs.active_run is not None
        assert inputs.active_run.claimable
        assert not inputs.control.breaker_open
        return
    newest = inputs.censuses[0]
    assert not inputs.control.breaker_open
    assert inputs.tally_error is None
    loss = inputs.loss
    assert loss is None or loss.lost <= settings.max_tracked_drop * loss.expected + 1e-9
    last = inputs.last_runs[: settings.stuck_after]
    counted_next = (inputs.censuses[0].legacy_untracked, *(run.legacy_before for run in last))
    assert len(last) < settings.stuck_after or any(
        run.reduced(left) for run, left in zip(last, counted_next, strict=False)
    )
    assert inputs.active_run is None
    assert newest.legacy_untracked >= settings.threshold
    accepted = inputs.control.accepted_share or 0.0
    limit = max(settings.max_share, accepted * ACCEPTED_GROWTH)
    assert newest.legacy_untracked <= limit * newest.pairs + 1e-9
    assert len(inputs.censuses) >= settings.consecutive
    since = inputs.seconds_since_run
    assert since is None or since >= settings.cooldown_seconds
