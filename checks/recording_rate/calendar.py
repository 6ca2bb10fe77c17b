"""The same time of the week in earlier weeks.

A week earlier means: the same weekday and the same time on the clocks of the catalogue's time
zone. Visitors live by those, so when the clocks move, the rhythm moves with them.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

from checks.recording_rate.samples import Window

WEEKS = 8
"""So many earlier weeks say what is usual: a median over fewer shakes, over more it lags behind a
growing or shrinking app."""
NEIGHBOURHOOD = timedelta(minutes=30)
"""What ended within so much of the same time counts as the same hour of the week."""
LONGEST_LOW = timedelta(hours=1)
"""The longest stretch in which fewer impressions than usual are told from chance. Of longer ones,
earlier weeks hold too few that don't overlap."""
LONGEST = timedelta(hours=6)
"""The longest stretch in which a complete stop is told from chance."""
LEVEL_SPANS = (timedelta(hours=3), timedelta(hours=6))
"""Over so much, right before what is judged, the day's level is taken; see `level`."""
_SPARE = timedelta(minutes=30)
"""Samples are a little longer than planned now and then."""


def weeks_before(moment: datetime, zone: tzinfo, weeks: int) -> datetime:
    """`moment` on the clocks of `zone`, so many weeks earlier; in UTC.

    A time that the clocks left out then is read as if they had not moved yet (PEP 495).
    """
    local = moment.astimezone(zone)
    wall = local.replace(tzinfo=None) - timedelta(weeks=weeks)
    return wall.replace(tzinfo=zone, fold=local.fold).astimezone(UTC)


def needed(end: datetime, zone: tzinfo) -> tuple[Window, ...]:
    """Which samples the judgement of the sample that ends at `end` reads, oldest window first.

    Thirteen hours of each earlier week and of today: with samples of five minutes, about 1,500.
    """
    back = LONGEST + max(LEVEL_SPANS) + NEIGHBOURHOOD + _SPARE
    earlier = (weeks_before(end, zone, weeks) for weeks in range(WEEKS, 0, -1))
    return (
        *(Window(moment - back, moment + NEIGHBOURHOOD + _SPARE) for moment in earlier),
        Window(end - back, end),
    )
