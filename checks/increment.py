"""The incremental census: what a full one counted, and what has changed since.

    full count, nothing legacy, marks equal and complete on both sides ──► basis
    basis + no change                                                 ──► the same impressions
    basis + rows inserted, each found by its viewed_at                ──► these added; a new basis
    anything else                                                     ──► no census: count in full

Only the clock and a few rows are left to be read, so it costs milliseconds at any size. It is exact
or it is not given: what it can't prove it says in a sentence, and a full count has to follow. It
covers the healthy gallery alone: as soon as one pair is legacy, everything is counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from psycopg import sql
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.census import Census, CensusForm, choose_form, parameters
from checks.fragments import counted_artworks, fragments, stored_moment
from checks.marks import Marks
from checks.relations import Catalogue
from checks.spec import Audience, Borders, PoolsSpec
from checks.statements import compose, render

PACKAGE = "checks"
MOST_YOUNG = 20_000
"""Artworks that are not legacy yet and are kept in memory, at most: about 3 MB."""
MOST_ADDED = 200_000
"""Rows inserted since, at most: beyond that a full count is as cheap."""


@dataclass(frozen=True, slots=True)
class Statements:
    """What an increment asks, rendered once for a catalogue."""

    artworks: str
    users: str
    added: str

    @classmethod
    def on(cls, catalogue: Catalogue, pools: PoolsSpec) -> Statements:
        """The statements for `catalogue`."""
        spec = catalogue.spec
        viewed = catalogue.impressions.columns[spec.impressions.viewed_at]
        names = fragments(catalogue, pools)
        since = stored_moment(viewed, spec.timezone, "since")
        created = catalogue.artworks.columns[spec.artworks.created_at]
        condition = sql.SQL("{} > {} - interval '1 day'").format(
            names["artwork_created"], stored_moment(created, spec.timezone, "legacy_until")
        )
        young = counted_artworks(catalogue, condition)
        return cls(
            artworks=render(PACKAGE, "change_artworks", {**names, "perhaps_young": young}),
            users=compose("SELECT count(*) FROM {counted_users} AS u", names).as_string(None),
            added=render(PACKAGE, "change_added", {**names, "since": since}),
        )


@dataclass(frozen=True, slots=True)
class Basis:
    """What a count found, and the marks that go with it. There were no legacy pairs."""

    catalogue: Catalogue
    pools: PoolsSpec
    marks: Marks
    counted_at: datetime
    """When everything was counted last."""
    at: datetime
    """The rows viewed up to here are among the impressions; the database's clock."""
    latest: datetime
    """The latest moment that was judged: a clock that goes back makes young what was forgotten."""
    impressions: int
    audience: int
    users: int
    young: Mapping[str, int] = field(repr=False)
    """Impressions of each artwork that was not legacy, by the id as text."""
    statements: Statements = field(repr=False)


@dataclass(frozen=True, slots=True)
class Increment:
    """An exact census, and the basis of the next one."""

    census: Census
    basis: Basis


def hindrance(catalogue: Catalogue, pools: PoolsSpec) -> str:
    """Why this catalogue can't be counted incrementally; empty: it can."""
    form, reason = choose_form(catalogue, pools)
    if form is not CensusForm.BY_TOTAL:
        return f"The census needs {form.value}: {reason}."
    return ""


async def read_young(
    connection: AsyncConnection, catalogue: Catalogue, pools: PoolsSpec, borders: Borders
) -> dict[str, int] | None:
    """Impressions of each artwork that is not legacy, in the snapshot of a full count; None where
    there are too many to keep."""
    result = await connection.exec_driver_sql(
        render(PACKAGE, "change_young", fragments(catalogue, pools)),
        parameters(borders) | {"at_most": MOST_YOUNG + 1},
    )
    found = {row.id: row.tracked for row in result}
    return None if len(found) > MOST_YOUNG else found


def basis_of(
    census: Census,
    young: Mapping[str, int],
    marks: Marks,
    catalogue: Catalogue,
    pools: PoolsSpec,
) -> Basis:
    """The basis that a full count makes. `marks` were the same before and after, and complete."""
    return Basis(
        catalogue,
        pools,
        marks,
        counted_at=census.as_of,
        at=census.as_of,
        latest=census.as_of,
        impressions=census.tracked,
        audience=census.audience,
        users=census.users,
        young=young,
        statements=Statements.on(catalogue, pools),
    )


