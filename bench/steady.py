"""What the service costs while nothing is wrong, an hour, by default config: `python -m
bench.steady`.

Counted over a window after the first checks, and given for an hour: the database's CPU seconds (of
every process of the server, parallel workers too), the blocks that it read, the transactions, the
connections; and the service's own CPU seconds and memory.
"""

from __future__ import annotations

import json
import os
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import psycopg

from bench.gallery import HEALED, build
from bench.measures import Measure
from bench.options import Options, read_options
from bench.report import Report, environment, publish
from bench.servers import bench_server, config_text, copied
from bench.serving import Serving
from monitor.demo.server import PostgresServer

HOUR = 3600.0
_COPY = "gallery_steady"
_FIRST_CHECKS_SECONDS = 60.0
"""The first runs are spread over half a minute."""
_TICKS = os.sysconf("SC_CLK_TCK")
_BLOCK = 8192
_STATISTICS = """
SELECT blks_read + blks_hit, xact_commit + xact_rollback,
    (SELECT count(*) FROM pg_stat_activity AS a
     WHERE a.application_name = 'conservator' AND a.datname = d.datname
       AND a.backend_type = 'client backend')
FROM pg_stat_database AS d WHERE d.datname = current_database()
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


def _read(connection: psycopg.Connection, server: PostgresServer, service: Serving) -> Reading:
    # Statistics of idle sessions arrive with a delay of up to a minute; the window is long enough.
    found = connection.execute(_STATISTICS).fetchone()
    assert found is not None
    blocks, transactions, connections = found
    return Reading(
        time.monotonic(),
        _cpu_of_server(server.pid),
        _cpu(service.pid, children=True),
        int(blocks),
        int(transactions),
        int(connections),
    )


def _cpu_of_server(pid: int) -> float:
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


def measure(server: PostgresServer, options: Options) -> Report:
    """On a copy of the healed gallery, which must be there already."""
    with copied(server, HEALED, _COPY) as database:
        config = server.socket_dir / "config.yaml"
        more = "server: {host: 127.0.0.1, port: 0}\n"
        config.write_text(config_text(server.url(database), more), encoding="utf-8")
        with (
            psycopg.connect(server.conninfo(database), autocommit=True) as connection,
            Serving(config) as service,
        ):
            time.sleep(_FIRST_CHECKS_SECONDS)
            before = _read(connection, server, service)
            time.sleep(options.steady_seconds)
            after = _read(connection, server, service)
            intervals = _intervals(service.address)
            memory = service.memory("VmRSS")
    seconds = after.at - before.at
    an_hour = HOUR / seconds

    def per_hour(name: str, unit: str, amount: float) -> Measure:
        return Measure(name, unit, (amount * an_hour,))

    database_cpu = after.database_cpu - before.database_cpu
    return Report(
        "steady",
        (
            per_hour("database CPU an hour", "s", database_cpu),
            Measure("database CPU, of one core", "%", (100 * database_cpu / seconds,)),
            per_hour("blocks read an hour", "GB", (after.blocks - before.blocks) * _BLOCK / 1e9),
            per_hour("transactions an hour", "", float(after.transactions - before.transactions)),
            Measure("connections", "", (float(after.connections),)),
            per_hour("service CPU an hour", "s", after.service_cpu - before.service_cpu),
            Measure("resident memory", "MB", (memory,)),
        ),
        {"seconds": round(seconds), **intervals},
    )


def _intervals(address: str) -> dict[str, str]:
    """Check -> its interval in effect, where the budget has stretched it."""
    with urllib.request.urlopen(f"{address}api/checks", timeout=10) as answer:
        checks = json.load(answer)["checks"]
    return {
        f"{check['name']} every": f"{check['interval_seconds']:.0f} s"
        f" (configured {check['configured_interval_seconds']:.0f} s)"
        for check in checks
        if check["interval_seconds"] > check["configured_interval_seconds"]
    }


def main() -> None:
    """Build the gallery and measure."""
    options = read_options(__doc__)
    with bench_server(options) as server:
        build(server, HEALED, options)
        publish([measure(server, options)], environment(server), options.results)


if __name__ == "__main__":
    main()
