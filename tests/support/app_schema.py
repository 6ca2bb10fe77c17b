"""The ways in which apps keep their tables, each with the census forms that are exact there.

A schema says how to make its tables, how to fill them, and, by hand and in plain SQL, who is
counted; nothing of this is built from `checks`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import Enum
from zoneinfo import ZoneInfo

from checks.census import CensusForm
from checks.spec import CatalogueSpec

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
INFINITY = 10**20
"""PostgreSQL's `infinity` among microseconds since 1970; its negative is `-infinity`."""


class Stored(Enum):
    """How a moment is kept."""

    ZONED = "timestamp with time zone"
    WALL = "timestamp without time zone"
    DATE = "date"


@dataclass(frozen=True)
class AppSchema:
    """One kind of gallery.

    `fill_*` insert from `given`, whose columns are text: people (id, created, note, team, wing),
    pieces (id, created, owner, note, team, wing), views (person, piece, viewed), listings (person,
    piece, since, note). The rows that count are `people` (id, created_at), `pieces` (id,
    created_at, owner_id), `views` (user_id, artwork_id), `listings` (user_id, artwork_id, since),
    every id as text and every moment as timestamptz.
    """

    name: str
    spec: CatalogueSpec
    tables: str
    fill_people: str
    fill_pieces: str
    fill_views: str
    people: str
    pieces: str
    views: str
    forms: tuple[CensusForm, ...]
    """The exact ones while legacy_created_before is not set, cheapest first."""
    key: Callable[[int], str] = str
    stored: Stored = Stored.ZONED
    strict: bool = True
    """The tables refuse impressions that repeat, or that lack a user or an artwork."""
    strangers: bool = False
    """Impressions by users that are not there are possible."""
    orphans: bool = False
    """Impressions of artworks that are not there are possible."""
    orphans_shown: bool = True
    """Users and artworks are tables: what is not there is gone."""
    nullable: bool = True
    """An artwork may lack its creation time."""
    aged: bool = False
    """Users have a creation time that decides."""
    owned: bool = False
    agreeing: str = "TRUE"
    """By hand and in plain SQL, in which columns `people` m and `pieces` a agree."""
    shared: tuple[str, ...] = ()
    """The same columns: `team`, `wing`."""
    fill_listings: str = ""
    """Empty where nothing lists the pairs."""
    listings: str = (
        "SELECT NULL::text AS user_id, NULL::text AS artwork_id, NULL::timestamptz AS since"
        " WHERE FALSE"
    )
    listed_once: bool = False
    """The list refuses to name a pair twice, or NULL."""
    listed_since: bool = False
    """The moment of each listing decides, too."""
    people_filtered: bool = False
    pieces_filtered: bool = False

    @property
    def listed(self) -> bool:
        """Something lists the pairs."""
        return bool(self.fill_listings)

    def text(self, moment: int | None) -> str | None:
        """`moment`, in microseconds since 1970, as it is inserted."""
        if moment is None:
            return None
        if abs(moment) == INFINITY:
            return "infinity" if moment > 0 else "-infinity"
        instant = EPOCH + moment * MICROSECOND
        if self.stored is Stored.ZONED:
            return instant.isoformat()
        wall = instant.astimezone(ZoneInfo(self.spec.timezone)).replace(tzinfo=None)
        return wall.isoformat() if self.stored is Stored.WALL else wall.date().isoformat()

    def kept(self, moment: int | None) -> int | None:
        """What is left of `moment` once it was stored and read again in the catalogue's zone."""
        if moment is None or self.stored is Stored.ZONED or abs(moment) == INFINITY:
            return moment
        zone = ZoneInfo(self.spec.timezone)
        wall = (EPOCH + moment * MICROSECOND).astimezone(zone)
        if self.stored is Stored.DATE:
            wall = datetime.combine(wall.date(), time(), zone)
        # An hour that the clock repeats or leaves out is read in standard time.
        offsets = [wall.replace(fold=fold).utcoffset() for fold in (0, 1)]
        standard = min(offset for offset in offsets if offset is not None)
        return (wall.replace(tzinfo=UTC) - standard - EPOCH) // MICROSECOND
