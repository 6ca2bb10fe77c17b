"""Moments that a check compares: with patience for clocks, in the column's own type for indexes.

A column without time zone is read in `catalog.timezone`, as everywhere. Where a clock was set
back, it showed an hour twice and the column does not say which one is meant: PostgreSQL takes the
later. A check that accuses a row has to hold under both readings.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from psycopg import sql

from checks.fragments import moment, stored_moment
from checks.relations import Column
from checks.statements import identifier

SKEW = timedelta(minutes=5)
"""How far the clocks of app servers and database may lie apart before a time counts as wrong."""

# Zones lie at most 27 hours apart, so no change of a zone's offset moves a clock by two days.
_LONGEST_STEP = sql.SQL("interval '2 days'")


def first_moment(column: Column, timezone: str) -> sql.Composable:
    """The earliest moment that the column's value may mean.

    It reads the clock as it went a day before as well: for a day after a clock was set back that
    is more patience than need be, and at no other time.
    """
    usual = moment(column, timezone)
    if column.has_time_zone:
        return usual
    return sql.SQL(
        "least({usual}, (({column}::timestamp - interval '1 day') AT TIME ZONE {zone})"
        " + interval '24 hours')"
    ).format(usual=usual, column=identifier(column.name), zone=sql.Literal(timezone))


def last_moment(column: Column, timezone: str) -> sql.Composable:
    """The latest moment that the column's value may mean: for a date, the end of the day."""
    if column.cast != "date":
        return moment(column, timezone)
    return sql.SQL("(({} + 1)::timestamp AT TIME ZONE {})").format(
        identifier(column.name), sql.Literal(timezone)
    )


def not_long_before(column: Column, timezone: str, parameter: str) -> sql.Composable:
    """A condition that an index on `column` and its statistics can answer.

    It lets through every row whose moment is not before the bound moment `parameter`, and some
    that are, where the column has no time zone: an exact comparison has to follow.
    """
    border = stored_moment(column, timezone, parameter)
    if column.has_time_zone:
        return sql.SQL("{} >= {}").format(identifier(column.name), border)
    return sql.SQL("{} >= {} - {}").format(identifier(column.name), border, _LONGEST_STEP)


def not_long_after(column: Column, timezone: str, parameter: str) -> sql.Composable:
    """The same for rows whose moment is not after `parameter`; NULL is not let through."""
    border = stored_moment(column, timezone, parameter)
    if column.has_time_zone:
        return sql.SQL("{} <= {}").format(identifier(column.name), border)
    return sql.SQL("{} <= {} + {}").format(identifier(column.name), border, _LONGEST_STEP)


def moment_text(seconds: float) -> str:
    """Seconds since 1970 as a person reads them, in UTC."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")
    except (OverflowError, ValueError, OSError):
        return "-infinity" if seconds < 0 else "infinity"
