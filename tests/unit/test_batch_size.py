"""The pace: how large batches get, how fast they shrink, and how long the run rests."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.healing.batch_size import (
    ALARM,
    GROWTH,
    SAMPLES,
    START,
    TO_SHRINK,
    WORTHWHILE,
    Pace,
    PaceSettings,
    after_batch,
    first_pace,
    percentile90,
    rest_seconds,
)

SETTINGS = PaceSettings(batch_target_seconds=0.25, max_batch=10_000, duty=0.5)

every_settings = st.builds(
    PaceSettings,
    batch_target_seconds=st.floats(0.01, 60),
    max_batch=st.integers(1, 100_000),
    duty=st.floats(0.01, 1),
)
batches = st.tuples(st.floats(0, 100), st.floats(0, 1))
"""Times of the target that it took, and the share of its size that was written."""


def ran(pace: Pace, settings: PaceSettings, *results: tuple[float, float]) -> list[Pace]:
    """Every pace of a run with these batches, the first one included."""
    paces = [pace]
    for slowness, share in results:
        pace = after_batch(
            pace,
            settings,
            seconds=slowness * settings.batch_target_seconds,
            inserted=math.floor(share * pace.size),
        )
        paces.append(pace)
    return paces


def steps(paces: list[Pace]) -> list[tuple[Pace, Pace]]:
    return list(pairwise(paces))


@given(every_settings, st.lists(batches, max_size=40))
def test_a_batch_always_has_between_one_row_and_the_most_allowed(
    settings: PaceSettings, results: list[tuple[float, float]]
) -> None:
    for pace in ran(first_pace(settings), settings, *results):
        assert 1 <= pace.size <= settings.max_batch


@given(every_settings, st.lists(batches, max_size=40))
def test_a_batch_never_grows_by_more_than_half_at_once(
    settings: PaceSettings, results: list[tuple[float, float]]
) -> None:
    for before, after in steps(ran(first_pace(settings), settings, *results)):
        assert after.size <= max(2, GROWTH * before.size)


@given(
    every_settings, st.lists(batches, max_size=20), st.floats(ALARM * 1.001, 1000), st.floats(0, 1)
)
def test_a_batch_far_over_its_target_shrinks_the_next_to_a_tenth_at_once(
    settings: PaceSettings, results: list[tuple[float, float]], slowness: float, share: float
) -> None:
    pace = ran(first_pace(settings), settings, *results)[-1]
    *_, after = ran(pace, settings, (slowness, share))
    assert after == Pace(max(1, pace.size // 10))


@given(every_settings, st.lists(st.tuples(st.floats(0, 100), st.floats(0, 0.49)), max_size=40))
def test_batches_that_wrote_little_never_make_the_next_one_larger(
    settings: PaceSettings, results: list[tuple[float, float]]
) -> None:
    start = Pace(max(2, settings.max_batch // 3))
    for before, after in steps(ran(start, settings, *results)):
        assert after.size <= before.size


@given(every_settings, st.lists(batches, max_size=40))
def test_timings_of_different_sizes_are_never_mixed(
    settings: PaceSettings, results: list[tuple[float, float]]
) -> None:
    for before, after in steps(ran(first_pace(settings), settings, *results)):
        assert len(after.timings) <= SAMPLES
        if after.size != before.size:
            assert after.timings == ()


@given(every_settings, st.floats(0, 0.4))
def test_fast_full_batches_reach_the_most_allowed_even_from_a_single_row(
    settings: PaceSettings, slowness: float
) -> None:
    assert ran(Pace(1), settings, *[(slowness, 1.0)] * 100)[-1].size == settings.max_batch


@given(every_settings, st.integers(1, 100_000))
def test_no_more_than_half_is_lost_to_batches_that_are_merely_slow(
    settings: PaceSettings, size: int
) -> None:
    pace = Pace(min(size, settings.max_batch))
    after = ran(pace, settings, *[(ALARM * 0.99, 1.0)] * TO_SHRINK)[-1]
    assert after.size == max(1, pace.size // 2)


def test_a_run_begins_with_a_thousand_rows_or_the_most_allowed() -> None:
    assert first_pace(SETTINGS) == Pace(START)
    assert first_pace(PaceSettings(0.25, 30, 0.5)) == Pace(30)


def test_one_slow_batch_is_an_accident_and_two_are_not() -> None:
    paces = ran(Pace(1000), SETTINGS, (2.0, 1.0), (0.95, 1.0), (0.95, 1.0), (2.0, 1.0))
    assert [pace.size for pace in paces] == [1000, 1000, 1000, 1000, 500]


def test_one_slow_batch_among_ten_is_left_out_of_the_90th_percentile() -> None:
    paces = ran(Pace(1000), SETTINGS, (2.0, 1.0), *[(0.5, 1.0)] * 9)
    assert [pace.size for pace in paces] == [*[1000] * 10, 1500]


def test_only_the_newest_timings_are_judged() -> None:
    early = ran(Pace(1000), SETTINGS, (4.0, 1.0), *[(0.95, 1.0)] * SAMPLES)[-1]
    assert early == Pace(1000, (0.95 * 0.25,) * SAMPLES)


def test_exactly_five_times_the_target_is_an_alarm() -> None:
    assert ran(Pace(1000), SETTINGS, (ALARM, 1.0))[-1] == Pace(100)


@given(every_settings, st.lists(batches, max_size=20), st.floats(0, 100), st.integers(1, 50))
def test_a_batch_that_others_waited_for_is_followed_by_one_of_half_its_size_at_most(
    settings: PaceSettings, results: list[tuple[float, float]], slowness: float, blocked: int
) -> None:
    pace = ran(first_pace(settings), settings, *results)[-1]
    after = after_batch(
        pace,
        settings,
        seconds=slowness * settings.batch_target_seconds,
        inserted=pace.size,
        blocked=blocked,
    )
    assert after.timings == ()
    assert after.size == max(1, pace.size // (10 if slowness >= ALARM else 2)) or (
        # At the border rounding decides.
        math.isclose(slowness, ALARM) and after.size == max(1, pace.size // 2)
    )


@given(every_settings, st.lists(batches, max_size=60))
def test_a_size_changes_only_when_it_is_worth_measuring_anew(
    settings: PaceSettings, results: list[tuple[float, float]]
) -> None:
    for before, after in steps(ran(first_pace(settings), settings, *results)):
        if after.size > before.size:
            assert after.size >= min(settings.max_batch, WORTHWHILE * before.size)


@given(every_settings, st.lists(batches, max_size=60))
def test_a_batch_shrinks_only_after_two_slow_ones_or_an_alarm(
    settings: PaceSettings, results: list[tuple[float, float]]
) -> None:
    paces = ran(first_pace(settings), settings, *results)
    for (before, after), (slowness, _) in zip(steps(paces), results, strict=True):
        if after.size < before.size and slowness < ALARM * 0.999:
            timings = (*before.timings, slowness * settings.batch_target_seconds)
            slow = [t for t in timings[-SAMPLES:] if t > settings.batch_target_seconds]
            assert len(slow) >= TO_SHRINK
            assert after.size >= before.size // 2


def test_growth_waits_for_three_timings_of_one_size() -> None:
    paces = ran(Pace(1000), SETTINGS, *[(0.1, 1.0)] * 6)
    assert [pace.size for pace in paces] == [1000, 1000, 1000, 1500, 1500, 1500, 2250]


def test_near_the_target_the_size_grows_only_in_proportion() -> None:
    assert ran(Pace(1000), SETTINGS, *[(0.8, 1.0)] * 3)[-1].size == 1250


def test_a_batch_that_wrote_exactly_half_still_speaks_for_larger_ones() -> None:
    assert ran(Pace(1000), SETTINGS, *[(0.1, 0.5)] * 3)[-1].size == 1500


@pytest.mark.parametrize(
    ("timings", "expected"),
    [((3.0,), 3.0), ((1.0, 2.0, 3.0, 4.0, 5.0), 5.0), (tuple(range(1, 11)), 9)],
)
def test_the_90th_percentile_is_the_nearest_rank(
    timings: tuple[float, ...], expected: float
) -> None:
    assert percentile90(timings) == expected


@given(st.floats(0, 1000), st.floats(0.01, 1))
def test_the_rest_keeps_writing_at_its_share_of_the_time(busy: float, duty: float) -> None:
    rest = rest_seconds(busy, duty)
    assert rest >= 0
    assert math.isclose(busy, duty * (busy + rest), rel_tol=1e-9, abs_tol=1e-12)


def test_full_duty_never_rests() -> None:
    assert rest_seconds(10.0, 1.0) == 0
