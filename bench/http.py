"""Two hundred readers of page, stats and metrics during a heal run: `python -m bench.http`."""

from __future__ import annotations

import asyncio
import re
import time

import psycopg

from bench.contenders import BenchmarkError
from bench.crowd import Heard, crowd, most_connections
from bench.gallery import LEGACY, build
from bench.measures import Goal, Measure, percentile
from bench.options import Options, read_options
from bench.report import Report, environment, publish
from bench.servers import bench_server, config_text, copied
from bench.serving import Serving
from monitor.demo.server import PostgresServer

_COPY = "gallery_http"
_POOL = 5
_LEASE = 1
"""The lead has a connection of its own, so that no burst of anything can lose it."""
_USERS = 50
_PATIENCE_SECONDS = 120.0
_ACTIVE = re.compile(r"^conservator_heal_active 1\.0$", re.MULTILINE)
_CENSUSES = re.compile(r'^conservator_check_runs_total\{check="census"\} (\S+)$', re.MULTILINE)


def measure(server: PostgresServer, options: Options) -> Report:
    """On a copy of the legacy gallery, which must be there already."""
    more = (
        f"checks: {{census: {{every: 2s, budget: null}}}}\n"
        f"healing: {{mode: heal, pace: {{duty: {options.duty}}}}}\n"
        "server: {host: 127.0.0.1, port: 0}\n"
    )
    with copied(server, LEGACY, _COPY) as database:
        config = server.socket_dir / "config.yaml"
        config.write_text(config_text(server.url(database), more), encoding="utf-8")
        with psycopg.connect(server.conninfo(database)) as connection:
            rows = connection.execute("SELECT id FROM users ORDER BY id LIMIT %s", (_USERS,))
            users = [str(row[0]) for row in rows]
        with Serving(config) as service:
            before = _wait_for_a_run(service)
            heard, most = asyncio.run(
                _crowd(service.address, users, server.conninfo(database), options)
            )
            after = service.scrape()[1]
    return _report(heard, most, _censuses(after) - _censuses(before), after, options)


async def _crowd(
    address: str, users: list[str], conninfo: str, options: Options
) -> tuple[Heard, int]:
    paths = ["", "metrics", "api/artworks/stats", "api/runs"]
    paths += [f"api/artworks/stats?user_id={user}" for user in users]
    # As many of each kind: the per-user ones would outnumber the rest.
    mixed = [path for user in paths[4:] for path in (*paths[:4], user)]
    going = asyncio.create_task(
        crowd(address, mixed, clients=options.clients, seconds=options.window_seconds * 2)
    )
    most = await most_connections(conninfo, going)
    return await going, most


def _wait_for_a_run(service: Serving) -> str:
    """The scrape that first says that a heal run is active."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        text = service.scrape()[1]
        if _ACTIVE.search(text):
            return text
        time.sleep(0.05)
    raise BenchmarkError("No heal run began: the gallery has no legacy pairs.")


def _censuses(text: str) -> float:
    found = _CENSUSES.search(text)
    return 0.0 if found is None else float(found[1])


def _report(heard: Heard, most: int, censuses: float, after: str, options: Options) -> Report:
    wrong = sum(heard.wrong.values())
    measures = [
        Measure("answers", "/s", (heard.answers / heard.seconds,)),
        Measure("answers other than 200", "", (float(wrong),), goal=Goal(0)),
        Measure("database connections, most", "", (float(most),), goal=Goal(_POOL + _LEASE)),
        Measure("censuses meanwhile", "", (censuses,), goal=Goal(1, at_most=False)),
    ]
    for kind, times in sorted(heard.times.items()):
        measures.append(Measure(f"{kind} median", "ms", tuple(times)))
        measures.append(Measure(f"{kind} p99", "ms", (percentile(times, 0.99),)))
    facts: dict[str, str | int | float] = {
        "clients": options.clients,
        "answers": heard.answers,
        "seconds": round(heard.seconds, 1),
        "healing_at_the_end": "yes" if _ACTIVE.search(after) else "no",
        "wrong": ", ".join(f"{n} × {what}" for what, n in heard.wrong.items()) or "none",
    }
    return Report("http", tuple(measures), facts)


def main() -> None:
    """Build the gallery and measure."""
    options = read_options(__doc__)
    with bench_server(options) as server:
        build(server, LEGACY, options)
        publish([measure(server, options)], environment(server), options.results)


if __name__ == "__main__":
    main()
