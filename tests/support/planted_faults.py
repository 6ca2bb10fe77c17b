"""The built-in checks as one suite, an intact gallery, and faults that are planted in it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from checks import custom_sql, row_faults, supply
from checks.judgement import (
    Comparison,
    Measurement,
    Outcome,
    Threshold,
    Thresholds,
    at_least,
    judge,
)
from checks.relations import Catalogue
from checks.spec import Cutoffs, PoolsSpec
from tests.support.app_schema import MICROSECOND, AppSchema
from tests.support.galleries import NOBODY, SHOWN, Gallery, Person, Piece, micros

NOW = datetime(2025, 6, 15, 12, tzinfo=UTC)
HOUR = timedelta(hours=1) // MICROSECOND
DAY = 24 * HOUR
OLD = 12
"""The number of the one legacy artwork, which everybody has seen."""
SEEN = (0, 1, 2)


def intact(schema: AppSchema) -> Gallery:
    """Three users, four young artworks for each, one of these seen; and an old one."""
    ages = [HOUR + number * 8 * HOUR for number in range(OLD)]
    pieces = [
        Piece(number, micros(NOW) - age, number % 3 if schema.owned else None)
        for number, age in enumerate(ages)
    ]
    pieces.append(Piece(OLD, micros(NOW) - 30 * DAY, 0 if schema.owned else None))
    people = tuple(
        Person(number, micros(NOW) - 60 * DAY if schema.aged else None) for number in SEEN
    )
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

    `planted` puts it into the rows, or `viewed` into the moments of the impression of user 0;
    `number` is of the measurement, and None for its value.
    """

    name: str
    check: str
    outcome: Outcome
    possible: Callable[[AppSchema], bool] = lambda schema: True
    planted: Callable[[Gallery, AppSchema], Gallery] = lambda gallery, schema: gallery
    viewed: int | None = None
    number: str | None = None
    evidence: Callable[[AppSchema], dict[str, str]] = lambda schema: {}


def more_views(*views: tuple[int | None, int | None]) -> Callable[[Gallery, AppSchema], Gallery]:
    """Adds impressions."""
    return lambda gallery, schema: replace(gallery, views=(*gallery.views, *views))


def another_piece(created: int | None) -> Callable[[Gallery, AppSchema], Gallery]:
    """Adds an artwork that belongs to nobody."""
    return lambda gallery, schema: replace(
        gallery, pieces=(*gallery.pieces, Piece(13, created, None, SHOWN))
    )


def seen_all(gallery: Gallery, schema: AppSchema) -> Gallery:
    """Lets user 0 see everything."""
    unseen = [(0, piece.id) for piece in gallery.pieces if (0, piece.id) not in gallery.views]
    return replace(gallery, views=(*gallery.views, *unseen))


def two_days_later(gallery: Gallery, schema: AppSchema) -> Gallery:
    """Makes every artwork two days older."""
    aged = [
        replace(piece, created=piece.created - 2 * DAY)
        for piece in gallery.pieces
        if piece.created is not None
    ]
    return replace(gallery, pieces=tuple(aged))


