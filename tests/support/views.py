"""Impressions with moments of their own, and how a column without time zone may be read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from psycopg import sql
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.relations import Catalogue, Column
from tests.support.app_schema import EPOCH, INFINITY, MICROSECOND
from tests.support.open_schema import run

_DAY = timedelta(days=1)


async def set_viewed(
    connection: AsyncConnection, catalogue: Catalogue, moments: Mapping[tuple[str, str], int]
) -> None:
    """Moves the impressions of each pair (user, artwork) to a moment, in microseconds."""
    if not moments:
        return
    spec = catalogue.spec.impressions
    column = catalogue.viewed
    assert column is not None
    rows = [
        (user, artwork, stored_text(column, catalogue.spec.timezone, moment))
        for (user, artwork), moment in moments.items()
    ]
    statement = sql.SQL(
        "UPDATE {table} AS t SET {viewed} = given.viewed::{type}"
        " FROM (VALUES {rows}) AS given (person, piece, viewed)"
        " WHERE t.{user}::text = given.person AND t.{artwork}::text = given.piece"
    ).format(
        table=sql.Identifier(catalogue.impressions.schema, catalogue.impressions.name),
        viewed=sql.Identifier(column.name),
        type=sql.SQL(column.cast),
        rows=sql.SQL(", ").join(
            sql.SQL("({})").format(sql.SQL(", ").join(map(sql.Literal, row))) for row in rows
        ),
        user=sql.Identifier(spec.user),
        artwork=sql.Identifier(spec.artwork),
    )
    await run(connection, statement.as_string(None))


def stored_text(column: Column, timezone: str, moment: int) -> str:
    """`moment` as it is written into `column`."""
    if abs(moment) == INFINITY:
        return "infinity" if moment > 0 else "-infinity"
    instant = EPOCH + moment * MICROSECOND
    if column.has_time_zone:
        return instant.isoformat()
    return str(_wall(column, timezone, moment))


def readings(column: Column, timezone: str, moment: int) -> tuple[int, int, int]:
    """What is read of `moment` once it was stored: at the earliest, usually, at the latest.

    The earliest also knows how the clock went a day before.
    """
    if column.has_time_zone or abs(moment) == INFINITY:
        return moment, moment, moment
    zone = ZoneInfo(timezone)
    wall = _wall(column, timezone, moment)
    usual = _read(wall, zone)
    earliest = min(usual, _read(wall - _DAY, zone) + _DAY // MICROSECOND)
    latest = _read(wall + _DAY, zone) if column.cast == "date" else usual
    return earliest, usual, latest


def _wall(column: Column, timezone: str, moment: int) -> datetime:
    wall = (EPOCH + moment * MICROSECOND).astimezone(ZoneInfo(timezone)).replace(tzinfo=None)
    return datetime.combine(wall.date(), time()) if column.cast == "date" else wall


def _read(wall: datetime, zone: ZoneInfo) -> int:
    """An hour that the clock repeats or leaves out is read in standard time."""
    offsets = [wall.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1)]
    standard = min(offset for offset in offsets if offset is not None)
    return (wall.replace(tzinfo=UTC) - standard - EPOCH) // MICROSECOND
