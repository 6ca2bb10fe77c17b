"""Two hundred readers while a heal run writes: everybody is answered, the database is spared, the
census goes on."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from urllib.parse import urlsplit

from bench.crowd import crowd, most_connections
from tests.support.commands import gallery_at, on_one_server
from tests.support.http import Client
from tests.support.waiting import wait_until

pytestmark = on_one_server

CLIENTS = 200
POOL = 5
LEASE = 1
CENSUSES = 'conservator_check_runs_total{check="census"}'
SLOW = {"mode": "heal", "pace": {"max_batch": 1, "duty": "5%"}, "breaker": {"max_share": "100%"}}
"""One row a batch and long rests: the run outlasts the crowd."""


async def test_two_hundred_readers_are_answered_while_a_run_writes_and_the_census_goes_on(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path, healing=SLOW)
    users = [str(user) for (user,) in work.rows("SELECT id FROM users ORDER BY id LIMIT 20")]
    kinds = ["", "metrics", "api/artworks/stats", "api/runs", "healthz"]
    paths = [path for u in users for path in (*kinds, f"api/artworks/stats?user_id={u}")]
    with work.started("serve") as service:
        client = service.client()
        service.until(lambda: client.metrics().get("conservator_heal_active") == 1)
        before = await asyncio.to_thread(client.metrics)
        going = asyncio.create_task(
            crowd(client.address, paths, clients=CLIENTS, seconds=2.5, each=len(kinds) + 1)
        )
        most = await most_connections(work.conninfo, going)
        heard = await going
        after = await asyncio.to_thread(client.metrics)
        assert heard.wrong == {}
        assert heard.answers >= CLIENTS * (len(kinds) + 1)
        assert 1 < most <= POOL + LEASE
        assert after["conservator_heal_active"] == 1
        assert after[CENSUSES] > before[CENSUSES]
        written = "conservator_heal_remaining"
        assert after[written] < before[written]
        assert service.stop().code == 0


async def test_clients_that_dribble_and_bodies_that_are_too_large_do_not_hold_the_service(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path, healing={"mode": "observe"})
    with work.started("serve") as service:
        client = service.client()
        place = urlsplit(client.address)
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(CLIENTS):
                _, writer = await asyncio.open_connection(place.hostname, place.port)
                stack.callback(writer.close)
                writer.write(b"POST /api/healing/pause HTTP/1.1\r\nHost: x\r\nX-Slow: ")
            assert await asyncio.to_thread(_answered, client)
            for _ in range(50):
                _, writer = await asyncio.open_connection(place.hostname, place.port)
                stack.callback(writer.close)
                head = f"Authorization: Bearer {client.token}\r\nContent-Length: 1000000000\r\n"
                writer.write(f"POST /api/healing/pause HTTP/1.1\r\nHost: x\r\n{head}\r\n".encode())
                writer.write(b" " * 100_000)
            assert await asyncio.to_thread(_answered, client)
            await wait_until(
                lambda: [one["status"] for one in service.events("request")].count(413) == 50
            )
        # Within its ten seconds, whoever still dribbles.
        assert service.stop().code == 0


def _answered(client: Client) -> bool:
    paths = ("healthz", "metrics", "", "api/healing")
    return all(client.get(path).status == 200 for path in paths)
