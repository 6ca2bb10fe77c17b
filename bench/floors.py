"""Backfills of a share by single statements, without lease, cursor or recount."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psycopg
from psycopg import sql

from bench.servers import statement
from bench.shares import Backfill, Share

BY_ARTWORK = sql.SQL("m.artwork_id, m.user_id")
BY_USER = sql.SQL("m.user_id, m.artwork_id")
_WINDOW_ROWS = 10_000
_LEDGER = """
CREATE TABLE bench_ledger (
    run_id bigint, user_id varchar, artwork_id varchar, viewed_at timestamp,
    PRIMARY KEY (run_id, user_id, artwork_id)
)
"""


def bare(conninfo: str, share: Share) -> Backfill:
    """One statement for all of the users, as people write it."""
    return _execute(conninfo, statement("bare_backfill"), [share.values])


def by_artwork(conninfo: str, share: Share) -> Backfill:
    """One statement, rows in the order of (artwork, user)."""
    return _execute(conninfo, _floor(BY_ARTWORK), [share.values])


def by_user(conninfo: str, share: Share) -> Backfill:
    """One statement, rows in the order of (user, artwork)."""
    return _execute(conninfo, _floor(BY_USER), [share.values])


def with_ledger(conninfo: str, share: Share, order: sql.SQL) -> Backfill:
    """One statement that lists what it wrote as well, in a table like the product's."""
    with psycopg.connect(conninfo) as connection:
        connection.execute(_LEDGER)
    query = statement("floor_with_ledger").format(floor=_floor(order))
    return _execute(conninfo, query, [share.values])


def two_workers(conninfo: str, share: Share) -> Backfill:
    """Two statements at the same time, each for half of the users."""
    middle = len(share.users) // 2
    halves = [
        replace(share, users=share.users[:middle]),
        replace(share, users=share.users[middle:]),
    ]
    started = time.perf_counter()
    with ThreadPoolExecutor(len(halves)) as threads:
        done = list(threads.map(lambda half: by_artwork(conninfo, half), halves))
    return Backfill(sum(one.rows for one in done), time.perf_counter() - started)


def windows_of_users(conninfo: str, share: Share) -> Backfill:
    """A transaction for some users and all artworks, one after the other."""
    count = max(1, share.rows // _WINDOW_ROWS)
    return _execute(conninfo, _floor(BY_ARTWORK), _windows(share, "user", share.users, count))


def windows_of_artworks(conninfo: str, share: Share) -> Backfill:
    """A transaction for some artworks and all of the users, one after the other."""
    with psycopg.connect(conninfo) as connection:
        found = connection.execute(
            statement("legacy_artworks"), {"legacy_until": share.legacy_until}
        ).fetchall()
    count = max(1, share.rows // _WINDOW_ROWS)
    artworks = [str(one) for (one,) in found]
    return _execute(conninfo, _floor(BY_ARTWORK), _windows(share, "artwork", artworks, count))


def _windows(
    share: Share, what: str, ids: list[str] | tuple[str, ...], count: int
) -> list[dict[str, object]]:
    size = -(-len(ids) // count)
    starts = range(0, len(ids), size)
    windows = [ids[start : start + size] for start in starts]
    return [
        {**share.values, f"first_{what}": window[0], f"last_{what}": window[-1]}
        for window in windows
    ]


def _floor(order: sql.SQL) -> sql.Composed:
    return statement("floor_backfill").format(order=order)


def _execute(
    conninfo: str, query: sql.SQL | sql.Composed, windows: Iterable[Mapping[str, object]]
) -> Backfill:
    """A transaction a window."""
    rows = 0
    with psycopg.connect(conninfo) as connection:
        started = time.perf_counter()
        for values in windows:
            rows += connection.execute(query, values).rowcount
            connection.commit()
        return Backfill(rows, time.perf_counter() - started)
