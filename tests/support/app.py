"""The app's side: its own connections to the database, and a gallery in round numbers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from sqlalchemy import make_url

_PLANT = """
INSERT INTO users (id, created_at)
SELECT 'u' || lpad(n::text, 4, '0'), timezone('UTC', now()) - interval '100 days'
FROM generate_series(1, %(users)s + %(untracked)s) AS n;
INSERT INTO art_sessions (id, session_id, image_url, created_at)
SELECT kind.name || lpad(n::text, 4, '0'), 's', '/', timezone('UTC', now()) - kind.age
FROM (VALUES ('seen', interval '40 days', 1), ('old', interval '30 days', %(artworks)s),
    ('stored', interval '1 day', 3), ('fresh', interval '1 minute', 2)) AS kind (name, age, size)
CROSS JOIN generate_series(1, kind.size) AS n;
INSERT INTO user_art_impressions (user_id, artwork_id, viewed_at)
SELECT id, 'seen0001', timezone('UTC', now()) - interval '2 days'
FROM users ORDER BY id LIMIT %(users)s;
ANALYZE users, art_sessions, user_art_impressions;
"""


class App:
    """A connection of the app's own, in UTC, each statement in a transaction of its own."""

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self.connection = connection

    async def run(self, statement: str, **values: object) -> None:
        """One statement; several where there are no values."""
        await self.connection.execute(statement.encode(), values or None)

    async def rows(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        cursor = await self.connection.execute(statement.encode(), values or None)
        return await cursor.fetchall()

    async def value(self, statement: str, **values: object) -> Any:
        """The one value of a query."""
        ((found,),) = await self.rows(statement, **values)
        return found

    async def fingerprint(self, *tables: str) -> dict[str, str]:
        """Every row of every column of the tables, as a hash each."""
        return {
            table: await self.value(
                "SELECT coalesce(md5(string_agg(t::text, E'\\n' ORDER BY t::text)), '')"
                f" FROM {table} AS t"
            )
            for table in tables
        }

    async def plant(self, *, users: int, artworks: int, untracked: int = 1) -> None:
        """Fill the app's tables: every user of the audience lacks every old artwork, nothing
        else is legacy. Three artworks are in storage, two fresh, one was seen by the audience."""
        sizes = {"users": users, "artworks": artworks, "untracked": untracked}
        async with psycopg.AsyncClientCursor(self.connection) as cursor:
            await cursor.execute(_PLANT.encode(), sizes)


def conninfo(url: str) -> str:
    """An SQLAlchemy URL as psycopg wants it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


@asynccontextmanager
async def app_on(url: str) -> AsyncIterator[App]:
    """A connection of the app to the database."""
    async with await psycopg.AsyncConnection.connect(
        conninfo(url), autocommit=True, options="-c timezone=UTC", application_name="app"
    ) as connection:
        yield App(connection)
