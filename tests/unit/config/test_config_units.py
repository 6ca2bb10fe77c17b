"""Durations, shares and sizes: what is read, what is written back, what is refused."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.config.errors import InvalidValueError
from monitor.config.types import DURATION, SHARE, SIZE, format_duration

durations = st.timedeltas(min_value=timedelta(0))


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("250ms", timedelta(milliseconds=250)),
        ("15s", timedelta(seconds=15)),
        ("15m", timedelta(minutes=15)),
        ("1h", timedelta(hours=1)),
        ("7d", timedelta(days=7)),
        ("2w", timedelta(days=14)),
        ("1d12h", timedelta(hours=36)),
        ("1h30m5s250ms", timedelta(minutes=90, seconds=5.25)),
        ("1.5h", timedelta(minutes=90)),
        ("0s", timedelta(0)),
    ],
)
def test_a_duration_is_a_number_with_a_unit_or_several(text: str, duration: timedelta) -> None:
    assert DURATION.parse(text) == duration


@pytest.mark.parametrize(
    "text",
    ["", "m", "15", "-5s", "15M", "15 m", "12h1d", "1m1m", "1e3s", "fifteen", "٥s", "1.s", "5s\n"],
)
def test_any_other_duration_is_refused(text: str) -> None:
    with pytest.raises(InvalidValueError, match="expected a duration such as 250ms"):
        DURATION.parse(text)


def test_a_bare_number_is_told_about_units() -> None:
    with pytest.raises(InvalidValueError, match="write a number and a unit"):
        DURATION.parse("60")


def test_a_duration_beyond_the_calendar_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="fits a calendar"):
        DURATION.parse("9999999999999w")


@given(durations)
def test_a_duration_survives_being_written_and_read(duration: timedelta) -> None:
    assert DURATION.parse(format_duration(duration)) == duration


@given(durations)
def test_a_written_duration_matches_the_pattern_for_editors(duration: timedelta) -> None:
    assert re.search(DURATION.pattern, format_duration(duration))


@given(st.text(alphabet="0123456789.wdhms ", max_size=12))
def test_the_duration_pattern_admits_exactly_what_is_read(text: str) -> None:
    try:
        DURATION.parse(text)
    except InvalidValueError as error:
        assert "calendar" in str(error) or not re.search(DURATION.pattern, text)
    else:
        assert re.search(DURATION.pattern, text)


@pytest.mark.parametrize(
    ("text", "share"), [("50%", 0.5), ("0.5", 0.5), ("12.5%", 0.125), ("0%", 0.0), ("1", 1.0)]
)
def test_a_share_is_a_percentage_or_a_fraction(text: str, share: float) -> None:
    assert SHARE.parse(text) == share


@pytest.mark.parametrize("text", ["", "%", "50 %", "-1%", "half", "nan", "inf", "1e-3"])
def test_any_other_share_is_refused(text: str) -> None:
    with pytest.raises(InvalidValueError, match="expected a share such as 50%"):
        SHARE.parse(text)


def test_more_than_everything_is_refused() -> None:
    with pytest.raises(InvalidValueError, match=r"found 101%; write no more than 100%"):
        SHARE.parse("101%")
    with pytest.raises(InvalidValueError, match="write 50% if that was meant"):
        SHARE.parse("50")
    with pytest.raises(InvalidValueError, match="write no more than 100%"):
        SHARE.parse("500")


@given(st.floats(min_value=0, max_value=1))
def test_a_share_survives_being_written_and_read(share: float) -> None:
    text = SHARE.write(share)
    assert SHARE.parse(text) == share
    assert re.search(SHARE.pattern, text)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1024", 1024),
        ("1B", 1),
        ("10MB", 10_000_000),
        ("10kB", 10_000),
        ("64MiB", 67_108_864),
        ("1.5KiB", 1536),
        ("2TiB", 2 * 1024**4),
    ],
)
def test_a_size_is_bytes_or_a_number_with_a_unit(text: str, size: int) -> None:
    assert SIZE.parse(text) == size


@pytest.mark.parametrize("text", ["", "MiB", "5 MB", "64mib", "-1", "1.5", "0.1KiB", "1e3"])
def test_any_other_size_is_refused(text: str) -> None:
    with pytest.raises(InvalidValueError, match="expected a size such as 64MiB"):
        SIZE.parse(text)


@given(st.integers(min_value=0, max_value=2**70))
def test_a_size_survives_being_written_and_read(size: int) -> None:
    text = SIZE.write(size)
    assert SIZE.parse(text) == size
    assert re.search(SIZE.pattern, text)
