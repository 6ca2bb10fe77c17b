"""Fills the app's tables as the incident left them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_SQL = Path(__file__).parent / "sql"
SCHEMA = _SQL / "schema.sql"

# The story in shares of the gallery's age: with 60 days, tracking began 54.5 days ago and failed
# between 23 and 20 days ago. Together with the lost ones, about a tenth of all pairs.
_TRACKING_SINCE = 54.5 / 60
_OUTAGE_FROM = 23 / 60
_OUTAGE_UNTIL = 20 / 60
_LOST = 0.01
_SHORTEST = 30  # days; in a younger gallery the outage would not be legacy yet


@dataclass(frozen=True, slots=True)
class Gallery:
    """What was made. Every tenth user is without impressions; the others are the audience."""

    users: int
    artworks: int
    impressions: int
    days: int
    """The age of the oldest artworks."""


def statement(name: str) -> str:
    """The SQL of a file in `sql/`."""
    return (_SQL / f"{name}.sql").read_text(encoding="utf-8")


async def create_tables(connection: AsyncConnection) -> None:
    """Creates the app's three tables, empty."""
    await connection.exec_driver_sql(statement("schema"))


async def build_gallery(
    connection: AsyncConnection,
    *,
    users: int = 300,
    artworks: int = 600,
    days: int = 60,
    seed: float = 0.42,
) -> Gallery:
    """Fills the empty tables in the caller's transaction; the caller commits.

    The same seed (-1 to 1) gives the same gallery relative to now, except for the impressions'
    own ids. Moments are written in UTC whatever the session's time zone.
    Raises ValueError for a gallery younger than 30 days, which could not have the outage.
    """
    if days < _SHORTEST:
        raise ValueError(f"days: expected at least {_SHORTEST}, found {days}")
    await connection.execute(text("SELECT setseed(:seed)"), {"seed": seed})
    size = {"seed": str(seed), "users": users, "days": days}
    await connection.execute(text(statement("gallery_users")), size)
    await connection.execute(
        text(statement("gallery_artworks")),
        {**size, "artworks": artworks, "fresh": max(3, artworks // 100)},
    )
    shown = await connection.execute(
        text(statement("gallery_impressions")),
        {
            "tracking_since": days * _TRACKING_SINCE,
            "outage_from": days * _OUTAGE_FROM,
            "outage_until": days * _OUTAGE_UNTIL,
            "lost": _LOST,
        },
    )
    await connection.execute(text("ANALYZE users, art_sessions, user_art_impressions"))
    return Gallery(users=users, artworks=artworks, impressions=shown.rowcount, days=days)
