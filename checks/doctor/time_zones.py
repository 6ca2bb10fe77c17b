"""Columns that hold moments: their types, their time zones, and the clocks that write them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from checks.doctor.ddl import change_type, quoted, table
from checks.doctor.findings import Finding, advice, error, warning
from checks.doctor.input import DoctorInput, moment_columns
from checks.relations import Column, Relation

DATE = "date"
MOMENTS = frozenset({DATE, "timestamp without time zone", "timestamp with time zone"})
_WITHOUT_ZONE = "timestamp without time zone"
_CLOCK = re.compile(
    r"\bnow\(|\b(?:clock|statement|transaction)_timestamp\(|\bCURRENT_TIMESTAMP\b"
    r"|\bLOCALTIMESTAMP\b|\bCURRENT_DATE\b",
    re.IGNORECASE,
)
_IN_ZONE = re.compile(r"\bAT TIME ZONE\b|\btimezone\(", re.IGNORECASE)


def moments_are_moments(given: DoctorInput) -> Iterator[Finding]:
    """Creation and viewing times as text or epoch numbers can't be compared with a clock."""
    for relation, setting, column in moment_columns(given.facts):
        if column.cast in MOMENTS:
            continue
        yield error(
            "not_a_moment",
            f"{relation.configured}.{column.name}",
            problem=(
                f"{setting} names a column of type {column.type}; expected date, timestamp or "
                "timestamptz."
            ),
            consequence="Ages can't be computed, so nothing can be counted or healed.",
            remedy=_to_moment(relation, column) + f"{setting}: <a column that holds a moment>",
        )


def timezone_is_known(given: DoctorInput) -> Iterator[Finding]:
    """The server converts with its own list of time zones."""
    refusal = given.evidence.timezone
    if refusal is not None:
        yield error(
            "timezone_unknown",
            "catalog.timezone",
            problem=f"The server does not know {given.spec.timezone}: {refusal.message}.",
            consequence="Moments without a time zone can't be read, so nothing can be counted.",
            remedy="catalog.timezone: <one of: SELECT name FROM pg_timezone_names;>",
        )


def zoneless_moments(given: DoctorInput) -> Iterator[Finding]:
    """A timestamp without time zone means what catalog.timezone says; a date, the whole day."""
    zone = given.spec.timezone
    for relation, setting, column in moment_columns(given.facts):
        if column.cast == _WITHOUT_ZONE:
            yield advice(
                "moment_without_zone",
                f"{relation.configured}.{column.name}",
                problem=f"The column has no time zone; it is read in {zone}.",
                consequence=f"If the app writes it in another zone, ages are off ({setting}).",
                remedy="catalog.timezone: <the zone in which the app writes>",
            )
        elif column.cast == DATE:
            yield advice(
                "moment_is_date",
                f"{relation.configured}.{column.name}",
                problem=f"The column holds a day; it is read as that day's midnight in {zone}.",
                consequence=f"Ages are exact to a day only ({setting}).",
                remedy=change_type(relation, column.name, "timestamptz"),
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
                f"ALTER TABLE {table(relation)} ALTER COLUMN {quoted(column.name)} SET DEFAULT "
                f"(now() AT TIME ZONE '{given.spec.timezone}');"
                "  -- or catalog.timezone: <the zone of the app's sessions>"
            ),
        )


def _writes_local_time(column: Column) -> bool:
    return (
        column.cast in (_WITHOUT_ZONE, DATE)
        and column.default is not None
        and _CLOCK.search(column.default) is not None
        and _IN_ZONE.search(column.default) is None
    )


def _to_moment(relation: Relation, column: Column) -> str:
    """A guess at what the column holds: numbers are seconds since 1970, strings are readable."""
    moment = {
        "N": f"to_timestamp({quoted(column.name)})",
        "S": f"{quoted(column.name)}::timestamptz",
    }
    if column.category not in moment:
        return ""
    change = change_type(relation, column.name, "timestamptz", moment[column.category])
    return f"{change}  -- or "
