"""Moments of PostgreSQL's calendar, by the names that PostgreSQL gives them."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.moment_names import day_name, moment_name


@pytest.mark.parametrize(
    ("seconds", "name", "day"),
    [
        (0.0, "1970-01-01T00:00:00+00:00", "1970-01-01"),
        (-62135596800.0, "0001-01-01T00:00:00+00:00", "0001-01-01"),
        (-62135596801.0, "0001-12-31T23:59:59+00:00 BC", "0001-12-31 BC"),
        (-63517824000.0, "0044-03-15T00:00:00+00:00 BC", "0044-03-15 BC"),
        (-210866803200.0, "4714-11-24T00:00:00+00:00 BC", "4714-11-24 BC"),
        (253402300800.0, "10000-01-01T00:00:00+00:00", "10000-01-01"),
        (9224318015999.0, "294276-12-31T23:59:59+00:00", "294276-12-31"),
        (math.inf, "infinity", "infinity"),
        (-math.inf, "-infinity", "-infinity"),
    ],
)
def test_every_moment_has_a_name(seconds: float, name: str, day: str) -> None:
    assert moment_name(seconds) == name
    assert day_name(seconds) == day


@given(st.datetimes(timezones=st.just(UTC)))
def test_within_the_calendar_it_is_pythons(moment: datetime) -> None:
    seconds = moment.timestamp()
    assert moment_name(seconds) == datetime.fromtimestamp(seconds, UTC).isoformat()
