"""The same time of the week, intervals that follow one another, and stretches of samples."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.recording_rate.samples import (
    WEEKS,
    Sample,
    SampleInterval,
    Series,
    needed_intervals,
    next_interval,
    weeks_before,
)
from tests.support.recording_samples import EVERY, judged, rhythm, samples

NOW = datetime(2026, 3, 10, 14, 30, tzinfo=UTC)
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu")


@pytest.mark.parametrize("name", ZONES)
def test_weeks_before_show_the_same_weekday_and_time_on_the_clocks(name: str) -> None:
    zone = ZoneInfo(name)
    moment = datetime(2025, 1, 1, 0, 10, tzinfo=UTC)
    different = 0
    for _ in range(366 * 24):
        moment += timedelta(hours=1)
        for weeks in range(1, WEEKS + 1):
            earlier = weeks_before(moment, zone, weeks)
            here, there = moment.astimezone(zone), earlier.astimezone(zone)
            shown = (here.weekday(), here.hour, here.minute)
            different += (there.weekday(), there.hour, there.minute) != shown
            assert abs(moment - earlier - timedelta(weeks=weeks)) <= timedelta(hours=1)
    # Only the hour that the clocks left out once, seen from each later week.
    assert different == (WEEKS if name in {"Europe/Berlin", "America/New_York"} else 0)


@pytest.mark.parametrize(
    ("last", "interval"),
    [
        (None, (5, 0)),
        (5, (5, 0)),
        (6, (6, 0)),
        (4, (4, 0)),
        (2, None),
        (14, (14, 0)),
        (16, (5, 0)),
        (-1, None),
    ],
)
def test_windows_follow_one_another_unless_too_much_was_missed(
    last: int | None, interval: tuple[int, int] | None
) -> None:
    """All in minutes ago."""

    def ago(minutes: int) -> datetime:
        return NOW - timedelta(minutes=minutes)

    expected = None if interval is None else SampleInterval(ago(interval[0]), ago(interval[1]))
    assert next_interval(None if last is None else ago(last), NOW, EVERY) == expected


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin"])
@pytest.mark.parametrize("average", [0.3, 4.0, 60.0])
@pytest.mark.parametrize("outage", [0, 3, 40])
def test_a_judgement_needs_no_more_samples_than_it_asks_for(
    name: str, average: float, outage: int
) -> None:
    zone = ZoneInfo(name)
    end = datetime(2026, 4, 7, 2, 0, tzinfo=UTC)
    whole = samples(rhythm(average), zone, end, weeks=WEEKS + 2)
    if outage:
        whole[-outage:] = [replace(sample, impressions=0) for sample in whole[-outage:]]
    intervals = needed_intervals(end, zone)
    part = [
        sample
        for sample in whole
        if any(one.start <= sample.start and sample.end <= one.end for one in intervals)
    ]
    assert judged(part, zone) == judged(whole, zone)
    assert len(part) < 1600
    assert all(before.end <= after.start for before, after in pairwise(intervals))


lengths = st.sampled_from([300, 270, 330, 900, 60])
gaps = st.sampled_from([0, 0, 0, 0, 600, 86400])


@given(
    drawn=st.lists(st.tuples(lengths, gaps, st.integers(0, 50)), min_size=1, max_size=30),
    wanted=st.sampled_from([300, 600, 1200, 3600]),
)
def test_a_stretch_holds_what_its_samples_hold(
    drawn: list[tuple[int, int, int]], wanted: int
) -> None:
    given_samples, end = [], NOW
    for length, gap, impressions in drawn:
        start = end + timedelta(seconds=gap)
        end = start + timedelta(seconds=length)
        given_samples.append(Sample(start, end, impressions, 0))
    series = Series(given_samples)
    stretch = series.before(len(drawn) - 1, wanted)
    # By hand: backwards until there is enough.
    taken: list[Sample] = []
    for sample in reversed(given_samples):
        if sum(one.seconds for one in taken) >= wanted * 0.85:
            break
        taken.insert(0, sample)
    covered = sum(one.seconds for one in taken)
    elapsed = (taken[-1].end - taken[0].start).total_seconds()
    if covered < wanted * 0.85 or covered < 0.8 * elapsed:
        assert stretch is None
    else:
        assert stretch is not None
        assert stretch.rate == pytest.approx(sum(one.impressions for one in taken) / covered)


def test_samples_that_overlap_are_refused() -> None:
    sample = Sample(NOW, NOW + EVERY, 1, 0)
    with pytest.raises(ValueError, match="follows the last one"):
        Series([sample, replace(sample, start=NOW + EVERY / 2, end=NOW + 2 * EVERY)])


def test_what_was_found_about_the_newest_sample_is_kept_with_it() -> None:
    series = Series([Sample(NOW, NOW + EVERY, 7, 0)])
    kept = series.judge_newest(suspect=True, day_factor=0.7)
    assert kept == Sample(NOW, NOW + EVERY, 7, 0, suspect=True, day_factor=0.7)
    stretch = series.before(0, EVERY.total_seconds())
    assert stretch is not None
    assert not stretch.clean
