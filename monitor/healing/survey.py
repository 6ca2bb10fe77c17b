"""What a heal run would do, counted in one read-only snapshot, for people before they agree."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from checks.census import PACKAGE as CHECKS
from checks.census import (
    AffectedUsers,
    Census,
    affected_users,
    count_affected_users,
    parameters,
    take_census,
)
from checks.fragments import fragments, moment
from checks.relations import Catalogue, Column
from checks.spec import Cutoffs, PoolsSpec
from checks.statements import Fragments, render

BARE_ROW_BYTES = 200
"""Assumed growth a row where the impressions are empty or were never analysed."""


@dataclass(frozen=True, slots=True)
class Survey:
    """The numbers behind a plan. Rows are impressions, bytes include the indexes."""

    census: Census
    users: AffectedUsers
    rows: int
    growth_bytes: int
    exhausted_users: int
    """Affected users that will have fewer unseen artworks than `minimum`."""
    minimum: int
    young_users: int | None
    """Users younger than artworks concerned; None where the users have no creation time."""
    young_users_excluded: bool
    """catalog.users.created_at is set: such pairs count as storage and are left alone."""


async def survey(
    connection: AsyncConnection,
    catalogue: Catalogue,
    pools: PoolsSpec,
    cutoffs: Cutoffs,
    *,
    max_rows: int,
    minimum: int,
    verified_until: datetime | None,
) -> Survey:
    """Count what a run over the audience would write, and for whom it is the end of the pool."""
    census = await take_census(
        connection,
        catalogue,
        pools,
        cutoffs,
        verified_until=verified_until,
        expects_legacy=True,
    )
    users = await count_affected_users(connection, catalogue, pools, cutoffs, census)
    names = fragments(catalogue, pools)
    rows = min(census.legacy_untracked, max_rows)
    exhausted = 0
    if rows and catalogue.spec.artworks.owner is None:
        listed = {**names, "affected_users": affected_users(catalogue, names)}
        result = await connection.exec_driver_sql(
            render(CHECKS, "plan_exhausted", listed),
            {**parameters(cutoffs), "minimum": minimum},
        )
        exhausted = int(result.scalar_one())
    return Survey(
        census=census,
        users=users,
        rows=rows,
        growth_bytes=round(rows * row_bytes(catalogue, census.tracked)),
        exhausted_users=exhausted,
        minimum=minimum,
        young_users=await _young_users(connection, catalogue, names, census),
        young_users_excluded=catalogue.spec.users.created_at is not None,
    )


def row_bytes(catalogue: Catalogue, counted: int) -> float:
    """Bytes that one impression takes now, table and indexes together.

    On Citus the rows are those that a census has just `counted`: the coordinator has no statistics.
    """
    impressions = catalogue.impressions
    rows = impressions.estimated_rows if impressions.distribution is None else counted
    return impressions.total_bytes / rows if rows > 0 else BARE_ROW_BYTES


def _user_creation(catalogue: Catalogue) -> Column | None:
    name = catalogue.spec.users.created_at or "created_at"
    column = catalogue.users.columns.get(name)
    return column if column is not None and column.category == "D" else None


async def _young_users(
    connection: AsyncConnection, catalogue: Catalogue, names: Fragments, census: Census
) -> int | None:
    column = _user_creation(catalogue)
    if column is None:
        return None
    if census.oldest_legacy_created is None:
        return 0
    statement = render(
        CHECKS,
        "plan_young_users",
        {**names, "user_created": moment(column, catalogue.spec.timezone)},
    )
    result = await connection.exec_driver_sql(
        statement, {"oldest_legacy": census.oldest_legacy_created}
    )
    return int(result.scalar_one())
