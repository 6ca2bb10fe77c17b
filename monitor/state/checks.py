"""What is kept of checks: each one's results and how its outcome changed, the samples that
`recording_rate` judges, and the last report of each suite of expectations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from checks.recording_rate.samples import Sample, SampleInterval
from monitor.state.statements import SchemaStatements

_AT_ONCE = 200
"""Samples in one statement: the first start keeps some 18,000, and to write a moment down takes
the driver 30 µs, in the event loop."""


@dataclass(frozen=True, slots=True)
class ResultRow:
    """One run of a check."""

    taken_at: datetime
    outcome: str
    value: float | None
    """None where it could not be evaluated, or was skipped."""
    seconds: float | None


@dataclass(frozen=True, slots=True)
class TransitionRow:
    """One change of a check's outcome."""

    changed_at: datetime
    before: str | None
    """None: it was the first result."""
    after: str
    value: float | None
    message: str


@dataclass(frozen=True, slots=True)
class CheckHistory:
    """Of one check, newest first."""

    results: tuple[ResultRow, ...]
    transitions: tuple[TransitionRow, ...]


@dataclass(frozen=True, slots=True)
class Validation:
    """One suite's last report, as Great Expectations made it."""

    suite: str
    validated_at: datetime
    document: Mapping[str, Any]


async def read_history(
    connection: AsyncConnection, state: SchemaStatements, name: str, *, limit: int
) -> CheckHistory:
    """At most `limit` results, and as many transitions; none for a name that never was."""
    return CheckHistory(
        await state.list(connection, "check_results", ResultRow, name=name, limit=limit),
        await state.list(connection, "check_transitions", TransitionRow, name=name, limit=limit),
    )


async def newest_end(connection: AsyncConnection, state: SchemaStatements) -> datetime | None:
    """Where the newest sample ends; None where there is none."""
    result = await state.run(connection, "samples_newest")
    found: datetime | None = result.scalar_one()
    return None if found is None else found.astimezone(UTC)


async def read_samples(
    connection: AsyncConnection, state: SchemaStatements, intervals: Sequence[SampleInterval]
) -> list[Sample]:
    """The samples that end within any of the intervals, oldest first, each once."""
    starts = [interval.start for interval in intervals]
    ends = [interval.end for interval in intervals]
    return list(
        await state.list(connection, "samples_read", _make_sample, starts=starts, ends=ends)
    )


def _make_sample(start: datetime, end: datetime, **counted: Any) -> Sample:
    # In UTC: a week earlier is reckoned by the catalogue's clocks, not by the session's.
    return Sample(start.astimezone(UTC), end.astimezone(UTC), **counted)


async def keep_samples(
    connection: AsyncConnection, state: SchemaStatements, samples: Iterable[Sample]
) -> None:
    """Keep samples; one that is there already is judged anew."""
    rest = iter(samples)
    while some := list(islice(rest, _AT_ONCE)):
        columns = {
            field.name: [getattr(sample, field.name) for sample in some] for field in fields(Sample)
        }
        await state.run(connection, "samples_keep", columns)


async def keep_validation(
    connection: AsyncConnection, state: SchemaStatements, suite: str, document: str
) -> None:
    """Keep the report, as JSON, in place of the suite's last one."""
    await state.run(connection, "validation_keep", {"suite": suite, "document": document})


async def read_validations(
    connection: AsyncConnection, state: SchemaStatements
) -> tuple[Validation, ...]:
    """The last report of every suite, by name."""
    return await state.list(connection, "validations_read", Validation)
