"""recording_rate in the running service: its row appears, and its samples are kept."""

from __future__ import annotations

from checks.judgement import Outcome
from tests.integration.test_service_checks import gallery, shown, watching
from tests.support.commands import on_one_server
from tests.support.waiting import wait_until

pytestmark = on_one_server


async def test_the_service_keeps_samples_and_shows_the_check(app_database_url: str) -> None:
    every_second = {"every": "1s", "budget": "100%"}
    async with (
        gallery(app_database_url) as app,
        watching(app_database_url, recording_rate=every_second) as service,
    ):

        async def is_kept() -> bool:
            return bool(
                await app.value(
                    "SELECT count(*) FROM conservator.recording_sample WHERE NOT seeded"
                )
            )

        await wait_until(is_kept)
        await wait_until(lambda: shown(service, "recording_rate").outcome is not None)
        check = shown(service, "recording_rate")
        assert check.outcome is Outcome.PASS
