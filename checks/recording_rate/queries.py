"""Samples from the database: the newest interval, and what the table still tells of the past."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from psycopg import sql
from sqlalchemy.ext.asyncio import AsyncConnection

from checks import moment_steps
from checks.citus.cluster import LEDGER
from checks.fragments import (
    DATE,
    MomentColumn,
    created_column,
    fragments,
    impressions_of,
    viewed_column,
)
from checks.recording_rate.samples import WEEKS, Sample, SampleInterval
from checks.relations import Catalogue
from checks.spec import PoolsSpec
from checks.statements import identifier, render

CLOCK = "recording_clock"
SAMPLE = "recording_sample"
SEED = "recording_seed"
SEED_WEEKS = WEEKS + 1
"""So far back the table is read: every week that is compared, whatever the clocks did."""
SEED_LEAST = timedelta(minutes=5)
"""The shortest interval that is read back: 18,000 of them in these weeks, however often the check
runs. Rates are compared, so that seeds may be longer than samples."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SETTLING = timedelta(seconds=5)
"""Transactions that began before the end of an interval may commit a little after it: so long they
get."""


def statements(
    catalogue: Catalogue, pools: PoolsSpec, state_schema: str | None
) -> Mapping[str, str]:
    """What is asked, by name, parameters unbound.

    `state_schema` holds the ledger of synthetic impressions; None where there is none yet.
    """
    names = {**fragments(catalogue, pools), **_names(catalogue, state_schema)}
    return {name: render("checks", name, names) for name in (CLOCK, SAMPLE, SEED)}


def hindrance(catalogue: Catalogue) -> str | None:
    """Why the rate can't be measured here, or None: a date says nothing about five minutes."""
    viewed = catalogue.viewed
    if viewed is None:
        return (
            f"{catalogue.impressions.configured} does not say when an artwork was viewed"
            " (catalog.impressions.viewed_at is null)"
        )
    if viewed.cast == DATE:
        return f"{_name(catalogue)} is a date, without a time of day"
    return None


def too_coarse(catalogue: Catalogue, step: timedelta, every: timedelta) -> str | None:
    """Why intervals of `every` can't be told apart by moments that were cut down to `step`."""
    if step <= every:
        return None
    known = _STEP_WORDS[step]
    return f"{_name(catalogue)} is known to the {known}, and the check's interval is shorter"


_STEP_WORDS = {
    timedelta(minutes=1): "minute",
    timedelta(minutes=5): "five minutes",
    timedelta(hours=1): "hour",
    timedelta(days=1): "day",
}


def _name(catalogue: Catalogue) -> str:
    """What says when an artwork was viewed: the column, or the setting of the expression."""
    moment = catalogue.spec.impressions.viewed_at
    if isinstance(moment, str):
        return f"{catalogue.impressions.configured}.{moment}"
    return "catalog.impressions.viewed_at"


async def visible_until(
    connection: AsyncConnection, texts: Mapping[str, str], step: timedelta = moment_steps.NONE
) -> datetime | None:
    """The end of the next interval: what was viewed before is there to be counted.

    Where moments were cut down to whole `step`s, it is one of these: what is written in the rest of
    a step counts as viewed at its start.

    None on a replica that has not replayed anything yet. Must be the transaction's first
    statement, and the sample be counted in the same transaction.
    """
    until: datetime | None = (await connection.exec_driver_sql(texts[CLOCK])).scalar_one()
    if until is None:
        return None
    settled = until.astimezone(UTC) - SETTLING
    return settled - (settled - _EPOCH) % step if step else settled


async def take_sample(
    connection: AsyncConnection, texts: Mapping[str, str], interval: SampleInterval
) -> Sample:
    """Count the interval. An index on `viewed_at` makes it a matter of its rows alone."""
    row = (await connection.exec_driver_sql(texts[SAMPLE], _moments(interval))).one()
    return Sample(interval.start, interval.end, row.impressions, row.artworks)


async def read_seeds(
    connection: AsyncConnection, texts: Mapping[str, str], until: datetime, every: timedelta
) -> Seeds:
    """What the table tells of the weeks before `until`, in intervals of `every`, or of SEED_LEAST
    where that is longer.

    `until` is the start of the first interval that is observed: the two must not overlap. Whole
    intervals only. Reads all impressions of these weeks: for the first start, and not for every
    run.
    """
    every = max(every, SEED_LEAST)
    length = every.total_seconds()
    last = int(until.timestamp() // length)
    first = last - int(timedelta(weeks=SEED_WEEKS) / every)
    interval = SampleInterval(_moment(first, length), _moment(last, length))
    result = await connection.exec_driver_sql(
        texts[SEED], {**_moments(interval), "seconds": length}
    )
    row = result.one()
    return Seeds(row.numbers or [], row.impressions or [], row.artworks or [], last, length)


@dataclass(frozen=True, slots=True)
class Seeds:
    """Samples that were read back from the table: made one at a time, there are some 18,000."""

    numbers: Sequence[int]
    """The intervals with impressions or artworks, numbered from 1970, in order."""
    impressions: Sequence[int]
    artworks: Sequence[int]
    last: int
    """The number of the interval after the newest."""
    length: float
    """Of each interval, in seconds."""

    def __iter__(self) -> Iterator[Sample]:
        """Oldest first, without gaps, from the first interval with an impression on."""
        rows = zip(self.impressions, self.artworks, strict=True)
        counted = dict(zip(self.numbers, rows, strict=True))
        first = next((number for number, (seen, _) in counted.items() if seen), self.last)
        for number in range(first, self.last):
            start, end = _moment(number, self.length), _moment(number + 1, self.length)
            impressions, artworks = counted.get(number, (0, 0))
            yield Sample(start, end, impressions, artworks, seeded=True)


def _moment(number: int, length: float) -> datetime:
    return datetime.fromtimestamp(number * length, UTC)


def _moments(interval: SampleInterval) -> dict[str, object]:
    return {"start": interval.start, "end": interval.end}


def _names(catalogue: Catalogue, state_schema: str | None) -> dict[str, sql.Composable]:
    created, viewed = created_column(catalogue), viewed_column(catalogue)
    return {
        "synthetic": _synthetic(catalogue, viewed, state_schema),
        "viewed_start": viewed.stored("start"),
        "viewed_end": viewed.stored("end"),
        "viewed_moment": viewed.moment("i"),
        "created_start": created.stored("start"),
        "created_end": created.stored("end"),
        "created_moment": created.moment("a"),
    }


def _synthetic(
    catalogue: Catalogue, viewed: MomentColumn, state_schema: str | None
) -> sql.Composable:
    """The ledger's rows of the interval; without a ledger none, in the same types."""
    spec = catalogue.spec.impressions
    if state_schema is None:
        return sql.SQL(
            "(SELECT {user} AS user_id, {artwork} AS artwork_id, {viewed_at} AS viewed_at"
            " FROM {impressions} AS i WHERE FALSE)"
        ).format(
            user=identifier(spec.user),
            artwork=identifier(spec.artwork),
            viewed_at=identifier(viewed.column.name),
            impressions=impressions_of(catalogue),
        )
    return sql.SQL(
        "(SELECT b.user_id, b.artwork_id, b.viewed_at FROM {ledger} AS b"
        " WHERE b.viewed_at >= {start} AND b.viewed_at < {end})"
    ).format(
        ledger=identifier(state_schema, LEDGER),
        start=viewed.stored("start"),
        end=viewed.stored("end"),
    )
