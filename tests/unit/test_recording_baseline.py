"""What is usual: how much it varies from week to week, by chance, and at the least."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from checks.recording_rate.baseline import Baseline, find_baseline
from checks.recording_rate.samples import Sample, Series
from tests.support.recording_samples import EVENING, EVERY, WEEK, ZONE, history, rhythm, samples

HALF_HOUR = 1800.0
TWO = 2 * EVERY.total_seconds()
USUAL = Baseline(expected=100, varies=0.5, burstiness=1, weeks=8, seeded=False)


def compared(given_samples: list[Sample], weeks: int = 8, seconds: float = TWO) -> Baseline:
    """What is usual for an evening."""
    moments = [(EVENING - WEEK * number).timestamp() for number in range(1, weeks + 1)]
    found = find_baseline(Series(given_samples), moments, HALF_HOUR, seconds)
    assert found is not None
    return found


def test_a_deviation_is_as_large_as_weeks_differ() -> None:
    assert replace(USUAL, varies=4.0).spread(100) == 4.0


def test_a_deviation_is_never_smaller_than_chance_alone_makes_it() -> None:
    assert replace(USUAL, varies=0.0).spread(4) == 1.0
    # Half the deviations where impressions come four at a time.
    bursts = replace(USUAL, varies=0.0, burstiness=4)
    assert bursts.deviation(40, 10) == pytest.approx(USUAL.deviation(40, 10) / 2, rel=0.15)


@pytest.mark.parametrize(("weeks", "share"), [(1, 0.3), (2, 0.2), (8, 0.125)])
def test_a_deviation_is_never_smaller_than_a_share_of_the_usual(weeks: int, share: float) -> None:
    found = replace(USUAL, expected=1e6, weeks=weeks)
    assert found.deviation(1e6, 1e6 * (1 - share / 10)) == pytest.approx(0.1, rel=0.01)


def test_chance_varies_a_root_by_one() -> None:
    found = compared(samples(rhythm(400, steepness=0.0), ZONE, EVENING, weeks=9))
    assert found.expected == pytest.approx(800, rel=0.03)
    assert found.varies == pytest.approx(1.0, abs=0.35)
    assert found.burstiness == pytest.approx(1.0, abs=0.3)


def test_weeks_that_differ_show_in_what_varies() -> None:
    whole = samples(rhythm(400, steepness=0.0), ZONE, EVENING, weeks=9)
    start = whole[0].start
    uneven = [
        replace(sample, impressions=sample.impressions * (3 + (sample.start - start) // WEEK % 3))
        for sample in whole
    ]
    assert compared(uneven).varies > 5


@pytest.mark.parametrize("burst", [1, 4, 20])
def test_burstiness_is_how_many_impressions_come_at_a_time(burst: int) -> None:
    whole = samples(rhythm(30), ZONE, EVENING, weeks=9)
    bursts = [replace(sample, impressions=sample.impressions * burst) for sample in whole]
    assert compared(bursts).burstiness == pytest.approx(burst, rel=0.3)


def test_the_rhythm_of_the_day_is_no_burstiness() -> None:
    """It rises by twenty an interval, evenly: within an hour by more than chance would."""
    smooth = [
        replace(sample, impressions=(int((sample.start - EVENING) / EVERY) + 144) % 288 * 20)
        for sample in history(60)
    ]
    assert compared(smooth).burstiness == pytest.approx(1.0, abs=0.1)


def test_two_weeks_cannot_outvote_one_another_and_the_lower_is_taken() -> None:
    whole = samples(rhythm(60, steepness=0.0), ZONE, EVENING, weeks=9)
    border = EVENING - 1.5 * WEEK
    rush = [
        replace(sample, impressions=3 * sample.impressions) if sample.end > border else sample
        for sample in whole
    ]
    assert compared(rush, weeks=2).expected == pytest.approx(120, rel=0.1)
    assert compared(rush, weeks=3).expected == pytest.approx(120, rel=0.2)


def test_without_an_earlier_week_nothing_is_usual() -> None:
    moment = datetime(2020, 1, 1, tzinfo=UTC).timestamp()
    assert find_baseline(Series(history(60)), [moment], HALF_HOUR, TWO) is None
