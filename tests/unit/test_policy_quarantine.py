"""Pairs in quarantine are nobody's work: they neither trigger a run nor keep one from it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from monitor.policy.decision import Code, Verdict
from monitor.policy.policy import decide
from tests.support.policy_inputs import SETTINGS, TEN, census

TOMORROW = datetime(2026, 1, 16, 12, 30, tzinfo=UTC)
ALL = replace(TEN, quarantined=10, retry_at=TOMORROW)


def test_nothing_is_to_be_done_where_all_that_is_legacy_is_in_quarantine() -> None:
    decision = decide(ALL, SETTINGS)
    assert (decision.kind, decision.code) == (Verdict.CLEAR, Code.CLEAN)
    assert decision.reason == (
        "10 legacy-untracked pairs, all in quarantine; the first is tried again at"
        " 2026-01-16 12:30 UTC."
    )


def test_pairs_that_are_left_alone_are_no_reason_to_heal_and_are_told() -> None:
    decision = decide(replace(TEN, left_alone=6, quarantined=4, retry_at=TOMORROW), SETTINGS)
    assert (decision.kind, decision.code) == (Verdict.CLEAR, Code.CLEAN)
    assert decision.reason.startswith(
        "10 legacy-untracked pairs, 4 of them in quarantine, 6 of them left alone: their row is"
        " there and does not count"
    )
    others = decide(replace(TEN, left_alone=6), SETTINGS)
    assert others.kind is Verdict.HEAL
    assert "10 legacy-untracked pairs, 6 of them left alone, threshold" in others.reason


@pytest.mark.parametrize(("threshold", "verdict"), [(3, Verdict.HEAL), (4, Verdict.CLEAR)])
def test_the_threshold_is_about_what_can_be_written(threshold: int, verdict: Verdict) -> None:
    decision = decide(replace(TEN, quarantined=7), replace(SETTINGS, threshold=threshold))
    assert decision.kind is verdict
    assert "10 legacy-untracked pairs, 7 of them in quarantine" in decision.reason


def test_consecutive_censuses_are_counted_without_it() -> None:
    inputs = replace(TEN, censuses=(census(10), census(7), census(10)), quarantined=7)
    decision = decide(inputs, replace(SETTINGS, consecutive=2))
    assert (decision.kind, decision.code) == (Verdict.WAIT, Code.CONSECUTIVE)


def test_more_in_quarantine_than_the_census_saw_is_nothing_to_do() -> None:
    assert decide(replace(ALL, quarantined=11), SETTINGS).kind is Verdict.CLEAR


def test_observing_says_clean_where_nothing_could_be_healed() -> None:
    assert decide(ALL, replace(SETTINGS, heals=False)).code is Code.CLEAN
