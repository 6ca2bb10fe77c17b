"""Backfills of a share as people write them by hand, in a loop of their program."""

from __future__ import annotations

import time

import psycopg
from psycopg import sql
from sqlalchemy import MetaData, Table, and_, select
from sqlalchemy import create_engine as make_engine
from sqlalchemy.dialects.postgresql import insert

from bench.servers import statement
from bench.shares import Backfill, Share

_PIPELINED = 1000
"""Rows between two answers that are waited for."""


def sketch(conninfo: str, share: Share) -> Backfill:
    """The review's sketch: a transaction a user, ids selected, VALUES inserted."""
    insert = statement("sketch_insert")
    row = sql.SQL("(%s, %s, timezone('UTC', now()))")
    rows = 0
    with psycopg.connect(conninfo) as connection:
        started = time.perf_counter()
        for user in share.users:
            missing = _missing(connection, user, share)
            values = sql.SQL(", ").join([row] * len(missing))
            pairs = [value for artwork in missing for value in (user, artwork)]
            rows += connection.execute(insert.format(rows=values), pairs).rowcount
            connection.commit()
        return Backfill(rows, time.perf_counter() - started)


def sketch_by_toolkit(url: str, share: Share) -> Backfill:
    """The same as an app in Python writes it: tables and statements of SQLAlchemy."""
    metadata = MetaData()
    engine = make_engine(url)
    try:
        artworks = Table("art_sessions", metadata, autoload_with=engine)
        impressions = Table("user_art_impressions", metadata, autoload_with=engine)
        rows = 0
        started = time.perf_counter()
        for user in share.users:
            seen = and_(impressions.c.artwork_id == artworks.c.id, impressions.c.user_id == user)
            missing = (
                select(artworks.c.id)
                .outerjoin(impressions, seen)
                .where(impressions.c.id.is_(None), artworks.c.created_at <= share.legacy_until)
            )
            with engine.begin() as connection:
                ids = connection.execute(missing).scalars().all()
                values = [
                    {"user_id": user, "artwork_id": artwork, "viewed_at": share.legacy_until}
                    for artwork in ids
                ]
                connection.execute(insert(impressions).values(values).on_conflict_do_nothing())
                # SQLAlchemy knows no row count here; nothing conflicts, nobody else writes these.
                rows += len(ids)
        return Backfill(rows, time.perf_counter() - started)
    finally:
        engine.dispose()


def row_by_row(conninfo: str, share: Share) -> Backfill:
    """A transaction a row; the ids of a user selected at once."""
    insert = statement("one_row")
    rows = 0
    with psycopg.connect(conninfo, autocommit=True) as connection:
        started = time.perf_counter()
        for user in share.users:
            for artwork in _missing(connection, user, share):
                rows += connection.execute(insert, (user, artwork)).rowcount
        return Backfill(rows, time.perf_counter() - started)


def pipelined(conninfo: str, share: Share) -> Backfill:
    """The same statements, sent without waiting for each answer, a thousand at a time."""
    insert = statement("one_row")
    rows = 0
    with psycopg.connect(conninfo, autocommit=True) as connection:
        started = time.perf_counter()
        for user in share.users:
            missing = _missing(connection, user, share)
            for start in range(0, len(missing), _PIPELINED):
                with connection.pipeline(), connection.cursor() as cursor:
                    for artwork in missing[start : start + _PIPELINED]:
                        cursor.execute(insert, (user, artwork))
                        rows += 1
        return Backfill(rows, time.perf_counter() - started)


def _missing(connection: psycopg.Connection, user: str, share: Share) -> list[str]:
    values = {"user_id": user, "legacy_until": share.legacy_until}
    found = connection.execute(statement("sketch_missing"), values).fetchall()
    return [str(artwork) for (artwork,) in found]
