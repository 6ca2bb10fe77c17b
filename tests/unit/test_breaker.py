"""When the breaker opens, and when it doesn't."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.census import Census
from monitor.policy.breaker import ACCEPTED_GROWTH, breaker_refusal, tripping
from monitor.policy.decision import BREAKER_CODES, REFUSALS, Code, Verdict, open_refusal
from monitor.policy.inputs import FinishedRun, Loss, PolicyInput, PolicySettings, Side, loss_between
from monitor.policy.policy import decide
from monitor.state.control import Control
from monitor.state.runs import RunKind
from tests.support.policy_inputs import HELD, NOW, SETTINGS, TEN, census

FINE = replace(TEN, most_audience=1)
USELESS = FinishedRun(7, legacy_before=10, legacy_after=10, remaining=10, quarantined=0, inserted=0)
COUNTS = st.integers(0, 1000)
SUSPICION = "The counts may not mean what they say."


def counted(newest: Census, **changes: Any) -> PolicyInput:
    return replace(FINE, censuses=(newest,), **changes)


def accepting(share: float | None) -> Control:
    return Control(accepted_share=share)


def code_of(inputs: PolicyInput, settings: PolicySettings = SETTINGS) -> Code | None:
    refusal = tripping(inputs, settings)
    if refusal is None:
        return None
    assert refusal.kind is Verdict.REFUSED
    return refusal.code


def lost(number: int, of: int) -> PolicyInput:
    return replace(FINE, loss=Loss(number, of, NOW))


def test_a_loss_at_the_limit_is_borne_and_one_more_opens() -> None:
    assert code_of(lost(100, 1000)) is None
    assert code_of(lost(101, 1000)) is Code.LOSS


def test_a_loss_says_how_much_since_when_and_what_to_do() -> None:
    trip = tripping(lost(300, 1000), SETTINGS)
    assert trip is not None
    for words in (
        "300 of 1000 impressions (30.0%)",
        "since 2026-01-15 12:00 UTC",
        "healing.breaker.max_tracked_drop is 10.0%",
        "`conservator reset-breaker`",
        "`conservator heal --beyond-breaker`",
    ):
        assert words in trip.reason


def test_a_limit_of_everything_never_calls_anything_a_loss() -> None:
    never = replace(SETTINGS, max_tracked_drop=1.0)
    assert code_of(lost(1000, 1000), never) is None
    empty = replace(census(0, 0), audience=0)
    assert code_of(counted(empty, most_audience=5), never) is None


def test_an_audience_that_falls_to_zero_is_a_loss() -> None:
    empty = replace(census(0, 0), audience=0)
    trip = tripping(counted(empty, most_audience=5), SETTINGS)
    assert trip is not None
    assert (trip.code, "from 5 users to none" in trip.reason) == (Code.LOSS, True)
    assert code_of(counted(empty, most_audience=0)) is None
    assert code_of(counted(census(0), most_audience=5)) is None


def test_a_loss_is_named_before_the_share_that_it_causes() -> None:
    assert code_of(replace(lost(900, 1000), censuses=(census(900, 100),))) is Code.LOSS


def test_an_accepted_share_may_grow_a_little_by_ageing_and_not_more() -> None:
    assert code_of(counted(census(60, 40), control=accepting(0.6))) is None
    assert code_of(counted(census(66, 34), control=accepting(0.6))) is None
    assert code_of(counted(census(67, 33), control=accepting(0.6))) is Code.MAX_SHARE
    assert code_of(counted(census(60, 40), control=accepting(None))) is Code.MAX_SHARE


def test_a_truly_legacy_first_run_is_told_its_two_ways_on() -> None:
    trip = tripping(counted(census(90, 10)), SETTINGS)
    assert trip is not None
    assert "`conservator heal --beyond-breaker` heals it now" in trip.reason
    assert "`conservator reset-breaker` accepts this share and lets it heal by" in trip.reason


@pytest.mark.parametrize(
    ("changes", "reduced"),
    [
        ({}, False),
        ({"legacy_after": 11}, False),
        ({"legacy_after": 9}, True),
        ({"legacy_after": None, "remaining": None}, False),
        ({"legacy_before": None}, False),
        # All of the plan is there; others aged meanwhile, or lie in quarantine.
        ({"legacy_after": 12, "remaining": 0}, True),
        # What it could not write it has put aside.
        ({"quarantined": 1}, True),
        ({"legacy_after": 13, "quarantined": 3}, False),
    ],
)
def test_a_run_has_reduced_the_count_unless_it_left_as_much_as_it_found(
    changes: dict[str, int | None], reduced: bool
) -> None:
    assert replace(USELESS, **changes).reduced(10) is reduced  # type: ignore[arg-type]


FAILED = replace(USELESS, legacy_after=None, remaining=None)


def test_a_run_that_failed_is_stuck_only_where_it_wrote_nothing_and_nothing_is_less() -> None:
    assert code_of(replace(FINE, last_runs=(FAILED,) * 3)) is Code.STUCK
    wrote = replace(FAILED, inserted=1)
    assert code_of(replace(FINE, last_runs=(FAILED, wrote, FAILED))) is None
    # What the next count found, the newest census or the run after it, is what it left.
    for fewer in (9, 8):
        assert code_of(counted(census(fewer), last_runs=(FAILED,) * 3)) is None
    after = replace(FAILED, legacy_before=9)
    assert code_of(counted(census(9), last_runs=(after, FAILED, FAILED))) is None
    assert code_of(counted(census(12), last_runs=(replace(FAILED, legacy_before=None),) * 3)) is (
        Code.STUCK
    )


def test_runs_that_leave_as_much_as_they_found_are_stuck_after_so_many_in_a_row() -> None:
    useful = replace(USELESS, legacy_after=0, remaining=0)
    assert code_of(replace(FINE, last_runs=(USELESS,) * 2)) is None
    assert code_of(replace(FINE, last_runs=(USELESS,) * 3)) is Code.STUCK
    assert code_of(replace(FINE, last_runs=(USELESS,) * 2 + (useful,))) is None
    # The newest come first: what was once useful does not help any more.
    assert code_of(replace(FINE, last_runs=(*(USELESS,) * 3, useful))) is Code.STUCK
    assert code_of(counted(census(0), last_runs=(USELESS,) * 3)) is None


def test_stuck_names_the_runs_in_their_order() -> None:
    runs = tuple(replace(USELESS, id=number) for number in (9, 8, 5))
    trip = tripping(replace(FINE, last_runs=runs), SETTINGS)
    assert trip is not None
    assert "The last 3 heal runs (5, 8, 9)" in trip.reason


def test_a_latched_breaker_refuses_with_its_first_reason_even_where_all_is_clean() -> None:
    control = Control(
        breaker_open=True, breaker_code="stuck", breaker_reason="Nothing stays.", breaker_at=NOW
    )
    inputs = replace(TEN, control=control, censuses=(census(0),), loss=Loss(9, 10, NOW))
    decision = decide(inputs, SETTINGS)
    assert (decision.kind, decision.code) == (Verdict.REFUSED, Code.STUCK)
    assert decision.reason.startswith(
        "The breaker is open since 2026-01-15 12:00 UTC: Nothing stays. Once you have looked,"
    )
    assert tripping(inputs, SETTINGS) is None
    assert open_refusal(Control()) is None


def test_a_loss_is_judged_before_nothing_to_do_is() -> None:
    inputs = replace(TEN, censuses=(census(0),), loss=Loss(9, 10, NOW))
    assert decide(inputs, SETTINGS).code is Code.LOSS
    assert tripping(inputs, SETTINGS) is not None
    assert tripping(replace(inputs, census_error="timeout"), SETTINGS) is None


def test_it_opens_in_observe_mode_too() -> None:
    inputs = replace(TEN, loss=Loss(9, 10, NOW))
    assert decide(inputs, replace(SETTINGS, heals=False)).code is Code.LOSS


def test_a_held_run_stays_put_while_it_is_open_unless_a_person_sent_it_beyond() -> None:
    control = Control(breaker_open=True, breaker_code="loss", breaker_reason="Gone.")
    held = replace(TEN, control=control, active_run=HELD)
    assert decide(held, SETTINGS).code is Code.LOSS
    beyond = replace(held, active_run=replace(HELD, beyond_breaker=True))
    assert decide(beyond, SETTINGS).code is Code.RESUME
    undo = replace(held, active_run=replace(HELD, kind=RunKind.UNDO))
    assert decide(undo, SETTINGS).code is Code.RESUME


def test_without_a_tally_no_heal_begins() -> None:
    decision = decide(replace(TEN, tally_error="It ran too long."), SETTINGS)
    assert (decision.kind, decision.code) == (Verdict.WAIT, Code.TALLY_FAILED)
    assert decision.reason.endswith("It ran too long.")


def test_what_recurs_is_said_where_it_is_healed() -> None:
    reason = decide(replace(TEN, recurring=12, recurring_before=24), SETTINGS).reason
    assert "12 of them appeared behind the last verified heal, 36 within 24 h" in reason
    assert "healing only masks it" in reason
    assert "appeared" not in decide(replace(TEN, recurring_before=24), SETTINGS).reason


def test_every_code_of_the_breaker_is_a_refusal_and_is_kept_while_it_is_open() -> None:
    for code in BREAKER_CODES:
        refusal = open_refusal(
            Control(breaker_open=True, breaker_code=code.value, breaker_reason="Why.")
        )
        assert refusal is not None
        assert (refusal.kind, refusal.code) == (Verdict.REFUSED, code)
        assert refusal.reason.startswith("The breaker is open: Why. ")
        assert "`conservator reset-breaker`" in refusal.reason
        assert code in REFUSALS


@pytest.mark.parametrize(
    "inputs",
    [
        lost(300, 1000),
        counted(census(0, 0), most_audience=9),
        counted(census(60, 40)),
        replace(FINE, last_runs=(USELESS,) * 3),
    ],
    ids=["loss", "audience", "share", "stuck"],
)
def test_an_open_suspicion_takes_the_place_of_every_way_on(inputs: PolicyInput) -> None:
    inputs = replace(inputs, censuses=tuple(replace(one, audience=0) for one in inputs.censuses))
    suspected = replace(inputs, suspicion=SUSPICION)
    free, trip = tripping(inputs, SETTINGS), tripping(suspected, SETTINGS)
    assert free is not None
    assert trip is not None
    # What is kept names no way on at all: what is known may change before it is told again.
    assert trip.cause == free.cause
    assert trip.reason == f"{trip.cause} {SUSPICION}"
    for way in ("beyond-breaker", "reset-breaker"):
        assert way in free.reason
        assert way not in trip.reason
    control = Control(breaker_open=True, breaker_code=trip.code.value, breaker_reason=trip.cause)
    for decision in (
        decide(suspected, SETTINGS),
        decide(replace(suspected, control=control), SETTINGS),
        breaker_refusal(inputs.censuses[0], control, SETTINGS, SUSPICION),
    ):
        assert decision is not None
        assert decision.code is trip.code
        assert decision.reason.count(SUSPICION) == 1
        assert "-breaker" not in decision.reason
    again = decide(replace(inputs, control=control), SETTINGS)
    assert "beyond-breaker" in again.reason


def test_who_left_and_what_was_undone_is_no_loss() -> None:
    artworks = Side(missing=30, peak=100, left_with=0)
    users = Side(missing=0, peak=70, left_with=20)
    assert loss_between(artworks, users, 10, NOW) == Loss(0, 70, NOW)
    assert loss_between(artworks, users, 5, NOW) == Loss(5, 75, NOW)


def test_the_side_that_proves_the_larger_share_counts() -> None:
    artworks = Side(missing=66, peak=100, left_with=0)
    users = Side(missing=6, peak=40, left_with=60)
    assert loss_between(artworks, users, 0, NOW).share == pytest.approx(0.15)
    assert loss_between(users, artworks, 0, NOW).share == pytest.approx(0.15)


sides = st.builds(Side, COUNTS, COUNTS, COUNTS)


@given(sides, sides, COUNTS, st.integers(0, 100))
def test_more_to_excuse_never_makes_a_larger_loss(
    artworks: Side, users: Side, undone: int, more: int
) -> None:
    artworks = replace(artworks, peak=artworks.peak + artworks.missing)
    users = replace(users, peak=users.peak + users.missing)
    loss = loss_between(artworks, users, undone, NOW)
    assert 0 <= loss.share <= 1
    assert loss_between(artworks, users, undone + more, NOW).share <= loss.share + 1e-9


@given(
    st.builds(census, st.integers(0, 100), st.integers(0, 100)),
    st.none() | st.floats(0, 1),
    st.floats(0.01, 1),
)
def test_the_share_alone_opens_it_exactly_above_what_is_allowed(
    newest: Census, accepted: float | None, limit: float
) -> None:
    inputs = counted(newest, control=accepting(accepted))
    allowed = max(limit, (accepted or 0) * ACCEPTED_GROWTH)
    opens = code_of(inputs, replace(SETTINGS, max_share=limit)) is Code.MAX_SHARE
    assert opens == (newest.legacy_share > allowed)
