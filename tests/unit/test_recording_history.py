"""What earlier weeks say is usual: repaired outages, clocks that move, holidays, seeds, gaps."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from checks.recording_rate.assessment import Finding
from checks.recording_rate.samples import Sample
from tests.support.recording_samples import (
    EVENING,
    EVERY,
    WEEK,
    ZONE,
    history,
    judged,
    newest,
    rhythm,
    samples,
    watched,
)


def test_a_repaired_outage_does_not_poison_what_is_usual() -> None:
    given_samples = list(history(60))
    last_week = len(given_samples) - round(WEEK / EVERY)
    for number in range(last_week - 40, last_week + 40):
        given_samples[number] = replace(given_samples[number], impressions=0)
    found = judged(given_samples, ZONE)
    clean = judged(history(60), ZONE)
    assert found.finding is Finding.USUAL
    assert found.expected == pytest.approx(clean.expected, rel=0.05)
    assert judged(newest(tuple(given_samples), 0, 0), ZONE).finding is Finding.STOPPED


def test_outages_in_half_of_the_weeks_have_no_say_once_they_were_found() -> None:
    given_samples = list(history(60))
    for week in (1, 2, 3, 4):
        end = len(given_samples) - week * round(WEEK / EVERY)
        for number in range(end - 40, end + 40):
            given_samples[number] = replace(given_samples[number], impressions=0, suspect=True)
    assert judged(newest(tuple(given_samples), 0, 0), ZONE).finding is Finding.STOPPED
    assert judged(given_samples, ZONE).weeks == 4


def test_what_is_abnormal_in_most_weeks_is_what_is_usual_now() -> None:
    given_samples = list(history(60))
    fifth = len(given_samples) - 5 * round(WEEK / EVERY) - 100
    given_samples[fifth:] = [
        replace(sample, impressions=sample.impressions // 5, suspect=True)
        for sample in given_samples[fifth:]
    ]
    found = judged(given_samples, ZONE)
    assert found.finding is Finding.USUAL
    assert found.expected < rhythm(60)(EVENING)


@pytest.mark.parametrize("name", ["Europe/Berlin", "America/New_York"])
@pytest.mark.parametrize("month", [3, 10])
def test_when_the_clocks_move_the_rhythm_moves_with_them(name: str, month: int) -> None:
    """A shop that opens and closes by the clock: there, an hour makes all the difference."""
    zone = ZoneInfo(name)
    change = datetime(2025, month, 30 if month == 3 else 26, tzinfo=UTC)
    if name == "America/New_York":
        change = datetime(2025, month, 9, tzinfo=UTC) if month == 3 else change + WEEK
    days = timedelta(days=5)

    def opening_hours(local: datetime) -> float:
        return 300.0 if 9 <= local.hour < 21 else 5.0

    whole = samples(opening_hours, zone, change + days, weeks=5)
    count = round(days / EVERY)
    found = watched(whole[:-count], whole[-count:], zone)
    assert [one for one in found if one.suspect] == []
    elsewhere = watched(whole[:-count], whole[-count:], ZoneInfo("UTC"))
    assert [one for one in elsewhere if one.suspect] != []


def test_the_first_week_is_for_learning() -> None:
    found = judged(history(60)[-round(0.9 * WEEK / EVERY) :], ZONE)
    assert found.finding is Finding.LEARNING
    assert (found.deviation, found.suspect) == (0, False)


def test_one_week_is_enough_to_find_a_stop_and_not_for_less() -> None:
    week = history(60)[-round(1.2 * WEEK / EVERY) :]
    assert judged(newest(week, 0, 0), ZONE).finding is Finding.STOPPED
    assert judged(newest(week, 30, 30), ZONE).finding is Finding.LEARNING


def test_two_samples_in_a_row_are_needed_after_an_absence() -> None:
    given_samples = list(history(60))
    away = [*given_samples[:-20], given_samples[-1]]
    assert judged(given_samples[-1:], ZONE).finding is Finding.RESUMING
    assert judged(away, ZONE).finding is Finding.RESUMING
    assert judged([*given_samples[:-20], *given_samples[-2:]], ZONE).finding is Finding.USUAL


def test_missed_samples_make_a_longer_one_and_no_alarm() -> None:
    whole = list(history(60))

    def merged(part: list[Sample]) -> Sample:
        total = sum(sample.impressions for sample in part)
        return replace(part[0], end=part[-1].end, impressions=total)

    longer = [*whole[:-6], merged(whole[-6:-3]), merged(whole[-3:])]
    assert judged(longer, ZONE).finding is Finding.USUAL
    assert judged([*whole[:-6], merged(whole[-6:-3]), *whole[-3:]], ZONE).finding is Finding.USUAL
    assert judged(newest(tuple(longer), 0, 0), ZONE).finding is Finding.STOPPED
    # Longer ones in the past, too, are compared by the second.
    past = len(whole) - round(WEEK / EVERY)
    gappy = [*whole[: past - 3], merged(whole[past - 3 : past]), *whole[past + 20 :]]
    assert judged(gappy, ZONE).finding is Finding.USUAL


def test_a_holiday_is_no_outage_and_an_outage_on_a_holiday_is_one() -> None:
    whole = history(200, EVENING + timedelta(hours=3))
    midnight = round(timedelta(hours=22) / EVERY)
    holiday = [
        replace(sample, impressions=sample.impressions * 6 // 10) for sample in whole[-midnight:]
    ]
    found = watched(list(whole[:-midnight]), holiday, ZONE)
    assert [one for one in found if one.suspect] == []
    assert found[-1].day_factor == pytest.approx(0.6, abs=0.05)
    stopped = judged(newest((*whole[:-midnight], *holiday), 0, 0), ZONE)
    assert stopped.finding is Finding.STOPPED


def test_seeded_weeks_count_until_three_are_observed() -> None:
    whole = history(60)

    def seeded(observed_weeks: float) -> list[Sample]:
        border = len(whole) - round((observed_weeks + 0.5) * WEEK / EVERY)
        # What was viewed again since is missing from the table.
        eroded = [
            replace(sample, impressions=sample.impressions // 2, seeded=True)
            for sample in whole[:border]
        ]
        return [*eroded, *whole[border:]]

    early, late = judged(seeded(2), ZONE), judged(seeded(3), ZONE)
    assert (early.seeded, early.weeks) == (True, 8)
    assert (late.seeded, late.weeks) == (False, 3)
    assert late.expected > 1.5 * early.expected
    assert judged(newest(tuple(seeded(0)), 0, 0), ZONE).finding is Finding.STOPPED
