"""What may happen to a gallery between tallies, and what it amounts to, in plain Python."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from hypothesis import strategies as st

from tests.support.app import App

USERS = tuple(f"u{n}" for n in range(5))
ARTWORKS = tuple(f"a{n}" for n in range(5))
Pair = tuple[str, str]


class Act(StrEnum):
    """One thing that happens."""

    VIEW = "view"
    LOSE = "lose"
    UNDO = "undo"
    """Of that pair, as if it had been healed before."""
    DELETE_USER = "delete user"
    DELETE_ARTWORK = "delete artwork"
    TURN_USER = "turn user"
    """Archive it, or take it back."""
    TURN_ARTWORK = "turn artwork"


LEAVING = (Act.DELETE_USER, Act.DELETE_ARTWORK, Act.TURN_USER, Act.TURN_ARTWORK)
Event = tuple[Act, str, str]
History = list[list[Event]]
"""What happens before each tally."""


def histories(*acts: Act) -> st.SearchStrategy[History]:
    """Up to five stretches, of many views first and then of `acts`."""
    pairs = st.tuples(st.sampled_from(USERS), st.sampled_from(ARTWORKS))
    views = st.lists(pairs.map(lambda pair: (Act.VIEW, *pair)), min_size=3, max_size=30)
    events = st.tuples(st.sampled_from(acts), st.sampled_from(USERS), st.sampled_from(ARTWORKS))
    later = st.lists(st.lists(events, max_size=8), min_size=1, max_size=4)
    return st.tuples(views, later).map(lambda both: [both[0], *both[1]])


@dataclass(frozen=True)
class Moment:
    """The gallery when a tally is taken: who counts, and the counted pairs with an impression."""

    users: frozenset[str]
    artworks: frozenset[str]
    pairs: frozenset[Pair]
    undone: frozenset[Pair]
    """Since the moment before."""
    undos: int
    """How often anything was undone, from the beginning."""


def counts(moment: Moment, *, by_user: bool) -> dict[str, int]:
    """How many counted impressions each of one side has."""
    ids = moment.users if by_user else moment.artworks
    place = 0 if by_user else 1
    return {one: sum(pair[place] == one for pair in moment.pairs) for one in ids}


def side(moments: Sequence[Moment], *, by_user: bool) -> tuple[int, int, int]:
    """What is missing, the peak, and what left, as ARCHITECTURE.md words it."""
    tallies = [counts(moment, by_user=by_user) for moment in moments]
    missing = peak = left_with = 0
    for one in set().union(*tallies):
        values = [tally.get(one) for tally in tallies]
        there = [value for value in values if value is not None]
        leaves = sum(before is not None and after is None for before, after in pairwise(values))
        left_with += max(there, default=0) * leaves
        since_back: list[int] = []
        for value in values:
            since_back = [] if value is None else [*since_back, value]
        if since_back:
            peak += max(since_back)
            missing += max(since_back) - since_back[-1]
    return missing, peak, left_with


def really_lost(moments: Sequence[Moment]) -> set[Pair]:
    """Pairs that vanished between two tallies, which both count their user and their artwork."""
    lost = set()
    for before, after in pairwise(moments):
        for user, artwork in before.pairs - after.pairs - after.undone:
            if user in after.users and artwork in after.artworks:
                lost.add((user, artwork))
    return lost


_UNDO = """
WITH undo AS (
    INSERT INTO conservator.run (kind, trigger, state, reason, holder, lease_until, started_at,
        finished_at, legacy_until)
    VALUES ('undo', 'command', 'succeeded', '', '', now(), now(), now(), now())
    RETURNING id
)
INSERT INTO conservator.batch (run_id, number, started_at, seconds, users, inserted)
SELECT id, 1, now(), 0, 1, 1 FROM undo
"""


class Life:
    """A gallery to which things happen."""

    def __init__(self, app: App, *, cascades: bool) -> None:
        """`cascades`: deleting takes the impressions along; otherwise they are left as orphans."""
        self._app = app
        self._cascades = cascades
        self._there = {*USERS, *ARTWORKS}
        self._shown = {*USERS, *ARTWORKS}
        self._pairs: set[Pair] = set()
        self._undone: set[Pair] = set()
        self._undos = 0

    async def begin(self) -> None:
        """All users and artworks, no impressions, and books without an entry."""
        await self._app.run(
            "TRUNCATE users, art_sessions, user_art_impressions, conservator.tally_user,"
            " conservator.tally_artwork, conservator.batch, conservator.run CASCADE;"
            "UPDATE conservator.control SET tally_base_at = NULL, breaker_reset_at = NULL"
        )
        await self._app.run(
            "INSERT INTO users (id, is_active) SELECT id, TRUE FROM unnest(%(ids)s::text[]) AS id",
            ids=list(USERS),
        )
        await self._app.run(
            "INSERT INTO art_sessions (id, session_id, image_url) SELECT id, 's', '/'"
            " FROM unnest(%(ids)s::text[]) AS id",
            ids=list(ARTWORKS),
        )

    async def happen(self, events: Iterable[Event]) -> Moment:
        """Let all of this happen; the gallery afterwards."""
        self._undone = set()
        for act, user, artwork in events:
            await self._happen(act, user, artwork)
        return self._moment()

    async def _happen(self, act: Act, user: str, artwork: str) -> None:
        pair = user, artwork
        if act is Act.VIEW and pair not in self._pairs and {*pair} <= self._there:
            self._pairs.add(pair)
            await self._app.run(
                "INSERT INTO user_art_impressions (user_id, artwork_id)"
                " VALUES (%(user)s, %(artwork)s)",
                user=user,
                artwork=artwork,
            )
        elif act in (Act.LOSE, Act.UNDO) and pair in self._pairs:
            self._pairs.remove(pair)
            await self._app.run(
                "DELETE FROM user_art_impressions WHERE user_id = %(user)s"
                " AND artwork_id = %(artwork)s",
                user=user,
                artwork=artwork,
            )
            if act is Act.UNDO:
                self._undone.add(pair)
                self._undos += 1
                await self._app.run(_UNDO)
        elif act is Act.DELETE_USER:
            await self._delete("users", user, lambda pair: pair[0] == user)
        elif act is Act.DELETE_ARTWORK:
            await self._delete("art_sessions", artwork, lambda pair: pair[1] == artwork)
        elif act is Act.TURN_USER:
            await self._turn("users", "is_active = NOT is_active", user)
        elif act is Act.TURN_ARTWORK:
            await self._turn("art_sessions", "is_library = NOT is_library", artwork)

    async def _delete(self, table: str, one: str, its: Callable[[Pair], bool]) -> None:
        self._there.discard(one)
        if self._cascades:
            self._pairs = {pair for pair in self._pairs if not its(pair)}
        await self._app.run(f"DELETE FROM {table} WHERE id = %(one)s", one=one)

    async def _turn(self, table: str, change: str, one: str) -> None:
        self._shown ^= {one}
        await self._app.run(f"UPDATE {table} SET {change} WHERE id = %(one)s", one=one)

    def _moment(self) -> Moment:
        counted = self._there & self._shown
        users, artworks = counted & {*USERS}, counted & {*ARTWORKS}
        pairs = {(user, art) for user, art in self._pairs if user in users and art in artworks}
        return Moment(
            frozenset(users),
            frozenset(artworks),
            frozenset(pairs),
            frozenset(self._undone),
            self._undos,
        )
