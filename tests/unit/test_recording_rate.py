"""What the recording rate finds: stops, losses, and nothing where nothing can be said."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.judgement import Outcome, Thresholds, at_least, judge
from checks.recording_rate.assessment import Finding, Limits, to_measurement
from checks.recording_rate.samples import Sample
from tests.support.recording_samples import (
    EVENING,
    EVERY,
    LIMITS,
    NIGHT,
    ZONE,
    history,
    judged,
    newest,
    rhythm,
    samples,
    watched,
)


def test_a_usual_evening_is_usual() -> None:
    found = judged(history(60), ZONE)
    assert found.finding is Finding.USUAL
    assert found.deviation < LIMITS.warn
    assert found.expected == pytest.approx(2 * rhythm(60)(EVENING), rel=0.1)
    assert found.day_factor == pytest.approx(1, abs=0.1)
    assert (found.weeks, found.seeded) == (8, False)


@pytest.mark.parametrize("average", [20, 60, 1000])
def test_recording_that_stops_while_artworks_are_created_fails_at_the_second_interval(
    average: int,
) -> None:
    one = judged(newest(history(average), 0), ZONE)
    two = judged(newest(history(average), 0, 0), ZONE)
    assert one.finding is Finding.USUAL, "one odd interval is no outage"
    assert two.finding is Finding.STOPPED
    assert two.deviation >= LIMITS.fail
    assert two.artworks == 2


@pytest.mark.parametrize("average", [20, 60, 1000])
def test_an_app_that_is_silent_altogether_warns_at_least(average: int) -> None:
    found = judged(newest(history(average), 0, 0, artworks=0), ZONE)
    assert found.finding is Finding.SILENT
    assert found.deviation >= LIMITS.warn


def test_limits_of_the_operator_decide_what_a_stop_amounts_to() -> None:
    found = judged(newest(history(60), 0, 0), ZONE, Limits(warn=30, fail=50))
    assert found.deviation == 50


def test_artworks_of_the_whole_silence_count() -> None:
    given_samples = newest(history(60), 0, 0, 0, 0, artworks=0)
    given_samples[-4] = replace(given_samples[-4], artworks=3)
    found = judged(given_samples, ZONE)
    assert (found.finding, found.artworks) == (Finding.STOPPED, 3)


def test_one_odd_interval_never_alarms() -> None:
    quiet = history(60)
    for later in range(6):
        recovered = [sample.impressions for sample in quiet[len(quiet) - later :]]
        found = judged(newest(quiet, 0, *recovered), ZONE)
        assert found.finding is Finding.USUAL


def test_most_of_the_impressions_lost_is_found_too() -> None:
    usual = round(rhythm(600)(EVENING))
    found = judged(newest(history(600), usual // 5, usual // 5), ZONE)
    assert found.finding is Finding.LOW
    assert found.deviation >= LIMITS.warn


@settings(max_examples=40)
@given(
    average=st.sampled_from([0.5, 3, 20, 60, 600]),
    impressions=st.lists(st.integers(0, 200), min_size=2, max_size=2),
    fewer=st.integers(0, 1),
    artworks=st.integers(0, 1),
)
def test_fewer_impressions_never_lower_the_deviation(
    average: float, impressions: list[int], fewer: int, artworks: int
) -> None:
    less = list(impressions)
    less[fewer] = less[fewer] // 2
    none = [0, 0]
    deviations = [
        judged(newest(history(average, weeks=4), *each, artworks=artworks), ZONE).deviation
        for each in (impressions, less, none)
    ]
    assert all(a <= b for a, b in pairwise(deviations)), deviations


@settings(max_examples=30)
@given(times=st.integers(2, 50), left=st.floats(0.05, 1.2))
def test_an_app_with_many_times_the_traffic_is_judged_alike(times: int, left: float) -> None:
    def many(given_samples: list[Sample], factor: int) -> list[Sample]:
        return [replace(s, impressions=s.impressions * factor) for s in given_samples]

    usual = round(rhythm(60)(EVENING) * left)
    base = many(newest(history(60, weeks=4), usual, usual), 1000)
    found, same = judged(base, ZONE), judged(many(base, times), ZONE)
    assert same.deviation == pytest.approx(found.deviation, rel=0.01, abs=0.01)
    assert same.finding is found.finding


def test_in_a_quiet_hour_nothing_can_be_said() -> None:
    found = judged(newest(history(0.2, NIGHT), *[0] * 60), ZONE)
    assert found.finding is Finding.TOO_QUIET
    assert found.deviation == 0


def test_a_stop_in_a_quiet_night_is_found_once_it_is_long_enough() -> None:
    night = history(4, NIGHT, weeks=5)
    usual = rhythm(4)(NIGHT)
    stretches = [
        count for count in range(2, 65) if judged(newest(night, *[0] * count), ZONE).suspect
    ]
    assert stretches, "never found"
    # Ten impressions and a little more are certain; stretches double.
    assert 10 <= stretches[0] * usual <= 30
    assert stretches == list(range(stretches[0], 65))


def test_an_alarm_in_a_quiet_night_lasts_as_long_as_the_stop() -> None:
    whole = history(4, NIGHT)
    lost = [replace(sample, impressions=0) for sample in whole[-80:]]
    found = watched(list(whole[:-80]), lost, ZONE)
    alarms = [one.suspect for one in found]
    first = alarms.index(True)
    assert first < 16
    assert all(alarms[first:])


def test_after_an_outage_the_alarm_ends_with_the_second_good_sample() -> None:
    whole = history(60)
    lost = [replace(sample, impressions=0) for sample in whole[-20:-8]]
    found = watched(list(whole[:-20]), [*lost, *whole[-8:]], ZONE)
    alarms = [one.suspect for one in found]
    assert alarms[1:12] == [True] * 11
    assert alarms[13:] == [False] * 7


def test_a_loss_goes_on_alarming_as_long_as_it_lasts() -> None:
    whole = history(600, EVENING)
    hours = round(timedelta(hours=8) / EVERY)
    lost = [replace(sample, impressions=sample.impressions // 6) for sample in whole[-hours:]]
    found = watched(list(whole[:-hours]), lost, ZONE)
    assert [one.suspect for one in found[1:]] == [True] * (hours - 1)


@pytest.mark.parametrize("every", [timedelta(minutes=1), timedelta(minutes=15), timedelta(hours=1)])
def test_other_intervals_are_judged_as_well(every: timedelta) -> None:
    average = 60 * every / EVERY
    whole = tuple(samples(rhythm(average), ZONE, EVENING, weeks=5, every=every))
    assert judged(whole, ZONE).finding is Finding.USUAL
    assert judged(newest(whole, 0, 0), ZONE).finding is Finding.STOPPED


@pytest.mark.parametrize(
    ("given_samples", "outcome", "words"),
    [
        (history(60)[-1:], Outcome.PASS, "two samples in a row"),
        (history(60)[-50:], Outcome.PASS, "Learning"),
        (history(60), Outcome.PASS, "usual at this hour of the week"),
        (tuple(newest(history(0.2, NIGHT), 0, 0)), Outcome.PASS, "Too quiet"),
        (tuple(newest(history(600), 700, 700)), Outcome.WARN, "fewer than it should"),
        (tuple(newest(history(4, NIGHT), *[0] * 12, artworks=0)), Outcome.WARN, "the app down"),
        (tuple(newest(history(20), 0, 0)), Outcome.FAIL, "while 2 artworks were created"),
    ],
)
def test_every_finding_has_its_outcome_and_says_what_was_counted(
    given_samples: tuple[Sample, ...], outcome: Outcome, words: str
) -> None:
    found = to_measurement(judged(given_samples, ZONE))
    assert judge(found, Thresholds(warn=at_least(4), fail=at_least(8))) is outcome
    assert words in found.message
