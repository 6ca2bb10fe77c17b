"""The recorder on a real database: weeks planted as samples, and moments moved by moving those."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from checks.judgement import Measurement
from monitor.checking.definition import Confirm
from monitor.checking.recording_rate import RecordingRateCheck
from monitor.checking.runner import CheckRunner
from monitor.runtime import CurrentRuntime, Runtime
from tests.support.app import App, app_on
from tests.support.check_registry import empty_board, router_of
from tests.support.healing import make_runtime

_WEEKS = """
INSERT INTO conservator.recording_sample
    (started_at, ended_at, impressions, artworks, seeded, suspect, level)
SELECT now() - n * interval '5 minutes', now() - (n - 1) * interval '5 minutes',
    %(each)s, 1, false, false, 1
FROM generate_series(2, 3 * 2016 + 200) AS n
"""
_LATER = """
UPDATE conservator.recording_sample SET started_at = started_at - interval '301 seconds',
    ended_at = ended_at - interval '301 seconds';
UPDATE user_art_impressions SET viewed_at = viewed_at - interval '301 seconds';
UPDATE art_sessions SET created_at = created_at - interval '301 seconds'
"""
_CREATE = """
INSERT INTO art_sessions (id, session_id, image_url, created_at)
SELECT gen_random_uuid()::text, 's', '/', timezone('UTC', now()) - n * interval '20 seconds'
FROM generate_series(1, 14) AS n
"""
_RECORD = """
INSERT INTO users (id) SELECT 'u' || n FROM generate_series(1, %(number)s) AS n
ON CONFLICT DO NOTHING;
INSERT INTO art_sessions (id, session_id, image_url, created_at)
VALUES (%(artwork)s, 's', '/', timezone('UTC', now()) - interval '80 days');
INSERT INTO user_art_impressions (user_id, artwork_id, viewed_at)
SELECT 'u' || n, %(artwork)s, timezone('UTC', now()) - %(ago)s::interval
FROM generate_series(1, %(number)s) AS n
"""


async def leads(_: AsyncConnection) -> None:
    """The leader's word."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A recorder and the app that it watches."""

    app: App
    runtime: Runtime
    recorder: RecordingRateCheck

    async def run(self, confirm: Confirm | None = leads) -> Measurement:
        """One run, judged."""
        runner = CheckRunner(self.runtime.settings, empty_board())
        (result,) = await runner.run(self.recorder.definition(), confirm)
        return result

    async def plant_weeks(self, each: int = 600) -> None:
        """Three weeks and some hours of alike samples, the newest five minutes ago."""
        await self.app.run(_WEEKS, each=each)

    async def let_an_interval_pass(self) -> None:
        """All that was kept and all that the app wrote is five minutes older."""
        await self.app.run(_LATER)

    async def create_artworks(self) -> None:
        """Three a minute, over the last five minutes."""
        await self.app.run(_CREATE)

    async def record(self, number: int, ago: str, artwork: str) -> None:
        """So many impressions of a new, old artwork."""
        for statement in _RECORD.split(";"):
            await self.app.run(statement, number=number, ago=ago, artwork=artwork)

    async def kept(self) -> int:
        """How many samples are kept."""
        return int(await self.app.value("SELECT count(*) FROM conservator.recording_sample"))

    async def newest(self) -> tuple[int, bool, bool]:
        """Impressions of the newest sample; whether it was seeded, whether it is suspect."""
        ((impressions, seeded, suspect),) = await self.app.rows(
            "SELECT impressions, seeded, suspect FROM conservator.recording_sample"
            " ORDER BY started_at DESC LIMIT 1"
        )
        return impressions, seeded, suspect


def recorder_of(runtime: Runtime, reading: AsyncEngine | None = None) -> RecordingRateCheck:
    """A recorder as the service builds it; `reading` is a replica's engine."""
    settings, engine = runtime.settings, runtime.engine
    return RecordingRateCheck(settings, engine, router_of(engine, reading), CurrentRuntime(runtime))


@asynccontextmanager
async def recording(url: str, **check: object) -> AsyncIterator[Recording]:
    """The app's tables, empty, and a recorder that watches them every five minutes."""
    settings = {"every": "5m", **check}
    async with (
        app_on(url) as app,
        make_runtime(url, checks={"recording_rate": settings}) as runtime,
    ):
        yield Recording(app, runtime, recorder_of(runtime))
