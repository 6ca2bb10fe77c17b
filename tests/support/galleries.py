"""Small galleries for property-based tests, dense in the cases where the states change.

Moments are microseconds since 1970, and ids are numbers; a schema turns both into what it stores.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import compress

from hypothesis import strategies as st

from checks.spec import Audience, PoolsSpec
from tests.support.app_schema import EPOCH, INFINITY, MICROSECOND, AppSchema

SHOWN, HIDDEN = "on", "100%{off}"
"""Notes; a filter lets through the first only, and not a missing one."""
NOBODY = (14, 15)
"""Numbers that no row has."""
_DAY = timedelta(days=1) // MICROSECOND

# Days on which a border falls on, or an age spans, a change of the clocks somewhere.
_NOWS = (
    datetime(2025, 6, 15, 12, tzinfo=UTC),
    datetime(2025, 11, 2, 0, 30, tzinfo=UTC),  # a week after the hour that Berlin has twice
    datetime(2025, 11, 2, 1, 30, tzinfo=UTC),
    datetime(2026, 4, 5, 1, 0, tzinfo=UTC),  # a week after the hour that Berlin leaves out
    datetime(2025, 11, 2, 6, 10, tzinfo=UTC),  # in the hour that New York has twice
)


@dataclass(frozen=True)
class Person:
    """A row of the users table."""

    id: int
    created: int | None = None
    note: str | None = SHOWN
    team: str | None = None
    wing: str | None = None


@dataclass(frozen=True)
class Piece:
    """A row of the artworks table."""

    id: int
    created: int | None
    owner: int | None = None
    note: str | None = SHOWN
    team: str | None = None
    wing: str | None = None


@dataclass(frozen=True)
class Listing:
    """A row of what lists the pairs."""

    person: int | None
    piece: int | None
    since: int | None = None
    note: str | None = SHOWN


@dataclass(frozen=True)
class Gallery:
    """Rows, and the question that is asked about them."""

    now: datetime
    pools: PoolsSpec = field(default_factory=PoolsSpec)
    verified_until: datetime | None = None
    people: tuple[Person, ...] = ()
    pieces: tuple[Piece, ...] = ()
    views: tuple[tuple[int | None, int | None], ...] = ()
    listings: tuple[Listing, ...] = ()


def micros(moment: datetime) -> int:
    """Microseconds since 1970."""
    return (moment - EPOCH) // MICROSECOND


@st.composite
def galleries(draw: st.DrawFn, schema: AppSchema) -> Gallery:
    """A gallery that `schema` can hold: up to 6 users, 8 artworks, impressions of any of them."""
    now = draw(st.sampled_from(_NOWS))
    pools = draw(_pools(now))
    verified = draw(st.none() | _around(now))
    notes = _notes(schema)
    corners = st.sampled_from(_corners(now, pools, verified))
    usual = _around(now)
    lifetimes = st.sampled_from([usual, usual, usual, corners, st.none()])
    people = tuple(
        Person(
            number,
            draw(draw(lifetimes)) if schema.aged else None,
            draw(notes),
            *draw(_groups(schema)),
        )
        for number in range(draw(st.sampled_from([0, 1, 2, 4, 6, 6])))
    )
    pieces = []
    for number in range(draw(st.sampled_from([0, 1, 3, 6, 8, 8]))):
        owner = draw(_owners(people)) if schema.owned else None
        births = _births(people, owner)
        # Half of them are made when their user came, or a moment before or after.
        times = st.sampled_from(births).flatmap(_nearly) if births else usual
        lapse = st.none() if schema.nullable else corners
        created = draw(draw(st.sampled_from([times, times, times, corners, corners, lapse])))
        pieces.append(Piece(number, created, owner, draw(notes), *draw(_groups(schema))))
    never_came = st.sampled_from([False, False, True])
    viewers = [person.id for person in people if not draw(never_came)]
    return Gallery(
        now=now,
        pools=pools,
        verified_until=None if verified is None else EPOCH + verified * MICROSECOND,
        people=people,
        pieces=tuple(pieces),
        views=tuple(draw(_views(schema, viewers, pieces))),
        listings=tuple(draw(_listings(schema, people, pieces, corners))),
    )


@st.composite
def _pools(draw: st.DrawFn, now: datetime) -> PoolsSpec:
    legacy_after = draw(st.sampled_from([timedelta(days=7), timedelta(hours=1)]))
    before = draw(
        st.none()
        | st.sampled_from([-40 * _DAY, -1, 0, 1, _DAY]).map(
            lambda distance: now - legacy_after + distance * MICROSECOND
        )
    )
    return PoolsSpec(
        fresh_for=draw(st.sampled_from([timedelta(minutes=15), timedelta(seconds=1)])),
        legacy_after=legacy_after,
        legacy_created_before=before,
        audience=draw(st.sampled_from(Audience)),
    )


def _borders(now: datetime, pools: PoolsSpec) -> list[int]:
    moments = [now - pools.legacy_after, now - pools.fresh_for]
    if pools.legacy_created_before is not None:
        moments.append(pools.legacy_created_before)
    return [micros(moment) for moment in moments]


def _corners(now: datetime, pools: PoolsSpec, verified: int | None) -> list[int]:
    """Every border with its neighbours, and the ends of time."""
    cutoffs = _borders(now, pools) + ([] if verified is None else [verified])
    near = [border + step for border in cutoffs for step in (0, 0, -1, 1)]
    return [*near, micros(now), -INFINITY, INFINITY]


def _around(now: datetime) -> st.SearchStrategy[int]:
    """Legacy for the most part, and sometimes young or in the future."""
    days = st.sampled_from([30, 8, 10, 20, 39, 41, 60, 400, 1, -1])
    return days.map(lambda ago: micros(now) - ago * _DAY)


def _nearly(moment: int) -> st.SearchStrategy[int]:
    return st.sampled_from([moment, moment, moment, moment - 1, moment + 1])


def _notes(schema: AppSchema) -> st.SearchStrategy[str | None]:
    if not (schema.people_filtered or schema.pieces_filtered):
        return st.just(SHOWN)
    return st.sampled_from([SHOWN, SHOWN, HIDDEN, None])


def _births(people: tuple[Person, ...], owner: int | None) -> list[int]:
    """The owner's, where there is one, or everybody's; without the ends of time."""
    births = {person.id: person.created for person in people}
    wanted = [births[owner]] if owner in births else list(births.values())
    return [moment for moment in wanted if moment is not None and abs(moment) != INFINITY]


def _owners(people: tuple[Person, ...]) -> st.SearchStrategy[int | None]:
    known = [person.id for person in people]
    return st.sampled_from([*known, *known, NOBODY[0], None])


def _groups(schema: AppSchema) -> st.SearchStrategy[tuple[str | None, str | None]]:
    some = st.sampled_from(["1", "1", "2", None, None])
    return st.tuples(*(some if one in schema.shared else st.none() for one in ("team", "wing")))


@st.composite
def _listings(
    draw: st.DrawFn,
    schema: AppSchema,
    people: tuple[Person, ...],
    pieces: list[Piece],
    corners: st.SearchStrategy[int],
) -> list[Listing]:
    """Most of the pairs, some of them again, and some that are none."""
    if not schema.listed or not people or not pieces:
        return []
    every = [(person.id, piece.id) for person in people for piece in pieces]
    named: list[tuple[int | None, int | None]] = [
        pair for pair in every if draw(st.sampled_from([True, True, True, False]))
    ]
    named += draw(st.lists(st.sampled_from([(NOBODY[0], 0), (0, NOBODY[1])]), unique=True))
    if not schema.listed_once:
        named += draw(st.lists(st.sampled_from([*every, (None, 0), (0, None)]), max_size=8))
    created = {piece.id: piece.created for piece in pieces}
    notes = st.sampled_from([SHOWN, SHOWN, SHOWN, HIDDEN, None])
    found = []
    for person, piece in named:
        since = None
        if schema.listed_since:
            made = created.get(-1 if piece is None else piece)
            near = corners if made is None or abs(made) == INFINITY else _nearly(made)
            since = draw(draw(st.sampled_from([near, near, near, corners, st.none()])))
        found.append(Listing(person, piece, since, draw(notes)))
    return found


def _views(
    schema: AppSchema, people: list[int], pieces: list[Piece]
) -> st.SearchStrategy[list[tuple[int | None, int | None]]]:
    viewers: list[int | None] = [*people]
    viewed: list[int | None] = [piece.id for piece in pieces]
    if schema.orphans:
        viewed.append(NOBODY[0])
    if schema.strangers:
        viewers += NOBODY
    if not schema.strict:
        viewers.append(None)
        viewed.append(None)
    if not viewers or not viewed:
        return st.just([])
    every = [(viewer, piece) for viewer in viewers for piece in viewed]
    choices = st.lists(st.booleans(), min_size=len(every), max_size=len(every))
    once = choices.map(lambda chosen: list(compress(every, chosen)))
    if schema.owned:  # Few impressions are the owner's own, and few pairs would be left unseen.
        once = st.lists(st.sampled_from(every), max_size=len(every), unique=True)
    if schema.strict:
        return once
    again = st.lists(st.sampled_from(every), max_size=5)
    return st.tuples(once, again).map(lambda both: [*both[0], *both[1]])
