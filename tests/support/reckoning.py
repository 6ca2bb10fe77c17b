"""The census as the contract words it, pair by pair in plain Python: the reference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from checks.spec import Audience
from tests.support.galleries import SHOWN, Gallery, Person, Piece, micros
from tests.support.halls import INFINITY, MICROSECOND, Hall

Counts = tuple[int, int, int, int]
"""Tracked, fresh, storage, legacy_untracked."""


@dataclass(frozen=True)
class Reckoning:
    """Every number of a census, what each user sees of it, and the state of each pair.

    `by_user` and `states` hold users outside of the audience too; the counts don't.
    """

    counts: Counts
    appeared: int
    legacy_artworks: int
    oldest_legacy: float | None
    audience: int
    users: int
    affected: int
    by_user: dict[str, tuple[bool, Counts]]
    states: dict[tuple[str, str], str]


def reckon(gallery: Gallery, hall: Hall) -> Reckoning:
    """Judges each pair by itself."""
    people = [p for p in gallery.people if not hall.people_filtered or p.note == SHOWN]
    pieces = [
        p
        for p in gallery.pieces
        if p.created is not None and (not hall.pieces_filtered or p.note == SHOWN)
    ]
    viewers = {viewer for viewer, _ in gallery.views}
    member = {p.id: gallery.pools.audience is Audience.ALL or p.id in viewers for p in people}
    states = {
        (person.id, piece.id): _state(person, piece, gallery, hall)
        for person in people
        for piece in pieces
        if not hall.owned or piece.owner == person.id
    }
    counted = {pair: state for pair, state in states.items() if member[pair[0]]}
    legacy = [pair for pair, state in counted.items() if state == "legacy_untracked"]
    created = {piece.id: hall.kept(piece.created) for piece in pieces}
    born = [moment for _, piece in legacy if (moment := created[piece]) is not None]
    until = gallery.verified_until
    return Reckoning(
        counts=_counts(counted.values()),
        appeared=sum(until is not None and moment <= micros(until) for moment in born),
        legacy_artworks=len({piece for _, piece in legacy}),
        oldest_legacy=_seconds(min(born)) if born else None,
        audience=sum(member.values()),
        users=len(people),
        affected=len({person for person, _ in legacy}),
        by_user={
            hall.key(p.id): (
                member[p.id],
                _counts(state for (person, _), state in states.items() if person == p.id),
            )
            for p in people
        },
        states={
            (hall.key(person), hall.key(piece)): state for (person, piece), state in states.items()
        },
    )


def _state(person: Person, piece: Piece, gallery: Gallery, hall: Hall) -> str:
    if (person.id, piece.id) in gallery.views:
        return "tracked"
    created = hall.kept(piece.created)
    assert created is not None
    pools = gallery.pools
    age = micros(gallery.now) - created
    if age < pools.fresh_for // MICROSECOND:
        return "fresh"
    if age < pools.legacy_after // MICROSECOND:
        return "storage"
    before = pools.legacy_created_before
    if before is not None and not created < micros(before):
        return "storage"
    came = hall.kept(person.created) if hall.aged else None
    if came is not None and created < came:
        return "storage"
    return "legacy_untracked"


def _counts(states: Iterable[str]) -> Counts:
    tally = Counter(states)
    return tally["tracked"], tally["fresh"], tally["storage"], tally["legacy_untracked"]


def _seconds(moment: int) -> float:
    if abs(moment) == INFINITY:
        return float("inf") if moment > 0 else float("-inf")
    return moment / 1_000_000