def another_person(gallery: Gallery, schema: AppSchema) -> Gallery:
    """Adds a user who has come an hour ago and seen one artwork that belongs to him, if any do."""
    person = Person(3, micros(NOW) - HOUR if schema.aged else None)
    pieces = [
        Piece(13 - number, micros(NOW) - HOUR, 3 if schema.owned else None) for number in range(3)
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
        possible=lambda schema: not schema.strict,
        planted=more_views((0, 0)),
        evidence=lambda schema: {"user_id": schema.key(0), "artwork_id": schema.key(0)},
    ),
    Fault(
        "an impression by nobody known",
        "orphan_impressions",
        Outcome.FAIL,
        possible=lambda schema: schema.strangers and schema.orphans_shown,
        planted=more_views((NOBODY[0], 0)),
        number="impressions_without_user",
        evidence=lambda schema: {"user_id": schema.key(NOBODY[0])},
    ),
    Fault(
        "an impression of nothing known",
        "orphan_impressions",
        Outcome.FAIL,
        possible=lambda schema: schema.orphans and schema.orphans_shown,
        planted=more_views((0, NOBODY[0])),
        number="impressions_without_artwork",
        evidence=lambda schema: {"artwork_id": schema.key(NOBODY[0])},
    ),
    Fault(
        "an impression of nobody and nothing",
        "orphan_impressions",
        Outcome.FAIL,
        possible=lambda schema: not schema.strict and schema.orphans_shown,
        planted=more_views((None, None)),
        evidence=lambda schema: {"user_id": "(null)"},
    ),
    Fault(
        "an artwork without creation time",
        "timestamps",
        Outcome.FAIL,
        possible=lambda schema: schema.nullable,
        planted=another_piece(None),
        number="artworks_without_time",
        evidence=lambda schema: {"kind": "artworks_without_time", "artwork_id": schema.key(13)},
    ),
    Fault(
        "an artwork of the day after tomorrow",
        "timestamps",
        Outcome.FAIL,
        planted=another_piece(micros(NOW) + 2 * DAY),
        number="artworks_in_future",
        evidence=lambda schema: {"kind": "artworks_in_future", "artwork_id": schema.key(13)},
    ),
    Fault(
        "a view of tomorrow",
        "timestamps",
        Outcome.FAIL,
        viewed=micros(NOW) + DAY,
        number="impressions_in_future",
        evidence=lambda schema: {
            "kind": "impressions_in_future",
            "user_id": schema.key(0),
            "artwork_id": schema.key(0),
            "viewed_at": "2025-06-16T12:00:00.000000+00:00",
        },
    ),
    Fault(
        "a view before the artwork",
        "timestamps",
        Outcome.FAIL,
        viewed=micros(NOW) - 2 * DAY,
        number="impressions_before_artwork",
        evidence=lambda schema: {
            "kind": "impressions_before_artwork",
            "artwork_id": schema.key(0),
            "viewed_at": "2025-06-13T12:00:00.000000+00:00",
        },
    ),
    Fault(
        "a user who has seen everything",
        "pool_exhaustion",
        Outcome.WARN,
        planted=seen_all,
        evidence=lambda schema: {"user_id": schema.key(0)},
    ),
    Fault("no new artworks since two days", "artwork_supply", Outcome.WARN, planted=two_days_later),
    Fault("one user too many", "own", Outcome.FAIL, planted=another_person),
)


ALL = (
    "duplicate_impressions",
    "orphan_impressions",
    "timestamps",
    "pool_exhaustion",
    "artwork_supply",
    "own",
)
_ANY = Thresholds(fail=at_least(1))
_SECONDS_A_DAY = 86400.0


@dataclass(frozen=True)
class Suite:
    """All checks on one catalogue; `query` is the operator's, which fails above `limit`."""

    catalogue: Catalogue
    pools: PoolsSpec
    query: str
    limit: float = 0
    minimum: int = 2
    skipped: frozenset[str] = field(default_factory=frozenset)
    """Those whose fault the tables refuse."""

    def thresholds(self) -> Mapping[str, Thresholds]:
        """By check."""
        above = Threshold(Comparison.ABOVE, self.limit, f"> {self.limit:g}")
        return {
            "duplicate_impressions": _ANY,
            "orphan_impressions": _ANY,
            "timestamps": _ANY,
            "pool_exhaustion": Thresholds(warn=at_least(1), fail=at_least(10)),
            "artwork_supply": Thresholds(
                warn=at_least(_SECONDS_A_DAY), fail=at_least(7 * _SECONDS_A_DAY)
            ),
            "own": Thresholds(fail=above),
        }

    async def measure(
        self, connection: AsyncConnection, cutoffs: Cutoffs
    ) -> dict[str, Measurement]:
        """Each check's measurement."""
        asked = (connection, self.catalogue, self.pools, cutoffs)
        running: dict[str, Awaitable[Measurement]] = {
            "duplicate_impressions": row_faults.measure_duplicates(*asked),
            "orphan_impressions": row_faults.measure_orphans(*asked),
            "timestamps": row_faults.measure_timestamps(*asked),
            "pool_exhaustion": supply.measure_pool(*asked, minimum=self.minimum),
            "artwork_supply": supply.measure_supply(*asked),
            "own": custom_sql.measure(*asked, query=self.query),
        }
        return {name: await measured for name, measured in running.items()}

    def judge(self, measured: Mapping[str, Measurement]) -> dict[str, Outcome]:
        """Each check's outcome."""
        return {name: judge(measured[name], limits) for name, limits in self.thresholds().items()}

    def healthy(self) -> dict[str, Outcome]:
        """What is expected of tables without a fault."""
        return {name: Outcome.SKIPPED if name in self.skipped else Outcome.PASS for name in ALL}
