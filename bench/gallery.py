"""Builds the app's tables at full size on a throwaway server: `python -m bench.gallery`."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import psycopg
from psycopg import sql

from bench.measures import Measure
from bench.options import Options, read_options
from bench.report import Report, environment, publish
from bench.servers import bench_server, statement
from monitor.demo.gallery import SCHEMA
from monitor.demo.server import PostgresServer

LEGACY = "gallery_legacy"
"""The database in which the given share is missing everywhere, as before the first heal."""
HEALED = "gallery_healed"
"""The database in which nothing legacy is missing, as ever after."""

DAYS = 60
_MARGIN_SECONDS = 6 * 3600
"""Artworks that turn legacy within so much time are healed beforehand."""
_LEGACY_SECONDS = 7 * 86400
_NEVER = 1e9


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


def build_all(server: PostgresServer, options: Options) -> tuple[Gallery, ...]:
    """LEGACY and HEALED, side by side."""
    with ThreadPoolExecutor() as threads:
        return tuple(threads.map(lambda name: build(server, name, options), (LEGACY, HEALED)))


def build(server: PostgresServer, database: str, options: Options) -> Gallery:
    """Create `database` and fill it; LEGACY or HEALED says what is missing."""
    started = time.perf_counter()
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
    with psycopg.connect(server.conninfo(database), autocommit=True) as connection:
        with connection.transaction():
            connection.execute(SCHEMA.read_text(encoding="utf-8").encode())
            impressions = _load(connection, options, healed=database == HEALED)
        connection.execute("VACUUM (ANALYZE) users, art_sessions, user_art_impressions")
        connection.execute("CHECKPOINT")
        size = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    return Gallery(
        database=database,
        users=options.users,
        artworks=options.artworks,
        impressions=impressions,
        bytes=0 if size is None else int(size[0]),
        seconds=time.perf_counter() - started,
    )


def _load(connection: psycopg.Connection, options: Options, *, healed: bool) -> int:
    """Fill the tables, with the impressions' indexes and constraints made last; rows written."""
    secondary = connection.execute(statement("secondary")).fetchall()
    for dropped_by, _ in secondary:
        connection.execute(dropped_by)
    size = {"users": options.users, "artworks": options.artworks, "days": DAYS}
    connection.execute("SELECT setseed(0.42)")
    connection.execute(statement("users"), size)
    connection.execute(statement("artworks"), size)
    rows = 0
    for day in range(DAYS, 0, -1):
        shown = connection.execute(
            statement("impressions"),
            {
                "day": day,
                "missing": options.missing,
                "healed_after": _LEGACY_SECONDS - _MARGIN_SECONDS if healed else _NEVER,
            },
        )
        rows += shown.rowcount
    for _, made_by in secondary:
        connection.execute(made_by)
    return rows


def report(*galleries: Gallery) -> Report:
    """The time that building took, and the sizes."""
    return Report(
        "gallery",
        tuple(Measure(f"build {g.database}", "s", (g.seconds,)) for g in galleries),
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
