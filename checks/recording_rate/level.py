"""How today compares with the usual: on a holiday half as many visitors are no outage."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from checks.recording_rate.calendar import LEVEL_SPANS
from checks.recording_rate.series import Series
from checks.recording_rate.usual import choose

LOWEST = 0.5
"""However quiet a day is, at least this share of the usual is expected of it. What comes down
slowly to less than that alarms all the same."""
_ENOUGH = 16.0
"""So many bursts of impressions must be usual in the span: with fewer, chance alone moves the level
by more than a quarter."""


def level(
    series: Series, last: int, moments: Sequence[float], slack: float, burstiness: float
) -> float:
    """Today's share of the usual, LOWEST to 1, over the hours up to the sample `last`.

    `moments` are the ends of the same hours in earlier weeks, in Unix seconds. While something
    abnormal lies in those hours, the level is what it was before: an outage must not become the
    day's level, or it would end by itself.
    """
    for hours in LEVEL_SPANS:
        seconds = hours.total_seconds()
        span = series.before(last, seconds) if last >= 0 else None
        if span is None:
            break
        if not span.clean:
            return series.samples[last].level
        weeks = [series.stretches(moment, slack, seconds)[:1] for moment in moments]
        chosen, _ = choose([week for week in weeks if week])
        if not chosen:
            break
        expected = median(week[0].rate for week in chosen)
        if expected * seconds >= _ENOUGH * burstiness:
            return min(1.0, max(LOWEST, span.rate / expected))
    return 1.0
