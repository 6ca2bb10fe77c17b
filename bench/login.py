"""Everybody logs in at once: backfills of one user each over HTTP, fifty at a time: `python -m
bench.login`.

Users of the healed gallery lose some of their pairs; the app's backend then asks for each of them
once, again, and for users who miss nothing. By itself, and beside a heal run over everybody else.
The base is a heal run over the same pairs in the same minute.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import aiohttp
import psycopg

from bench.alone import alone
from bench.errors import BenchmarkError
from bench.gallery import HEALED
from bench.heal_run import heal
from bench.measures import Goal, Measure, compared, percentile
from bench.options import Options
from bench.progress import note
from bench.report import Report
from bench.servers import config_text, copied, statement
from bench.serving import Serving
from tests.support.postgres import PostgresServer

AT_ONCE = 50
MOST_USERS = 550
FEW, MANY = 10, 130
"""Legacy pairs of each user."""
USERS_GOAL = Goal(300, at_most=False)
ROWS_GOAL = Goal(0.6, at_most=False)
P99_GOAL = Goal(1.0)
REFUSED_GOAL = Goal(0)

_COPY = "gallery_login"
_TOKEN = "login-hook-of-the-benchmark"
_PATIENCE_SECONDS = 60.0
_OTHERS_MISS = 400
"""Pairs of everybody else, so that the heal run outlasts the storm."""
_CONFIG = """
healing: {{mode: {mode}, threshold: 1, consecutive: 1, breaker: {{max_share: 100%}}}}
server: {{host: 127.0.0.1, port: 0, app_token: {token}}}
"""
_USERS = "SELECT id FROM users ORDER BY id DESC"
"""A heal run comes to the first of these last."""


@dataclass(slots=True)
class Storm:
    """What the app's backend saw."""

    latencies: list[float] = field(default_factory=list)
    """Seconds of each call."""
    statuses: Counter[int] = field(default_factory=Counter)
    updated: int = 0
    seconds: float = 0.0

    @property
    def refused(self) -> int:
        """Calls that were not answered with 200."""
        return self.statuses.total() - self.statuses[200]

    @property
    def users_per_second(self) -> float:
        """Calls answered."""
        return len(self.latencies) / self.seconds


async def log_in(address: str, users: Sequence[str], *, at_once: int = AT_ONCE) -> Storm:
    """One call for each user, so many at a time, each over a connection that stays open. `address`
    ends with a slash."""
    storm, waiting = Storm(), iter(users)
    url, headers = (
        f"{address}api/artworks/backfill-impressions",
        {"Authorization": "Bearer " + _TOKEN},
    )

    async def client(session: aiohttp.ClientSession) -> None:
        for user in waiting:
            started = time.perf_counter()
            async with session.post(url, json={"user_id": user}, headers=headers) as response:
                answer = await response.json()
            storm.latencies.append(time.perf_counter() - started)
            storm.statuses[response.status] += 1
            storm.updated += int(answer.get("updated", 0))

    connector = aiohttp.TCPConnector(limit=at_once)
    timeout = aiohttp.ClientTimeout(_PATIENCE_SECONDS)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        started = time.perf_counter()
        await asyncio.gather(*(client(session) for _ in range(at_once)))
        storm.seconds = time.perf_counter() - started
    return storm


def measure(server: PostgresServer, options: Options) -> Report:
    """On copies of the healed gallery, which must be there already."""
    measures: list[Measure] = []
    for pairs in (FEW, MANY):
        measures += _alone(server, pairs)
    measures += _beside(server)
    return Report("login", tuple(measures), {"at_once": AT_ONCE, "most_users": MOST_USERS})


