"""What a service and its database server have used: processor, blocks, transactions."""

from __future__ import annotations

import os
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg

from bench.errors import BenchmarkError
from bench.serving import Serving
from tests.support.postgres import PostgresServer

HOUR = 3600.0
_TICKS = os.sysconf("SC_CLK_TCK")
_BLOCK = 8192
_TURN = 20_000
_TURNS = 7
_REST_SECONDS = 3.0
_STATISTICS = """
SELECT blks_read + blks_hit, xact_commit + xact_rollback,
    (SELECT count(*) FROM pg_stat_activity AS a
     WHERE a.application_name = 'conservator' AND a.datname = d.datname
       AND a.backend_type = 'client backend'),
    pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')
FROM pg_stat_database AS d WHERE d.datname = %s
"""


@dataclass(frozen=True, slots=True)
class Reading:
    """Totals at one moment."""

    at: float
    database_cpu: float
    service_cpu: float
    blocks: int
    transactions: int
    connections: int
    wal: int
    """Bytes ever written to the server's log of changes."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Between two readings."""

    seconds: float
    database_cpu: float
    service_cpu: float
    bytes: float
    """Of the blocks that were read, from memory or not."""
    transactions: int
    connections: int
    """At the end."""
    wal: int
    """Bytes."""

    @property
    def an_hour(self) -> float:
        """What to multiply with."""
        return HOUR / self.seconds


def read(
    connection: psycopg.Connection, database: str, server: PostgresServer, service: Serving | None
) -> Reading:
    """Now; `service` is None while there is none. Statistics of idle sessions arrive some seconds
    late."""
    found = connection.execute(_STATISTICS, (database,)).fetchone()
    if found is None:
        raise BenchmarkError("The server has no statistics of this database.")
    blocks, transactions, connections, wal = map(int, found)
    return Reading(
        time.monotonic(),
        server_cpu(server.pid),
        0.0 if service is None else _cpu(service.pid, children=True),
        blocks,
        transactions,
        connections,
        wal,
    )


def between(before: Reading, after: Reading) -> Cost:
    """The difference."""
    return Cost(
        after.at - before.at,
        after.database_cpu - before.database_cpu,
        after.service_cpu - before.service_cpu,
        (after.blocks - before.blocks) * _BLOCK,
        after.transactions - before.transactions,
        after.connections,
        after.wal - before.wal,
    )


def after_a_rest() -> float:
    """How many times as much processor time the same work takes after a rest of some seconds as
    without one: on some virtual machines whoever wakes up pays for finding his memory cold, and a
    service at rest does nothing but wake up."""

    def turn(pause: float) -> float:
        time.sleep(pause)
        began = time.process_time()
        sum(number * number for number in range(_TURN))
        return time.process_time() - began

    at_once = statistics.median(turn(0.0) for _ in range(_TURNS))
    return statistics.median(turn(_REST_SECONDS) for _ in range(_TURNS)) / at_once


def server_cpu(pid: int) -> float:
    """Seconds of every process of the server, those that have ended too."""
    living = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    children = (one for one in living if _parent(one) == pid)
    return _cpu(pid, children=True) + sum(_cpu(one, children=False) for one in children)


def _fields(pid: int) -> list[str]:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:  # gone this very moment
        return []
    return text.rpartition(")")[2].split()


def _parent(pid: int) -> int:
    fields = _fields(pid)
    return int(fields[1]) if fields else 0


def _cpu(pid: int, *, children: bool) -> float:
    fields = _fields(pid)
    if not fields:
        return 0.0
    ticks = fields[11:15] if children else fields[11:13]
    return sum(map(int, ticks)) / _TICKS