async def take_increment(
    connection: AsyncConnection, basis: Basis, marks: Marks, borders: Borders
) -> Increment | str:
    """The census in the connection's snapshot, whose complete marks are `marks`; or why it takes a
    full count. How long it took, its caller knows."""
    why = _beyond(basis, marks)
    if not why and borders.now < basis.latest:
        why = "The database's clock has gone back."
    if why:
        return why
    reader = _Reader(connection, basis, borders)
    inserted = marks.impressions.inserted - basis.marks.impressions.inserted
    grown = await reader.grown(inserted) if inserted else basis
    if isinstance(grown, str):
        return grown
    if marks.users != basis.marks.users:
        grown = replace(grown, users=await reader.users())
    if basis.pools.audience is Audience.ALL:
        grown = replace(grown, audience=grown.users)
    census, young = await reader.census(grown)
    if census.legacy_untracked:
        return "There are legacy pairs."
    at = borders.now if inserted else grown.at
    return Increment(census, replace(grown, marks=marks, at=at, latest=borders.now, young=young))


def _beyond(basis: Basis, marks: Marks) -> str:
    """What has happened that only a full count can follow."""
    before, after = basis.marks, marks
    if before.server != after.server:
        return "PostgreSQL was started anew, or its counters were reset."
    tables = (
        (before.artworks, after.artworks),
        (before.users, after.users),
        (before.impressions, after.impressions),
    )
    if any(old.filenode != new.filenode for old, new in tables):
        return "A table was emptied or rewritten."
    for name, old, new in (
        ("artworks", before.artworks, after.artworks),
        ("impressions", before.impressions, after.impressions),
    ):
        if old.updated != new.updated or old.deleted != new.deleted:
            return f"Rows of the {name} were updated or deleted."
    inserted = after.impressions.inserted - before.impressions.inserted
    if inserted < 0:
        return "PostgreSQL has lost its counters."
    if inserted > MOST_ADDED:
        return f"{inserted} impressions were inserted."
    leading = basis.catalogue.impressions.index_leading_with(
        basis.catalogue.spec.impressions.viewed_at
    )
    if inserted and leading is None:
        return "Impressions were inserted, and no index leads with the time of viewing."
    return ""


class _Reader:
    """Reads what is left to be read."""

    def __init__(self, connection: AsyncConnection, basis: Basis, borders: Borders) -> None:
        self._connection = connection
        self._basis = basis
        self._borders = borders

    async def grown(self, inserted: int) -> Basis | str:
        """The basis with the rows inserted since, where each of them is found."""
        basis = self._basis
        result = await self._connection.exec_driver_sql(
            basis.statements.added, {"since": basis.at, "now": self._borders.now}
        )
        rows = result.all()
        found = sum(row.tracked for row in rows)
        if found != inserted:
            return f"{inserted} impressions were inserted, {found} were viewed since."
        if any(row.ahead for row in rows):
            return "Impressions were viewed in the future."
        young = dict(basis.young)
        for row in rows:
            young[row.id] = young.get(row.id, 0) + row.tracked
        newcomers = rows[0].newcomers if rows else 0
        return replace(
            basis,
            impressions=basis.impressions + found,
            audience=basis.audience + newcomers,
            young=young,
        )

    async def users(self) -> int:
        """All users."""
        result = await self._connection.exec_driver_sql(self._basis.statements.users)
        return int(result.scalar_one())

    async def census(self, basis: Basis) -> tuple[Census, dict[str, int]]:
        """The counts at this moment, and the impressions of what is still young."""
        result = await self._connection.exec_driver_sql(
            basis.statements.artworks, parameters(self._borders)
        )
        row = result.one()
        tracked = [basis.young.get(artwork, 0) for artwork in row.young]
        fresh = sum(row.fresh)
        fresh_tracked = sum(n for n, is_fresh in zip(tracked, row.fresh, strict=True) if is_fresh)
        storage, storage_tracked = len(tracked) - fresh, sum(tracked) - fresh_tracked
        census = Census(
            as_of=self._borders.now,
            form=CensusForm.INCREMENTAL,
            tracked=basis.impressions,
            fresh=basis.audience * fresh - fresh_tracked,
            storage=basis.audience * storage - storage_tracked,
            legacy_untracked=basis.audience * row.legacy - (basis.impressions - sum(tracked)),
            appeared=0,
            legacy_artworks=0,
            oldest_legacy_created=None,
            audience=basis.audience,
            users=basis.users,
            duration_seconds=0.0,
        )
        return census, dict(zip(row.young, tracked, strict=True))
