"""Checks on a read replica: it bears the load, the primary says what time it is and keeps."""

from __future__ import annotations

from monitor.demo.server import PostgresServer
from tests.integration.test_service_checks import PATIENCE, gallery, shown, watching
from tests.support.replicas import replica_of
from tests.support.waiting import wait_until

WHERE = {"name": "on_replica", "query": "SELECT pg_is_in_recovery()::int", "every": "1s"}
SAMPLED = {"every": "1s", "budget": "100%"}


async def test_checks_read_the_replica_and_what_is_kept_is_kept_on_the_primary(
    app_database_url: str, server: PostgresServer
) -> None:
    database = app_database_url.partition("?")[0].rpartition("/")[2]
    async with gallery(app_database_url) as app:
        with replica_of(server) as replica:
            async with watching(
                app_database_url,
                read_url=replica.url(database),
                sql=[WHERE],
                recording_rate=SAMPLED,
            ) as service:
                await wait_until(lambda: shown(service, "on_replica").value == 1, PATIENCE)
                await wait_until(lambda: shown(service, "census").outcome is not None, PATIENCE)
                kept = "SELECT count(*) FROM conservator.check_result WHERE name = 'on_replica'"

                async def is_kept() -> bool:
                    return bool(await app.value(kept))

                await wait_until(is_kept, PATIENCE)
                await wait_until(
                    lambda: shown(service, "recording_rate").outcome is not None, PATIENCE
                )
                assert shown(service, "recording_rate").outcome == "pass"
                # The replica falls away: what it is asked is an error, and the service goes on.
                replica.stop()
                await wait_until(lambda: shown(service, "on_replica").outcome == "error", PATIENCE)
                assert service.board.current.database_up
