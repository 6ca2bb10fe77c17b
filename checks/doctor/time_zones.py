"""Columns that hold moments: their types, their time zones, and the clocks that write them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from checks.doctor.findings import Finding, advice, error, warning
from checks.doctor.input import DoctorInput, moment_columns, moment_subject
from checks.relations import Column

DATE = "date"
MOMENTS = frozenset({DATE, "timestamp without time zone", "timestamp with time zone"})
WITHOUT_ZONE = "timestamp without time zone"
_CLOCK = re.compile(
    r"\bnow\(|\b(?:clock|statement|transaction)_timestamp\(|\bCURRENT_TIMESTAMP\b"
    r"|\bLOCALTIMESTAMP\b|\bCURRENT_DATE\b|\bto_timestamp\(|'(?:now|today)'",
    re.IGNORECASE,
)
_IN_ZONE = re.compile(r"\bAT TIME ZONE\b|\btimezone\(", re.IGNORECASE)


def timezone_is_known(given: DoctorInput) -> Iterator[Finding]:
    """The server converts with its own list of time zones."""
    refusal = given.evidence.timezone
    if refusal is not None:
        yield error(
            "timezone_unknown",
            "catalog.timezone",
            problem=f"The server does not know {given.spec.timezone}: {refusal.message}.",
            consequence="Moments without a time zone can't be read, so nothing can be counted.",
            remedy="Name one of: SELECT name FROM pg_timezone_names;",
        )


def zoneless_moments(given: DoctorInput) -> Iterator[Finding]:
    """A timestamp without time zone means what catalog.timezone says; a date, the whole day."""
    zone = given.spec.timezone
    for relation, setting, column in moment_columns(given.facts):
        if column.cast == WITHOUT_ZONE:
            yield advice(
                "moment_without_zone",
                moment_subject(relation, column),
                problem=f"It has no time zone; it is read in {zone}.",
                consequence=f"If the app writes it in another zone, ages are off ({setting}).",
                remedy="Let catalog.timezone be the zone in which the app writes.",
            )
        elif column.cast == DATE:
            yield advice(
                "moment_is_date",
                moment_subject(relation, column),
                problem=f"It is a day, and read as that day's midnight in {zone}.",
                consequence=f"Ages are exact to a day only ({setting}).",
                remedy="Name a column that holds the moment, if there is one.",
            )


def defaults_tell_the_same_time(given: DoctorInput) -> Iterator[Finding]:
    """now() becomes local time of the writing session in a column without time zone."""
    others = [clock for clock in given.evidence.clocks if not clock.agrees]
    if not others:
        return
    settings = ", ".join(f"{clock.source} {clock.zone}" for clock in others)
    for relation, _, column in moment_columns(given.facts):
        if not _writes_local_time(column):
            continue
        yield warning(
            "default_in_other_zone",
            f"{relation.configured}.{column.name}",
            problem=(
                f"The default {column.default} writes the session's local time, and TimeZone is "
                f"not everywhere that of catalog.timezone ({given.spec.timezone}): {settings}."
            ),
            consequence="Ages would be off by the difference, to the past or to the future.",
            remedy=(
                "Let catalog.timezone be the zone of the sessions that write there, if they all "
                "have the same."
            ),
        )


def _writes_local_time(column: Column) -> bool:
    return column.default is not None and is_local_time(column, column.default)


def is_local_time(column: Column, expression: str) -> bool:
    """Whether the column has no time zone, and the expression tells it the session's time."""
    return (
        column.cast in (WITHOUT_ZONE, DATE)
        and _CLOCK.search(expression) is not None
        and _IN_ZONE.search(expression) is None
    )
