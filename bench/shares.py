"""Pairs to be written, shared out among those that write them: users in id order, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg

from bench.errors import BenchmarkError
from bench.servers import statement
from tests.support.postgres import PostgresServer


@dataclass(frozen=True, slots=True)
class BatchPoint:
    """One batch of a heal run, for the JSON file."""

    size: int
    """Rows that it might have taken."""
    inserted: int
    users: int
    seconds: float
    server_seconds: float


@dataclass(frozen=True, slots=True)
class Backfill:
    """What a contender did. Seconds by the wall clock."""

    rows: int
    writing: float
    planning: float = 0.0
    verifying: float = 0.0
    batches: tuple[BatchPoint, ...] = ()
    memory: tuple[float, ...] = ()
    """Resident MB of the writing process after each batch."""

    @property
    def verified(self) -> float:
        """Written and counted again."""
        return self.writing + self.verifying

    @property
    def whole(self) -> float:
        """From the wish to the verified end."""
        return self.planning + self.verified


@dataclass(frozen=True, slots=True)
class Share:
    """The pairs that some users, next to each other in id order, miss."""

    users: tuple[str, ...]
    rows: int
    legacy_until: datetime
    """Without time zone, in UTC, as the column."""

    @property
    def values(self) -> dict[str, object]:
        """As the statements take it; all artworks."""
        return {
            "legacy_until": self.legacy_until,
            "first_user": self.users[0],
            "last_user": self.users[-1],
            "first_artwork": "",
            "last_artwork": "~",  # behind every id
        }


class Work:
    """What is missing in one copy of a gallery, taken from the left, as a heal run takes it.

    Everybody finds the same gallery but for users that are none of theirs; a copy for each would
    cost more than what it measures.
    """

    def __init__(self, missing: list[tuple[str, int]], legacy_until: datetime) -> None:
        self._missing = missing
        self._legacy_until = legacy_until
        self._next = 0

    @property
    def rows(self) -> int:
        """That nobody has taken."""
        return sum(rows for _, rows in self._missing[self._next :])

    def take(self, rows: int) -> Share:
        """The next users that together miss at least `rows`. Raises BenchmarkError if none."""
        first, taken = self._next, 0
        while self._next < len(self._missing) and (taken < rows or not taken):
            taken += self._missing[self._next][1]
            self._next += 1
        if not taken:
            raise BenchmarkError("Nothing is missing any more: give it fewer --rows.")
        users = tuple(user for user, _ in self._missing[first : self._next])
        return Share(users, taken, self._legacy_until)

    def again(self) -> Work:
        """The same, in another copy."""
        return Work(self._missing, self._legacy_until)


def find_work(server: PostgresServer, database: str) -> Work:
    """All that is missing, by this moment's border."""
    with psycopg.connect(server.conninfo(database)) as connection:
        read = connection.execute("SELECT timezone('UTC', now()) - interval '7 days'").fetchone()
        until: datetime = (read or (datetime.now(UTC).replace(tzinfo=None),))[0]
        found = connection.execute(statement("user_missing"), {"legacy_until": until}).fetchall()
    return Work([(str(user), int(rows)) for user, rows in found], until)
