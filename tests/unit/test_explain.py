"""Explanations: one sentence for each comparison, the last one decides."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.pairs import PairFacts, PairState, SharedValues, explain, is_text
from checks.spec import Cutoffs, PoolsSpec, SharedColumns

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
POOLS = PoolsSpec()
BORDERS = Cutoffs.at(NOW, POOLS)
BORN = datetime(2025, 12, 1, tzinfo=UTC)

zones = st.sampled_from(["UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe"]).map(
    ZoneInfo
)
moments = st.integers(0, 2**32).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))

LEGACY = PairFacts(
    artwork_rows=1,
    user_rows=1,
    counted_artworks=1,
    counted_users=1,
    artwork_created=BORN.timestamp(),
    user_created=None,
    belongs=True,
    in_audience=True,
    impressions=0,
    last_viewed=None,
    is_fresh=False,
    is_old=True,
    is_aged=True,
    artwork_before_user=None,
)


def told(facts: PairFacts, state: PairState, *, cutoffs: Cutoffs = BORDERS) -> str:
    """The last reason, once the state is the expected one."""
    explanation = explain(facts, POOLS, cutoffs)
    assert explanation.state is state
    return explanation.because[-1]


def test_an_old_artwork_without_impression_is_legacy_and_both_moments_are_shown() -> None:
    reason = told(LEGACY, PairState.LEGACY_UNTRACKED)
    assert "2025-12-01T00:00:00" in reason
    assert "2026-01-08T12:00:00" in reason
    assert "legacy_after (7 days" in reason


def test_an_impression_makes_a_pair_tracked_whatever_its_age() -> None:
    viewed = replace(LEGACY, impressions=2, last_viewed=NOW.timestamp(), is_fresh=True)
    reason = told(viewed, PairState.TRACKED)
    assert reason == "2 impression(s), the last viewed at 2026-01-15T12:00:00.000000+00:00"
    never = replace(LEGACY, impressions=1)
    assert "unknown" in told(never, PairState.TRACKED)


def test_a_young_artwork_is_fresh() -> None:
    young = replace(LEGACY, is_fresh=True, is_old=False, is_aged=False)
    assert "fresh_for (0:15:00)" in told(young, PairState.FRESH)


def test_an_artwork_between_the_borders_is_storage() -> None:
    between = replace(LEGACY, is_old=False, is_aged=False)
    assert "younger than legacy_after" in told(between, PairState.STORAGE)


def test_an_old_artwork_from_after_the_tracking_began_is_storage() -> None:
    cutoffs = replace(BORDERS, created_before=BORN)
    late = replace(LEGACY, is_old=False)
    assert "not created before legacy_created_before (2025-12-01" in told(
        late, PairState.STORAGE, cutoffs=cutoffs
    )


def test_an_artwork_older_than_its_user_is_storage() -> None:
    later = replace(LEGACY, user_created=NOW.timestamp(), artwork_before_user=True)
    reason = told(later, PairState.STORAGE)
    assert "older than the user" in reason
    assert "2026-01-15T12:00:00" in reason


def test_an_artwork_not_older_than_its_user_is_legacy() -> None:
    together = replace(LEGACY, user_created=BORN.timestamp(), artwork_before_user=False)
    assert "not older than the user" in told(together, PairState.LEGACY_UNTRACKED)


def test_an_artwork_from_before_the_pair_was_listed_is_storage() -> None:
    listed = replace(LEGACY, through="visible", listed_since=NOW.timestamp())
    reason = told(replace(listed, artwork_before_since=True), PairState.STORAGE)
    assert reason == (
        "created before 2026-01-15T12:00:00.000000+00:00, since when visible lists the pair:"
        " truly unseen"
    )
    assert "not created before" in told(listed, PairState.LEGACY_UNTRACKED)


def test_the_columns_in_which_a_pair_does_not_agree_are_told_with_both_values() -> None:
    team = SharedColumns("team", "teamId")
    wing = SharedValues(SharedColumns("wing", "wing"), "east", "east", agree=True)
    shared = (SharedValues(team, "3", "4", agree=False), wing)
    reason = told(replace(LEGACY, shared=shared), PairState.NO_PAIR)
    assert reason == (
        "catalog.pairs.same: the user's team is '3', the artwork's teamId is '4',"
        " and the two of a pair are equal"
    )
    nowhere = (SharedValues(team, None, "4", agree=None),)
    reason = told(replace(LEGACY, shared=nowhere), PairState.NO_PAIR)
    assert "the user's team is NULL, which agrees with nothing," in reason
    assert told(replace(LEGACY, shared=(wing,)), PairState.LEGACY_UNTRACKED)


def test_a_user_outside_of_the_audience_is_told_so_first() -> None:
    explanation = explain(replace(LEGACY, in_audience=False), POOLS, BORDERS)
    assert explanation.state is PairState.LEGACY_UNTRACKED
    assert "only the per-user backfill heals it" in explanation.because[0]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"user_rows": 0, "counted_users": 0}, "no user has this id"),
        ({"counted_users": 0}, "the user exists, but catalog.users.where leaves it out"),
        ({"artwork_rows": 0, "counted_artworks": 0}, "no artwork has this id"),
        (
            {"counted_artworks": 0},
            "the artwork exists, but has no creation time or catalog.artworks.where leaves it out",
        ),
        (
            {"through": "visible", "listed": 0},
            "catalog.pairs.through: visible does not list this pair",
        ),
        ({"belongs": False}, "the artwork belongs to another user, and pairs with its owner only"),
        ({"belongs": None}, "the artwork belongs to another user, and pairs with its owner only"),
    ],
)
def test_what_is_no_pair_says_what_is_missing(changes: dict[str, Any], reason: str) -> None:
    facts = replace(LEGACY, impressions=1, **changes)
    assert told(facts, PairState.NO_PAIR) == reason


@pytest.mark.parametrize(
    ("seconds", "name"),
    [
        (float("inf"), "created infinity, "),
        (float("-inf"), "created -infinity, "),
        (1e12, "created 33658-09-27T01:46:40.000000+00:00, "),
        (-1e11, "created 1200-02-15T14:13:20.000000+00:00 BC, "),
    ],
)
def test_moments_beyond_the_calendar_are_explained_too(seconds: float, name: str) -> None:
    assert name in told(replace(LEGACY, artwork_created=seconds), PairState.LEGACY_UNTRACKED)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\x00")))
def test_whatever_utf8_can_carry_is_text(value: str) -> None:
    assert is_text(value)


@given(st.text(), st.sampled_from(["\x00", "\ud800", "\udfff"]), st.text())
def test_nul_and_half_characters_are_no_text(before: str, bad: str, after: str) -> None:
    assert not is_text(before + bad + after)


@given(moments.flatmap(lambda now: zones.map(now.astimezone)))
def test_borders_lie_exactly_their_ages_back_in_any_time_zone(now: datetime) -> None:
    cutoffs = Cutoffs.at(now, POOLS)
    elapsed = now.astimezone(UTC)
    assert cutoffs.fresh_after == elapsed - timedelta(minutes=15)
    assert cutoffs.legacy_until == elapsed - timedelta(days=7)
