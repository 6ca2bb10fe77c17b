"""The whole service by way of PgBouncer in transaction mode, two server connections for all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.support.commands import STATE, gallery_at, on_one_server
from tests.support.pgbouncer import bouncing
from tests.support.postgres import PostgresServer

pytestmark = on_one_server

LEGACY = 'conservator_artworks{state="legacy_untracked"}'
BACKFILL = "api/artworks/backfill-impressions"


async def test_the_service_heals_backfills_and_pauses_through_pgbouncer(
    server: PostgresServer, app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path)
    with bouncing(server, pool_size=2) as bouncer:
        through = replace(work, url=bouncer.url(app_database_url))
        through.configure(healing={"mode": "observe"})
        user = work.affected_user()
        with through.started("serve") as service:
            client = service.client()
            service.until(lambda: LEGACY in client.metrics())
            planted = client.metrics()[LEGACY]
            updated = client.post(BACKFILL, {"user_id": user}).json["updated"]
            assert updated > 0
            assert client.post("api/healing/pause", {"reason": "we look"}).status == 200
            assert client.post(BACKFILL, {"all": True}).code == "paused"
            assert client.post("api/healing/resume").status == 200
            asked = client.post(BACKFILL, {"all": True})
            assert asked.status == 202
            run = f"api/runs/{asked.json['run_id']}"
            service.until(lambda: client.get(run).json["run"]["state"] == "succeeded")
            service.until(lambda: client.metrics()[LEGACY] == 0)
            ended = service.stop()
        assert ended.code == 0
        assert "prepared statement" not in ended.err
        assert "prepared statement" not in bouncer.log
    assert work.value(f"SELECT sum(inserted) FROM {STATE}.run") == planted


async def test_healing_from_the_command_line_goes_through_pgbouncer(
    server: PostgresServer, app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path)
    with bouncing(server, pool_size=2) as bouncer:
        through = replace(work, url=bouncer.url(app_database_url)).configure()
        healed = through.run("heal", "--yes")
        assert healed.code == 0, healed.err
        assert "succeeded" in healed.words
        assert through.run("check", "census").code == 0
