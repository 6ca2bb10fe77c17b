"""An undo that nobody works on goes on whatever speaks against healing; only a pause holds it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.policy.decision import Code, Verdict
from monitor.policy.inputs import PolicyInput, PolicySettings
from monitor.policy.policy import decide
from monitor.state.control import Control
from monitor.state.runs import Run, RunKind
from tests.support.policy_inputs import HELD, LOST, NIGHT, RUNNING, SETTINGS, TEN, census


def undo_of(run: Run) -> Run:
    """The same, as an undo of run 7."""
    return replace(run, kind=RunKind.UNDO, undoes=7)


AGAINST = (
    (Control(suspended=True), SETTINGS),
    (Control(breaker_open=True, breaker_code="loss", breaker_reason="lost"), SETTINGS),
    (Control(), replace(SETTINGS, heals=False)),
    (Control(), replace(SETTINGS, window=NIGHT)),
    (Control(), replace(SETTINGS, max_share=0.0)),
)


@pytest.mark.parametrize("left", [HELD, LOST], ids=["held", "lease ran out"])
@pytest.mark.parametrize(("control", "settings"), AGAINST)
@pytest.mark.parametrize("legacy", [0, 10])
def test_an_undo_that_was_left_goes_on(
    left: Run, control: Control, settings: PolicySettings, legacy: int
) -> None:
    inputs = replace(TEN, active_run=undo_of(left), control=control, censuses=(census(legacy),))
    decision = decide(inputs, settings)
    assert (decision.kind, decision.code) == (Verdict.HEAL, Code.RESUME)
    assert decision.reason == (
        "Run 12, which takes run 7 back, was left at 10 of 40 rows and goes on."
    )


def test_an_undo_that_somebody_works_on_is_waited_for() -> None:
    observing = replace(SETTINGS, heals=False)
    decision = decide(replace(TEN, active_run=undo_of(RUNNING)), observing)
    assert (decision.kind, decision.code) == (Verdict.WAIT, Code.ACTIVE_RUN)
    assert decision.reason == "Run 12 is taking run 7 back: 10 of 40 rows."


@pytest.mark.parametrize("run", [HELD, LOST, RUNNING])
def test_a_pause_holds_an_undo(run: Run) -> None:
    paused = replace(TEN, active_run=undo_of(run), control=Control(paused=True))
    assert decide(paused, SETTINGS).code is Code.PAUSED


def test_without_a_census_an_undo_waits_too() -> None:
    unknown = replace(TEN, active_run=undo_of(HELD), census_error="no route")
    assert decide(unknown, SETTINGS).code is Code.CENSUS_FAILED


@given(
    st.builds(Control, paused=st.booleans(), suspended=st.booleans(), breaker_open=st.booleans()),
    st.sampled_from([HELD, LOST, RUNNING]),
    st.booleans(),
)
def test_nothing_is_ever_healed_beside_an_undo(control: Control, run: Run, heals: bool) -> None:
    inputs: PolicyInput = replace(TEN, active_run=undo_of(run), control=control)
    decision = decide(inputs, replace(SETTINGS, heals=heals))
    goes_on = run.claimable and not control.paused
    assert (decision.code is Code.RESUME) == goes_on
    assert decision.code is not Code.THRESHOLD
