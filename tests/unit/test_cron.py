"""Cron by the clock on the wall, against a calendar that reads that clock minute by minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from monitor.scheduler import Schedule, WallClockTrigger
from tests.fuzz.clocks import (
    EXPRESSIONS,
    changes,
    due_by_the_wall,
    due_by_trigger,
)

YEAR = 2026
SINCE = datetime(2026, 3, 28, 12, tzinfo=UTC)
BERLIN = "Europe/Berlin"
ZONES = (
    *(BERLIN, "America/New_York", "Africa/Cairo", "America/Santiago"),  # the last: from midnight on
    *("Australia/Lord_Howe", "America/St_Johns", "Asia/Beirut", "Pacific/Chatham"),
)


@pytest.mark.parametrize("zone", ZONES)
def test_every_expression_is_due_as_the_wall_has_it_around_each_change(zone: str) -> None:
    around = changes(zone, YEAR)
    assert len(around) == 2
    for change in around:
        since, until = change - timedelta(days=1), change + timedelta(days=1)
        for expression in EXPRESSIONS:
            wall = list(due_by_the_wall(expression, zone, since, until))
            assert list(due_by_trigger(expression, zone, since, until)) == wall, expression


@pytest.mark.parametrize(
    ("zone", "change"),
    [
        ("Pacific/Apia", "2011-12-30T10:00Z"),  # a Friday, the last but one of a year, never was
        ("Pacific/Kwajalein", "1993-08-21T12:00Z"),
        ("Pacific/Kiritimati", "1994-12-31T10:00Z"),
        ("Australia/Lord_Howe", "2026-04-04T15:00Z"),  # by half an hour
        ("Australia/Lord_Howe", "2026-10-03T15:30Z"),
        ("America/Caracas", "2016-05-01T07:00Z"),
        ("America/Sao_Paulo", "2018-11-04T03:00Z"),
        ("Antarctica/Troll", "2026-03-29T01:00Z"),  # by two hours
    ],
)
def test_days_of_the_week_and_ends_of_months_where_clocks_change(zone: str, change: str) -> None:
    since = datetime.fromisoformat(change) - timedelta(days=3)
    until = since + timedelta(days=6)
    for expression in (
        *("0 0 * * fri", "0 12 * * fri", "30 2 * * sun", "0 12 30 12 *", "0 0 31 12 *"),
        *("0 0 1 * *", "59 23 * * sat", "15,45 2 * * *", "*/15 * * * *", "0 1-3 * * mon-fri"),
        *("30 23 * * thu", "0 3 * 10 sat", "0 0 1 1 *", "*/7 */5 1-7 * sun"),
    ):
        wall = list(due_by_the_wall(expression, zone, since, until))
        assert list(due_by_trigger(expression, zone, since, until)) == wall, expression


@pytest.mark.parametrize(
    ("expression", "zone", "since", "due"),
    [
        # It was the day after that had no run.
        ("0 0 * * *", BERLIN, "2026-03-29T00:00+01:00", "2026-03-30T00:00+02:00"),
        ("30 2 * * *", BERLIN, "2026-03-28T12:00+01:00", "2026-03-29T03:00+02:00"),
        ("30 2 * * *", BERLIN, "2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"),
        ("0 0 * * *", "Africa/Cairo", "2026-04-23T12:00+02:00", "2026-04-24T01:00+03:00"),
        ("45 * * * *", BERLIN, "2026-10-25T02:50+02:00", "2026-10-25T03:45+01:00"),
    ],
)
def test_a_time_that_is_skipped_or_comes_twice(
    expression: str, zone: str, since: str, due: str
) -> None:
    begun, expected = datetime.fromisoformat(since), datetime.fromisoformat(due)
    trigger = WallClockTrigger(expression, zone)
    assert trigger.get_next_fire_time(begun, begun) == expected.astimezone(UTC)


def test_what_was_missed_is_told_one_by_one() -> None:
    trigger = WallClockTrigger("0 * * * *", "UTC")
    late = SINCE + timedelta(hours=5)
    assert trigger.get_next_fire_time(SINCE, late) == SINCE + timedelta(hours=1)
    assert trigger.get_next_fire_time(late, late - timedelta(minutes=1)) == late


def test_a_schedule_by_cron_reads_the_wall() -> None:
    schedule = Schedule(None, "30 2 * * *", BERLIN)
    assert isinstance(schedule.trigger(), WallClockTrigger)
    assert 0 < schedule.interval_seconds() <= 25 * 3600
    assert Schedule(None, "0 0 29 2 *", "UTC").interval_seconds() <= 4 * 366 * 24 * 3600
