"""Many readers of one service at once, each as fast as it is answered."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import aiohttp
import psycopg

_ANSWER_SECONDS = 30.0
_LOOK_SECONDS = 0.02
_CONNECTIONS = (
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE application_name = 'conservator' AND datname = current_database()"
    " AND backend_type = 'client backend'"
)
"""Without the workers of a parallel census, which are the server's own."""


@dataclass(slots=True)
class Heard:
    """What the crowd heard. Times in milliseconds, by the path without its query."""

    statuses: Counter[str] = field(default_factory=Counter)
    """`PATH STATUS`, or the kind of a failure to get an answer at all."""
    times: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    seconds: float = 0.0

    @property
    def answers(self) -> int:
        """Of all kinds."""
        return sum(self.statuses.values())

    @property
    def wrong(self) -> dict[str, int]:
        """Everything but 200."""
        return {what: n for what, n in self.statuses.items() if not what.endswith(" 200")}


async def crowd(
    address: str, paths: Sequence[str], *, clients: int, seconds: float, each: int = 1
) -> Heard:
    """`clients` readers, each on a connection of its own, go round `paths`, every one starting at
    another: for `seconds`, and for `each` requests at least."""
    heard = Heard()
    started = time.perf_counter()
    connector = aiohttp.TCPConnector(limit=clients)
    timeout = aiohttp.ClientTimeout(total=_ANSWER_SECONDS)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:

        async def reader(number: int) -> None:
            asked = 0
            while asked < each or time.perf_counter() - started < seconds:
                path = paths[(number + asked) % len(paths)]
                await _ask(session, address, path, heard)
                asked += 1

        await asyncio.gather(*(reader(number) for number in range(clients)))
    heard.seconds = time.perf_counter() - started
    return heard


async def _ask(session: aiohttp.ClientSession, address: str, path: str, heard: Heard) -> None:
    kind, _, query = path.partition("?")
    kind = f"/{kind}{'?…' if query else ''}"
    asked = time.perf_counter()
    try:
        async with session.get(address + path) as answer:
            await answer.read()
    except (aiohttp.ClientError, TimeoutError) as error:
        heard.statuses[f"{kind} {type(error).__name__}"] += 1
        return
    heard.statuses[f"{kind} {answer.status}"] += 1
    heard.times[kind].append((time.perf_counter() - asked) * 1000)


async def most_connections(conninfo: str, during: asyncio.Task[Heard]) -> int:
    """The most connections that the service was seen to hold until the task is done."""
    most = 0
    async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as connection:
        while not during.done():
            row = await (await connection.execute(_CONNECTIONS)).fetchone()
            most = max(most, 0 if row is None else int(row[0]))
            await asyncio.wait({during}, timeout=_LOOK_SECONDS)
    return most
