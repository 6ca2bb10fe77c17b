"""Thresholds, windows of the day, cron expressions, moments, time zones."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.judgement import Comparison
from monitor.config.errors import InvalidValueError
from monitor.config.times import parse_cron, parse_moment, parse_timezone, with_zone
from monitor.config.types import (
    THRESHOLD,
    WINDOW,
)


@pytest.mark.parametrize(
    ("text", "below", "at", "above"),
    [
        ("> 10", False, False, True),
        (">= 10", False, True, True),
        ("< 10", True, False, False),
        ("<=10", True, True, False),
        ("== 10", False, True, False),
        ("!= 10", True, False, True),
    ],
)
def test_a_threshold_compares(text: str, below: bool, at: bool, above: bool) -> None:
    threshold = THRESHOLD.parse(text)
    assert (threshold.holds(9.5), threshold.holds(10), threshold.holds(10.5)) == (below, at, above)
    assert str(threshold) == text


def test_a_threshold_in_percent_is_a_fraction() -> None:
    threshold = THRESHOLD.parse(">= 5%")
    assert (threshold.comparison, threshold.limit) == (Comparison.AT_LEAST, 0.05)
    assert THRESHOLD.parse("> 250%").limit == 2.5


def test_no_threshold_holds_for_what_is_not_a_number() -> None:
    assert not THRESHOLD.parse("!= 0").holds(float("nan"))


@pytest.mark.parametrize("text", ["", "5", ">", "> ten", "=> 5", "> 5 %", "> 5; drop", "> 1e3"])
def test_any_other_threshold_is_refused(text: str) -> None:
    with pytest.raises(InvalidValueError, match="expected a comparison with a number"):
        THRESHOLD.parse(text)


def test_a_window_includes_its_start_and_not_its_end() -> None:
    window = WINDOW.parse("01:00-05:00")
    inside = [time(1), time(3, 30), time(4, 59, 59)]
    outside = [time(0, 59, 59), time(5), time(23)]
    assert all(map(window.contains, inside))
    assert not any(map(window.contains, outside))


def test_a_window_may_pass_midnight() -> None:
    window = WINDOW.parse("22:30-04:00")
    assert all(map(window.contains, [time(22, 30), time(23, 59), time(0), time(3, 59)]))
    assert not any(map(window.contains, [time(4), time(12), time(22, 29)]))


def test_a_window_may_end_at_midnight() -> None:
    assert WINDOW.parse("22:00-24:00").contains(time(23, 59, 59))
    assert not WINDOW.parse("22:00-24:00").contains(time(0))


@pytest.mark.parametrize(
    "text", ["", "1:00-5:00", "25:00-01:00", "01:60-02:00", "01:00", "01:00-24:30", "01:00 - 05:00"]
)
def test_any_other_window_is_refused(text: str) -> None:
    with pytest.raises(
        InvalidValueError, match=r"expected a window of the day such as 01:00-05:00"
    ):
        WINDOW.parse(text)


def test_a_window_without_extent_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="write null for the whole day"):
        WINDOW.parse("05:00-05:00")


@given(st.times(), st.times(), st.times())
def test_a_window_and_the_rest_of_the_day_are_the_whole_day(
    start: time, end: time, moment: time
) -> None:
    one, other = f"{start:%H:%M}-{end:%H:%M}", f"{end:%H:%M}-{start:%H:%M}"
    if one != other:
        assert WINDOW.parse(one).contains(moment) != WINDOW.parse(other).contains(moment)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("*/5 * * * *", "*/5 * * * *"),
        ("15 3 * * 1", "15 3 * * mon"),
        ("15 3 * * 0", "15 3 * * sun"),
        ("15 3 * * 7", "15 3 * * sun"),
        ("0 0 * * 1-5", "0 0 * * mon,tue,wed,thu,fri"),
        ("0 0 * * fri-sun", "0 0 * * fri,sat,sun"),
        ("0 0 * * SAT-1", "0 0 * * sat,sun,mon"),
        ("0 0 * * */2", "0 0 * * sun,tue,thu,sat"),
        ("0 0 * * 1/2", "0 0 * * mon,wed,fri"),
        ("0 0 * * 1,3", "0 0 * * mon,wed"),
        ("  0   0 1 jan *  ", "0 0 1 jan *"),
    ],
)
def test_days_of_the_week_are_counted_as_cron_counts_them(written: str, read: str) -> None:
    assert parse_cron(written) == read


def test_a_cron_expression_comes_on_the_day_that_cron_means() -> None:
    from apscheduler.triggers.cron import CronTrigger

    trigger = CronTrigger.from_crontab(parse_cron("0 3 * * 1"), timezone=UTC)
    comes = trigger.get_next_fire_time(None, datetime(2025, 1, 1, tzinfo=UTC))
    assert f"{comes:%A}" == "Monday"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("* * * *", "write minute, hour"),
        ("@hourly", "write minute, hour"),
        ("61 * * * *", "higher than the maximum"),
        ("0 0 * * 8", "day of the week"),
        ("0 0 * * monday", "day of the week"),
        ("0 0 30 2 *", "this one never comes"),
    ],
)
def test_a_cron_expression_that_does_not_work_is_refused(text: str, says: str) -> None:
    with pytest.raises(InvalidValueError, match=says):
        parse_cron(text)


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2025-01-31T12:00:00Z", datetime(2025, 1, 31, 12, tzinfo=UTC)),
        ("2025-01-31 12:00", datetime(2025, 1, 31, 12)),  # noqa: DTZ001
        ("2025-01-31", datetime(2025, 1, 31)),  # noqa: DTZ001
        (date(2025, 1, 31), datetime(2025, 1, 31)),  # noqa: DTZ001
        (datetime(2025, 1, 31, tzinfo=UTC), datetime(2025, 1, 31, tzinfo=UTC)),
    ],
)
def test_a_moment_is_a_date_or_a_time(value: object, moment: datetime) -> None:
    assert parse_moment(value) == moment


@pytest.mark.parametrize("value", ["yesterday", "2025-13-01", 2025, True, None, ["2025-01-01"]])
def test_any_other_moment_is_refused(value: object) -> None:
    with pytest.raises(InvalidValueError, match="expected a date or a time"):
        parse_moment(value)


def test_a_moment_without_time_zone_is_read_in_the_given_one() -> None:
    summer = with_zone(datetime(2025, 7, 1), "Europe/Paris")  # noqa: DTZ001
    assert summer == datetime(2025, 6, 30, 22, tzinfo=UTC)
    own = datetime(2025, 7, 1, tzinfo=UTC)
    assert with_zone(own, "Europe/Paris").utcoffset() == timedelta(0)


@pytest.mark.parametrize("name", ["Europe", "../etc/passwd", "/etc/passwd", "", "Mars/Base"])
def test_a_time_zone_that_does_not_exist_is_refused(name: str) -> None:
    with pytest.raises(InvalidValueError, match="expected a time zone such as UTC"):
        parse_timezone(name)


def test_a_time_zone_with_a_slip_gets_a_suggestion() -> None:
    with pytest.raises(InvalidValueError, match=r"did you mean Europe/Paris\?"):
        parse_timezone("Europe/Pariss")
