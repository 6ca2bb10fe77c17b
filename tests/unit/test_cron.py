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
