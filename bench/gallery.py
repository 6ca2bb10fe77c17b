"""Builds the app's tables at full size on a throwaway server: `python -m bench.gallery`.

Everything is made by the server, in as many sessions as it has cores, and the indexes after the
rows. The healed gallery is a copy of the legacy one with what it misses put in, as a heal run
leaves it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg
from psycopg import sql

from bench.measures import Measure
from bench.options import Options, read_options
from bench.progress import note
from bench.report import Report, environment, publish
from bench.servers import bench_server, create_copy, statement
from monitor.demo.gallery import SCHEMA
from tests.support.postgres import PostgresServer

LEGACY = "gallery_legacy"
"""The database in which the given share is missing everywhere, as before the first heal."""
HEALED = "gallery_healed"
"""The database in which nothing legacy is missing, as ever after."""

DAYS = 60
_SESSIONS = min(4, os.cpu_count() or 1)
_MARGIN = timedelta(hours=6)
"""Artworks that turn legacy within so much time are healed beforehand."""
_LEGACY_AFTER = timedelta(days=7)
_NOT_FOR_COUNTING = ("impressions_pkey", "user_id_idx", "viewed_at_idx")
_LUCK = 2**20
"""Of a pair, a whole number below this."""
_ALL = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Shape:
    """How large a gallery is, and how much of it was never recorded."""

    users: int
    artworks: int
    missing: float
    """Share of the pairs without an impression, 0 to 1."""

    @property
    def first_luck(self) -> int:
        """Pairs with less luck are missing."""
        return round(self.missing * _LUCK)


@dataclass(frozen=True, slots=True)
class Gallery:
    """A database with the app's tables, filled."""

    database: str
    users: int
    artworks: int
    impressions: int
    bytes: int
    seconds: float
    """What building it took."""


def shape_of(options: Options) -> Shape:
    """The size that the command line asks for."""
    return Shape(options.users, options.artworks, options.missing)


def build_all(server: PostgresServer, options: Options) -> tuple[Gallery, ...]:
    """LEGACY, and HEALED as a copy of it."""
    return build(server, LEGACY, options), build_healed_copy(server, options)


def build(server: PostgresServer, database: str, options: Options) -> Gallery:
    """Create `database` and fill it; LEGACY or HEALED says what is missing."""
    return build_shape(server, database, shape_of(options), healed=database == HEALED)


def build_shape(
    server: PostgresServer,
    database: str,
    shape: Shape,
    *,
    healed: bool = False,
    for_counting: bool = False,
) -> Gallery:
    """Create `database` in this shape, with all of the app's indexes and constraints, or without
    the indexes that no count of pairs reads."""
    note(f"building {database}: {shape.users:,} users, {shape.artworks:,} artworks")
    started = time.perf_counter()
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
    with psycopg.connect(server.conninfo(database), autocommit=True) as connection:
        connection.execute(SCHEMA.read_text(encoding="utf-8").encode())
        secondary = connection.execute(statement("secondary")).fetchall()
        for dropped_by, _ in secondary:
            connection.execute(dropped_by)
        size = {"users": shape.users, "artworks": shape.artworks, "days": DAYS}
        connection.execute(statement("users"), size)
        connection.execute(statement("artworks"), size)
        connection.execute("ANALYZE users, art_sessions")
        _show(server, database, (shape.first_luck, _LUCK))
        if healed:
            _show(server, database, (0, shape.first_luck), legacy_only=True)
        note("… indexes")
        for _, made_by in secondary:
            if not (for_counting and any(name in made_by for name in _NOT_FOR_COUNTING)):
                connection.execute(made_by)
    return _finished(server, database, started)


def build_healed_copy(server: PostgresServer, options: Options) -> Gallery:
    """HEALED from LEGACY, which must be there already: cheaper than to make the indexes anew."""
    note(f"building {HEALED} from a copy")
    started = time.perf_counter()
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        create_copy(connection, LEGACY, HEALED)
    note("… what is missing")
    _show(server, HEALED, (0, shape_of(options).first_luck), legacy_only=True)
    return _finished(server, HEALED, started)


def _show(
    server: PostgresServer, database: str, luck: tuple[int, int], *, legacy_only: bool = False
) -> None:
    """Impressions of the pairs within `luck`, in several sessions that take the days in turn."""
    with psycopg.connect(server.conninfo(database)) as connection:
        now = _newest_artwork(connection)
    values = {
        "now": now,
        "luck_from": luck[0],
        "luck_below": luck[1],
        "created_before": now + (_MARGIN - _LEGACY_AFTER if legacy_only else _ALL),
    }

    def session(days: Iterator[int]) -> None:
        with psycopg.connect(server.conninfo(database), autocommit=True) as connection:
            for day in days:
                connection.execute(statement("impressions"), {**values, "day": day})

    turns = (iter(range(DAYS - first, 0, -_SESSIONS)) for first in range(_SESSIONS))
    with ThreadPoolExecutor(_SESSIONS) as threads:
        list(threads.map(session, turns))


def _newest_artwork(connection: psycopg.Connection) -> datetime:
    """The moment around which the artworks were made: a day's begins and ends are counted from it,
    whenever the day is loaded."""
    found = connection.execute("SELECT max(created_at) FROM art_sessions").fetchone()
    assert found is not None
    newest: datetime = found[0]
    return newest


def _finished(server: PostgresServer, database: str, started: float) -> Gallery:
    with psycopg.connect(server.conninfo(database), autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE) users, art_sessions, user_art_impressions")
        connection.execute("CHECKPOINT")
        found = connection.execute(statement("gallery_size")).fetchone()
    assert found is not None
    users, artworks, impressions, size = map(int, found)
    return Gallery(database, users, artworks, impressions, size, time.perf_counter() - started)


def report(*galleries: Gallery) -> Report:
    """The time that building took, and the sizes."""
    seconds = sum(g.seconds for g in galleries)
    return Report(
        "gallery",
        (
            *(Measure(f"build {g.database}", "s", (g.seconds,)) for g in galleries),
            Measure("both galleries", "s", (seconds,)),
        ),
        {
            "users": galleries[0].users,
            "artworks": galleries[0].artworks,
            **{f"impressions_{g.database}": g.impressions for g in galleries},
            **{f"megabytes_{g.database}": g.bytes // 2**20 for g in galleries},
        },
    )


def main() -> None:
    """Build both galleries, and say how long it took."""
    options = read_options(__doc__)
    with bench_server(options) as server:
        built = report(*build_all(server, options))
        publish([built], environment(server), options.results)


if __name__ == "__main__":
    main()