def _alone(server: PostgresServer, pairs: int) -> Iterator[Measure]:
    with copied(server, HEALED, _COPY) as database:
        users = _lose(server, database, {pairs: MOST_USERS})
        note(f"login: a heal run over {len(users[pairs])} users with {pairs} pairs")
        healed = asyncio.run(heal(server.url(database), len(users[pairs]) * pairs))
    with copied(server, HEALED, _COPY) as database:
        users = _lose(server, database, {pairs: MOST_USERS})
        note(f"login: {len(users[pairs])} users with {pairs} pairs")
        with _service(server, database, "observe") as service:
            service.wait_until_checked()
            asyncio.run(log_in(service.address, users[0][:AT_ONCE]))  # connections are made
            storm = asyncio.run(log_in(service.address, users[pairs]))
            again = asyncio.run(log_in(service.address, users[pairs]))
            nothing = asyncio.run(log_in(service.address, users[0]))
        _check(storm, len(users[pairs]) * pairs)
        _check(again, 0)
        _check(nothing, 0)
    words = f"{pairs} pairs each"
    base = Measure(f"heal run, {words}", "rows/s", (healed.rows / healed.writing,))
    yield base
    yield compared(
        f"logins, {words}",
        "rows/s",
        [storm.updated / storm.seconds],
        base,
        ROWS_GOAL if pairs == MANY else None,
    )
    yield from _told(words, storm, USERS_GOAL if pairs == FEW else None)
    yield from _told(f"{words}, again", again, None)
    yield from _told("nothing to backfill", nothing, None)


def _beside(server: PostgresServer) -> Iterator[Measure]:
    with copied(server, HEALED, _COPY) as database:
        users = _lose(server, database, {FEW: MOST_USERS, MANY: MOST_USERS}, others=_OTHERS_MISS)
        note("login: beside a heal run")
        with _service(server, database, "heal") as service:
            service.wait_until_healing()
            storms = {n: asyncio.run(log_in(service.address, users[n])) for n in (FEW, MANY)}
            if "conservator_heal_active 1.0" not in service.scrape()[1]:
                raise BenchmarkError("The heal run ended before the storm.")
    for pairs, storm in storms.items():
        _check(storm, len(users[pairs]) * pairs)
        yield from _told(f"{pairs} pairs each, beside a heal run", storm, None)


def _told(words: str, storm: Storm, goal: Goal | None) -> Iterator[Measure]:
    yield Measure(f"logins, {words}", "users/s", (storm.users_per_second,), goal=goal)
    yield Measure(f"logins, {words}, p50", "s", (percentile(storm.latencies, 0.5),))
    p99 = (percentile(storm.latencies, 0.99),)
    yield Measure(f"logins, {words}, p99", "s", p99, goal=P99_GOAL)
    yield Measure(f"logins, {words}, refused", "", (float(storm.refused),), goal=REFUSED_GOAL)


def _check(storm: Storm, rows: int) -> None:
    if storm.updated != rows:
        raise BenchmarkError(
            f"{storm.updated} rows were written, expected {rows}; answers: {dict(storm.statuses)}."
        )


def _lose(
    server: PostgresServer, database: str, missing: dict[int, int], *, others: int = 0
) -> dict[int, list[str]]:
    """So many users miss so many pairs each; 0: as many who miss `others`."""
    with psycopg.connect(server.conninfo(database), autocommit=True) as connection:
        ids = [row[0] for row in connection.execute(_USERS)]
        chosen: dict[int, list[str]] = {}
        for pairs, wanted in missing.items():
            chosen[pairs], ids = ids[:wanted], ids[wanted:]
            connection.execute(statement("lose_pairs"), {"users": chosen[pairs], "pairs": pairs})
        if others:
            connection.execute(statement("lose_pairs"), {"users": ids, "pairs": others})
        connection.execute("VACUUM (ANALYZE) user_art_impressions")
        connection.execute("CHECKPOINT")
    return {**chosen, 0: ids[:MOST_USERS]}


@contextmanager
def _service(server: PostgresServer, database: str, mode: str) -> Iterator[Serving]:
    config = server.socket_dir / "config.yaml"
    more = _CONFIG.format(mode=mode, token=_TOKEN)
    config.write_text(config_text(server.url(database), more), encoding="utf-8")
    with Serving(config) as service:
        yield service


if __name__ == "__main__":
    alone(__doc__, measure, HEALED)
