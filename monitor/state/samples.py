"""What `recording_rate` keeps: how many impressions were recorded in each interval."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import islice

from sqlalchemy.ext.asyncio import AsyncConnection

from checks.recording_rate.samples import Sample, SampleInterval
from monitor.state.statements import SchemaStatements

_AT_ONCE = 200
"""Samples in one statement: the first start keeps some 18,000, and to write a moment down takes
the driver 30 µs, in the event loop."""


async def newest_end(connection: AsyncConnection, statements: SchemaStatements) -> datetime | None:
    """Where the newest sample ends; None where there is none."""
    result = await statements.run(connection, "samples_newest")
    found: datetime | None = result.scalar_one()
    return None if found is None else found.astimezone(UTC)


async def read_samples(
    connection: AsyncConnection, statements: SchemaStatements, intervals: Sequence[SampleInterval]
) -> list[Sample]:
    """The samples that end within any of the intervals, oldest first, each once."""
    values = {
        "starts": [interval.start for interval in intervals],
        "ends": [interval.end for interval in intervals],
    }
    rows = await statements.run(connection, "samples_read", values)
    return [
        Sample(
            row.started_at.astimezone(UTC),
            row.ended_at.astimezone(UTC),
            row.impressions,
            row.artworks,
            seeded=row.seeded,
            suspect=row.suspect,
            day_factor=row.level,
        )
        for row in rows
    ]


async def keep_samples(
    connection: AsyncConnection, statements: SchemaStatements, samples: Iterable[Sample]
) -> None:
    """Keep samples; one that is there already is judged anew."""
    rest = iter(samples)
    while some := list(islice(rest, _AT_ONCE)):
        await statements.run(
            connection,
            "samples_keep",
            {
                "starts": [sample.start for sample in some],
                "ends": [sample.end for sample in some],
                "impressions": [sample.impressions for sample in some],
                "artworks": [sample.artworks for sample in some],
                "seeded": [sample.seeded for sample in some],
                "suspect": [sample.suspect for sample in some],
                "levels": [sample.day_factor for sample in some],
            },
        )
