"""Two hundred readers at once while the service heals: `python -m bench.readers`."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import aiohttp
import psycopg

from bench.alone import alone
from bench.gallery import LEGACY
from bench.measures import Measure, percentile
from bench.options import Options
from bench.report import Report
from bench.servers import config_text, copied
from bench.serving import Serving
from tests.support.postgres import PostgresServer

CLIENTS = 200
REQUESTS_EACH = 25
_PATIENCE_SECONDS = 30.0
_COPY = "gallery_read"
_CONNECTIONS = """
SELECT count(*) FROM pg_stat_activity
WHERE application_name = 'conservator' AND datname = current_database()
AND backend_type = 'client backend'
"""
"""Without the workers of a parallel census, which are the server's own."""
_USERS = "SELECT id FROM users ORDER BY id LIMIT 50"


@dataclass(slots=True)
class Readings:
    """What the readers saw."""

    milliseconds: dict[str, list[float]] = field(default_factory=dict)
    """By what was read."""
    statuses: Counter[int] = field(default_factory=Counter)
    seconds: float = 0.0
    most_connections: int = 0
    """The service's, to the database, while they read."""


async def read_at_once(
    address: str,
    conninfo: str,
    users: Sequence[str],
    *,
    clients: int = CLIENTS,
    requests_each: int = REQUESTS_EACH,
) -> Readings:
    """So many clients, each with a connection of its own, read so often each: page, counts, one
    user's counts, metrics, runs. `address` ends with a slash."""
    readings = Readings()
    paths = [
        ("page", ""),
        ("counts", "api/artworks/stats"),
        ("metrics", "metrics"),
        ("runs", "api/runs?limit=5"),
    ]

    async def client(number: int) -> None:
        connector = aiohttp.TCPConnector(limit=1)
        timeout = aiohttp.ClientTimeout(_PATIENCE_SECONDS)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            for turn in range(requests_each):
                user = users[(number + turn) % len(users)]
                choices = [*paths, ("one user", f"api/artworks/stats?user_id={user}")]
                name, path = choices[(number + turn) % len(choices)]
                started = time.perf_counter()
                async with session.get(address + path) as response:
                    await response.read()
                    readings.statuses[response.status] += 1
                taken = (time.perf_counter() - started) * 1000
                readings.milliseconds.setdefault(name, []).append(taken)

    started = time.perf_counter()
    watching = asyncio.create_task(_watch_connections(conninfo, readings))
    try:
        await asyncio.gather(*(client(number) for number in range(clients)))
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    readings.seconds = time.perf_counter() - started
    return readings


async def _watch_connections(conninfo: str, readings: Readings) -> None:
    async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as connection:
        while True:
            found = await (await connection.execute(_CONNECTIONS)).fetchone()
            readings.most_connections = max(readings.most_connections, found[0] if found else 0)
            await asyncio.sleep(0.02)


def measure(server: PostgresServer, options: Options) -> Report:
    """On a copy of the legacy gallery, which must be there already."""
    more = (
        f"healing: {{mode: heal, pace: {{duty: {options.duty}}}}}\n"
        "server: {host: 127.0.0.1, port: 0}\n"
    )
    with copied(server, LEGACY, _COPY) as database:
        config = server.socket_dir / "config.yaml"
        config.write_text(config_text(server.url(database), more), encoding="utf-8")
        with psycopg.connect(server.conninfo(database)) as connection:
            users = [row[0] for row in connection.execute(_USERS)]
        with Serving(config) as service:
            service.wait_until_healing()
            readings = asyncio.run(read_at_once(service.address, server.conninfo(database), users))
    total = sum(readings.statuses.values())
    measures = [
        Measure("requests a second", "1/s", (total / readings.seconds,)),
        Measure("requests not answered with 200", "", (float(total - readings.statuses[200]),)),
        Measure("connections to the database, most", "", (float(readings.most_connections),)),
    ]
    for name, taken in sorted(readings.milliseconds.items()):
        measures.append(Measure(f"{name}, median", "ms", tuple(taken)))
        measures.append(Measure(f"{name}, p99", "ms", (percentile(taken, 0.99),)))
    return Report("readers", tuple(measures), {"clients": CLIENTS, "requests": total})


if __name__ == "__main__":
    alone(__doc__, measure, LEGACY)
