"""The app: its tables as the incident left them, and visitors who use them as the app does."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from checks.errors import ConservatorError
from checks.pipeline import run_script

_SQL = Path(__file__).parent / "sql"
SCHEMA = _SQL / "schema.sql"

# The story in shares of the gallery's age: with 60 days, tracking began 54.5 days ago and failed
# between 23 and 20 days ago. Together with the lost ones, about a tenth of all pairs.
_TRACKING_SINCE = 54.5 / 60
_OUTAGE_FROM = 23 / 60
_OUTAGE_UNTIL = 20 / 60
_LOST = 0.01
_SHORTEST = 30  # days; in a younger gallery the outage would not be legacy yet

_CROWD = 4  # visits at the same moment, each on its own connection


@dataclass(frozen=True, slots=True)
class Gallery:
    """What was made. Every tenth user is without impressions; the others are the audience."""

    users: int
    artworks: int
    impressions: int
    days: int
    """The age of the oldest artworks."""


@cache
def statement(name: str) -> str:
    """The SQL of a file in `sql/`."""
    return (_SQL / f"{name}.sql").read_text(encoding="utf-8")


async def create_tables(connection: AsyncConnection) -> None:
    """Creates the app's three tables, empty."""
    sync = connection.sync_connection
    assert sync is not None
    await run_script(sync, statement("schema"))


async def build_gallery(
    connection: AsyncConnection,
    *,
    users: int = 300,
    artworks: int = 600,
    days: int = 60,
    seed: float = 0.42,
) -> Gallery:
    """Fills the empty tables in the caller's transaction; the caller commits.

    The same seed (-1 to 1) gives the same gallery relative to now, except for the impressions'
    own ids. Moments are written in UTC whatever the session's time zone.
    Raises ValueError for a gallery younger than 30 days, which could not have the outage.
    """
    if days < _SHORTEST:
        raise ValueError(f"days: expected at least {_SHORTEST}, found {days}")
    await connection.execute(text("SELECT setseed(:seed)"), {"seed": seed})
    size = {"seed": str(seed), "users": users, "days": days}
    await connection.execute(text(statement("gallery_users")), size)
    await connection.execute(
        text(statement("gallery_artworks")),
        {**size, "artworks": artworks, "fresh": max(3, artworks // 100)},
    )
    shown = await connection.execute(
        text(statement("gallery_impressions")),
        {
            "tracking_since": days * _TRACKING_SINCE,
            "outage_from": days * _OUTAGE_FROM,
            "outage_until": days * _OUTAGE_UNTIL,
            "lost": _LOST,
        },
    )
    await connection.execute(text("ANALYZE users, art_sessions, user_art_impressions"))
    return Gallery(users=users, artworks=artworks, impressions=shown.rowcount, days=days)


class Visitors:
    """A crowd that looks at the next unseen artwork, is recorded, and now and then makes one.

    A user visits one artwork at a time, so that none is shown twice while all are recorded. An
    error ends the whole crowd; `wait` and `stop` raise it.
    """

    def __init__(
        self,
        url: str,
        *,
        rate: float = 5.0,
        artwork_share: float = 0.005,
        drop_share: float = 0.0,
        rng: random.Random | None = None,
        on_view: Callable[[str, str], None] | None = None,
    ) -> None:
        """Nobody comes before `start`.

        url: SQLAlchemy URL of the app's database, not through PgBouncer.
        rate: views per second that the crowd makes on average at most.
        artwork_share: how many of the views (0 to 1) are followed by a new artwork.
        drop_share: how many of the views (0 to 1) fail to be recorded, as in the incident; such
            an artwork is shown to the same user again. May be changed while visitors come.
        on_view: called with the user's and the artwork's id for each artwork shown.
        """
        self.drop_share = drop_share
        self.views = 0
        """Artworks shown since the start, recorded or not."""
        self.dropped = 0
        """The part of the views that was not recorded."""
        self.artworks = 0
        """Artworks made since the start."""
        self._url = url
        self._rate = rate
        self._artwork_share = artwork_share
        self._rng = rng or random.Random()
        self._on_view = on_view or (lambda user, artwork: None)
        self.task: asyncio.Task[None] | None = None
        """The visits, once they have begun."""

    def start(self) -> None:
        """Lets them come, in the running event loop."""
        if self.task is None:
            self.task = asyncio.create_task(self._run(), name="visitors")

    async def wait(self) -> None:
        """Returns after `stop`. Raises what ended the visits, as soon as it happens."""
        if self.task is not None:
            await asyncio.wait([self.task])
            if not self.task.cancelled():
                self.task.result()

    async def stop(self) -> None:
        """Ends the visits and closes their connections. Raises what had ended them before."""
        if self.task is not None:
            self.task.cancel()
            await self.wait()

    async def _run(self) -> None:
        # The app's columns without time zone hold UTC, so its sessions run in UTC.
        engine = create_async_engine(
            self._url,
            pool_size=_CROWD,
            max_overflow=0,
            connect_args={"options": "-c timezone=UTC", "client_encoding": "utf8"},
        )
        try:
            async with engine.connect() as connection:
                users = (await connection.scalars(text(statement("visitor_ids")))).all()
            if not users:
                raise ConservatorError(
                    "Nobody can visit: expected users with at least one impression, found none. "
                    "Build the gallery first."
                )
            # As many groups as visit at once. A user is in one only, so never looks twice at once.
            groups = [users[start::_CROWD] for start in range(min(_CROWD, len(users)))]
            async with asyncio.TaskGroup() as crowd:
                for number, group in enumerate(groups, start=1):
                    coming = self._come(engine, group, self._rate / len(groups))
                    crowd.create_task(coming, name=f"visitors {number}")
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        finally:
            await engine.dispose()

    async def _come(self, engine: AsyncEngine, group: Sequence[str], rate: float) -> None:
        while True:
            await asyncio.sleep(self._rng.expovariate(rate))
            await self._visit(engine, self._rng.choice(group))

    async def _visit(self, engine: AsyncEngine, user: str) -> None:
        async with engine.begin() as connection:
            artwork = await connection.scalar(text(statement("next_artwork")), {"user_id": user})
            if artwork is not None:
                self.views += 1
                self._on_view(user, artwork)
                if self._rng.random() >= self.drop_share:
                    await connection.execute(
                        text(statement("record_view")), {"user_id": user, "artwork_id": artwork}
                    )
                else:
                    self.dropped += 1
            if self._rng.random() < self._artwork_share:
                await connection.execute(text(statement("new_artwork")), {"user_id": user})
                self.artworks += 1
