"""`serve` before its database is there, and while it is away."""

from __future__ import annotations

import asyncio
from pathlib import Path

from monitor.demo.gallery import SCHEMA
from tests.support.app import app_on
from tests.support.commands import gallery_at
from tests.support.postgres import PostgresServer

UP = "conservator_database_up"
PATIENCE = 60.0


async def test_serve_waits_for_its_database_and_comes_back_to_it(
    own_server: PostgresServer, tmp_path: Path
) -> None:
    async with app_on(own_server.url()) as app:
        await app.run(SCHEMA.read_text(encoding="utf-8"))
    work = await gallery_at(own_server.url(), tmp_path)
    own_server.kill()
    with work.started("serve") as service:
        client = service.client()
        for _ in range(2):
            service.until(lambda: client.metrics()[UP] == 0, PATIENCE)
            assert client.get("healthz").status == 200
            answer = client.get("readyz")
            assert (answer.status, answer.code) == (503, "not_ready")
            assert "The database can't be used" in answer.text
            assert client.get("api/runs").status == 503
            assert client.post("api/healing/pause").status == 503
            assert client.get("").status == 200
            await asyncio.to_thread(own_server.restart)
            service.until(lambda: client.get("readyz").status == 200, PATIENCE)
            service.until(
                lambda: client.metrics().get('conservator_artworks{state="legacy_untracked"}') == 0,
                PATIENCE,
            )
            assert client.metrics()["conservator_leader"] == 1
            own_server.kill()
        awaited = [event["error"] for event in service.events("database_awaited")]
        # A server that comes up refuses in words of its own before it answers.
        coming = ("starting up", "not yet accepting")
        assert len([one for one in awaited if not any(word in one for word in coming)]) == 1
        assert len(service.events("database_up")) == 2
        assert service.stop().code == 0
