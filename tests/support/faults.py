"""An intact gallery, and the faults that are planted in it one at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from checks.judgement import Outcome
from checks.spec import PoolsSpec
from tests.support.galleries import NOBODY, SHOWN, Gallery, Person, Piece, micros
from tests.support.halls import MICROSECOND, Hall

NOW = datetime(2025, 6, 15, 12, tzinfo=UTC)
HOUR = timedelta(hours=1) // MICROSECOND
DAY = 24 * HOUR
OLD = 12
"""The number of the one legacy artwork, which everybody has seen."""
SEEN = (0, 1, 2)


def intact(hall: Hall) -> Gallery:
    """Three users, four young artworks for each, one of these seen; and an old one."""
    ages = [HOUR + number * 8 * HOUR for number in range(OLD)]
    pieces = [
        Piece(number, micros(NOW) - age, number % 3 if hall.owned else None)
        for number, age in enumerate(ages)
    ]
    pieces.append(Piece(OLD, micros(NOW) - 30 * DAY, 0 if hall.owned else None))
    people = tuple(Person(number, micros(NOW) - 60 * DAY if hall.aged else None) for number in SEEN)
    own = [(number, number) for number in SEEN]
    return Gallery(
        now=NOW,
        pools=PoolsSpec(),
        people=people,
        pieces=tuple(pieces),
        views=(*own, *((number, OLD) for number in SEEN)),
    )


@dataclass(frozen=True)
class Fault:
    """A fault, which check finds it, and what it then shows.

    `hangs` plants it in the rows, or `viewed` in the moments of the impression of user 0; `number`
    is of the measurement, and None for its value.
    """

    name: str
    check: str
    outcome: Outcome
    possible: Callable[[Hall], bool] = lambda hall: True
    hangs: Callable[[Gallery, Hall], Gallery] = lambda gallery, hall: gallery
    viewed: int | None = None
    number: str | None = None
    evidence: Callable[[Hall], dict[str, str]] = lambda hall: {}


def more_views(*views: tuple[int | None, int | None]) -> Callable[[Gallery, Hall], Gallery]:
    """Adds impressions."""
    return lambda gallery, hall: replace(gallery, views=(*gallery.views, *views))


def another_piece(created: int | None) -> Callable[[Gallery, Hall], Gallery]:
    """Adds an artwork that belongs to nobody."""
    return lambda gallery, hall: replace(
        gallery, pieces=(*gallery.pieces, Piece(13, created, None, SHOWN))
    )


def seen_all(gallery: Gallery, hall: Hall) -> Gallery:
    """Lets user 0 see everything."""
    unseen = [(0, piece.id) for piece in gallery.pieces if (0, piece.id) not in gallery.views]
    return replace(gallery, views=(*gallery.views, *unseen))


def two_days_later(gallery: Gallery, hall: Hall) -> Gallery:
    """Makes every artwork two days older."""
    aged = [
        replace(piece, created=piece.created - 2 * DAY)
        for piece in gallery.pieces
        if piece.created is not None
    ]
    return replace(gallery, pieces=tuple(aged))


def another_person(gallery: Gallery, hall: Hall) -> Gallery:
    """Adds a user who has come an hour ago and seen one artwork that belongs to him, if any do."""
    person = Person(3, micros(NOW) - HOUR if hall.aged else None)
    pieces = [
        Piece(13 - number, micros(NOW) - HOUR, 3 if hall.owned else None) for number in range(3)
    ]
    kept = tuple(piece for piece in gallery.pieces if piece.id < 11)
    views = [view for view in gallery.views if view[1] is not None and view[1] < 11]
    return replace(
        gallery,
        people=(*gallery.people, person),
        pieces=(*kept, *pieces),
        views=(*views, (3, 13)),
    )


FAULTS = (
    Fault(
        "an impression twice",
        "duplicate_impressions",
        Outcome.FAIL,
        possible=lambda hall: not hall.strict,
        hangs=more_views((0, 0)),
        evidence=lambda hall: {"user_id": hall.key(0), "artwork_id": hall.key(0)},
    ),
    Fault(
        "an impression by nobody known",
        "orphan_impressions",
        Outcome.FAIL,
        possible=lambda hall: hall.strangers,
        hangs=more_views((NOBODY[0], 0)),
        number="impressions_without_user",
        evidence=lambda hall: {"user_id": hall.key(NOBODY[0])},
    ),
    Fault(
        "an impression of nothing known",
        "orphan_impressions",
        Outcome.FAIL,
        possible=lambda hall: hall.orphans,
        hangs=more_views((0, NOBODY[0])),
        number="impressions_without_artwork",
        evidence=lambda hall: {"artwork_id": hall.key(NOBODY[0])},
    ),
    Fault(
        "an impression of nobody and nothing",
        "orphan_impressions",
        Outcome.FAIL,
        possible=lambda hall: not hall.strict,
        hangs=more_views((None, None)),
        evidence=lambda hall: {"user_id": "(null)"},
    ),
    Fault(
        "an artwork without creation time",
        "timestamps",
        Outcome.FAIL,
        possible=lambda hall: hall.nullable,
        hangs=another_piece(None),
        number="artworks_without_time",
        evidence=lambda hall: {"kind": "artworks_without_time", "artwork_id": hall.key(13)},
    ),
    Fault(
        "an artwork of the day after tomorrow",
        "timestamps",
        Outcome.FAIL,
        hangs=another_piece(micros(NOW) + 2 * DAY),
        number="artworks_in_future",
        evidence=lambda hall: {"kind": "artworks_in_future", "artwork_id": hall.key(13)},
    ),
    Fault(
        "a view of tomorrow",
        "timestamps",
        Outcome.FAIL,
        viewed=micros(NOW) + DAY,
        number="impressions_in_future",
        evidence=lambda hall: {
            "kind": "impressions_in_future",
            "user_id": hall.key(0),
            "artwork_id": hall.key(0),
            "viewed_at": "2025-06-16T12:00:00.000000+00:00",
        },
    ),
    Fault(
        "a view before the artwork",
        "timestamps",
        Outcome.FAIL,
        viewed=micros(NOW) - 2 * DAY,
        number="impressions_before_artwork",
        evidence=lambda hall: {
            "kind": "impressions_before_artwork",
            "artwork_id": hall.key(0),
            "viewed_at": "2025-06-13T12:00:00.000000+00:00",
        },
    ),
    Fault(
        "a user who has seen everything",
        "pool_exhaustion",
        Outcome.WARN,
        hangs=seen_all,
        evidence=lambda hall: {"user_id": hall.key(0)},
    ),
    Fault("no new artworks since two days", "artwork_supply", Outcome.WARN, hangs=two_days_later),
    Fault("one user too many", "own", Outcome.FAIL, hangs=another_person),
)
