"""Two hundred readers at once beside a heal run: all are answered, census and run go on."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from bench.readers import read_at_once
from tests.support.commands import STATE, gallery_at, on_one_server
from tests.support.waiting import PATIENCE

pytestmark = on_one_server
SLOWLY: dict[str, Any] = {"cooldown": "0s", "pace": {"max_batch": 5, "duty": "10%"}}
POOL_SIZE = 5
LEASE = 1
CENSUSES = f"SELECT count(*) FROM {STATE}.census"
BATCHES = f"SELECT sum(batches) FROM {STATE}.run"


async def test_two_hundred_readers_hold_nothing_up(app_database_url: str, tmp_path: Path) -> None:
    work = await gallery_at(
        app_database_url,
        tmp_path,
        healing=SLOWLY,
        database={"pool_size": POOL_SIZE},
        # What is older than three intervals is not told: on busy cores one of less would be.
        checks={"census": {"every": "1s", "budget": "100%"}},
    )
    users = [user for (user,) in work.rows("SELECT id FROM users ORDER BY id LIMIT 20")]
    with work.started("serve") as service:
        client = service.client()
        service.until(lambda: client.metrics().get("conservator_heal_active") == 1)
        censuses, batches = work.value(CENSUSES), work.value(BATCHES)

        def gone_on() -> bool:
            return bool(work.value(CENSUSES) > censuses and work.value(BATCHES) > batches)

        deadline = time.monotonic() + PATIENCE
        while True:
            readings = await read_at_once(
                client.address, work.conninfo, users, clients=200, requests_each=6
            )
            assert client.metrics()["conservator_heal_active"] == 1, (
                "the run was too short for the test"
            )
            assert readings.statuses == {200: 1200}
            assert readings.most_connections <= POOL_SIZE + LEASE
            if gone_on():
                break
            # All may have been answered within the second between two censuses.
            assert time.monotonic() < deadline, "neither census nor run went on beside readers"
        assert service.stop().code == 0
