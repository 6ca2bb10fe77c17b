"""The app while we heal: visitors, new artworks, people who leave, all at full speed."""

from __future__ import annotations

import asyncio
import random
from types import TracebackType

from psycopg import errors

from tests.support.app import App, app_on

_UPSERT = """
INSERT INTO user_art_impressions (user_id, artwork_id, viewed_at)
VALUES (%(user)s, %(artwork)s, timezone('UTC', clock_timestamp()))
ON CONFLICT (user_id, artwork_id) DO UPDATE SET viewed_at = excluded.viewed_at
"""
_NEW_ARTWORK = """
INSERT INTO art_sessions (id, session_id, image_url, created_at)
VALUES (%(artwork)s, 's', '/', timezone('UTC', clock_timestamp()))
"""
_NEW_USER = """
INSERT INTO users (id, created_at) VALUES (%(user)s, timezone('UTC', clock_timestamp()))
"""
# What an app lives with: the row it refers to was deleted, or two transactions met head-on.
_EVERYDAY = (errors.ForeignKeyViolation, errors.DeadlockDetected)


class Writers:
    """Tasks that write as an app does, as long as the context lasts.

    They also write the pairs that are being healed, and delete artworks and users with all their
    impressions. An unexpected error ends the context with it.
    """

    def __init__(
        self,
        url: str,
        *,
        crowd: int = 3,
        seed: int = 1,
        deletes: bool = True,
        allowance: asyncio.Semaphore | None = None,
    ) -> None:
        """At full speed, or a statement for every release of `allowance`."""
        self.writes = 0
        """Statements that went through since the start."""
        self._url = url
        self._crowd = crowd
        self._rng = random.Random(seed)
        self._deletes = deletes
        self._allowance = allowance
        self._users: list[str] = []
        self._artworks: list[str] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Writers:
        async with app_on(self._url) as app:
            await self._look_around(app)
        for number in range(self._crowd):
            self._tasks.append(asyncio.create_task(self._write(number), name=f"writer {number}"))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for task in self._tasks:
            task.cancel()
        for result in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(result, Exception):
                raise result

    def have_written(self, more: int) -> bool:
        """At least so many statements since the start."""
        return self.writes >= more

    async def _write(self, number: int) -> None:
        async with app_on(self._url) as app:
            while True:
                if self._allowance is not None:
                    await self._allowance.acquire()
                try:
                    await self._act(app, number)
                except _EVERYDAY:
                    continue
                self.writes += 1

    async def _look_around(self, app: App) -> None:
        self._users = [user for (user,) in await app.rows("SELECT id FROM users")]
        self._artworks = [artwork for (artwork,) in await app.rows("SELECT id FROM art_sessions")]

    async def _act(self, app: App, number: int) -> None:
        luck = self._rng.random()
        user, artwork = self._rng.choice(self._users), self._rng.choice(self._artworks)
        if luck < 0.8:
            await app.run(_UPSERT, user=user, artwork=artwork)
        elif luck < 0.88:
            made = f"new{number}-{self.writes}"
            await app.run(_NEW_ARTWORK, artwork=made)
            self._artworks.append(made)
        elif luck < 0.96 or not self._deletes:
            joined = f"joined{number}-{self.writes}"
            await app.run(_NEW_USER, user=joined)
            self._users.append(joined)
        elif luck < 0.985:
            await app.run("DELETE FROM art_sessions WHERE id = %(artwork)s", artwork=artwork)
        else:
            await app.run("DELETE FROM users WHERE id = %(user)s", user=user)
