"""What a heal run or an undo would do, counted in one read-only snapshot, for people before they
agree; and what stands in the way of an undo."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from checks.affected import AffectedUsers, count_affected_users
from checks.census import PACKAGE as CHECKS
from checks.census import Census, parameters, take_census
from checks.doctor.ddl import quoted, table
from checks.fragments import MomentColumn, fragments, viewed_column
from checks.relations import Catalogue
from checks.spec import Cutoffs
from checks.statements import Fragments, render
from checks.supply import exhausted_sql, pool_parameters
from monitor.database import set_local
from monitor.healing.quarantine import count_left_alone
from monitor.healing.statements import HealingStatements

BARE_ROW_BYTES = 200
"""Assumed growth a row where the impressions are empty or were never analysed."""
NO_TRACE = (
    "If your app does not move viewed_at when an artwork is viewed again, views since then leave no"
    " trace and undo removes them too."
)


@dataclass(frozen=True, slots=True)
class HealPreview:
    """The numbers behind a plan. Rows are impressions, bytes include the indexes."""

    census: Census
    users: AffectedUsers
    rows: int
    left_alone: int
    """Legacy pairs whose row is there and does not count, and nothing brings it to count."""
    growth_bytes: int
    exhausted_users: int
    """Affected users that will have fewer unseen artworks than `minimum`."""
    minimum: int
    young_users: int | None
    """Users younger than artworks concerned; None where the users have no creation time."""
    young_users_excluded: bool
    """catalog.users.created_at is set: such pairs count as storage and are left alone."""


@dataclass(frozen=True, slots=True)
class UndoPreview:
    """What has become of the impressions that a run's ledger lists, in rows."""

    listed: int
    users: int
    untouched: int
    """Still as the run wrote them: these are taken back."""
    touched: int
    """Viewed again since: these stay."""
    gone: int
    """Deleted by the app, or with their artwork or user."""


@dataclass(frozen=True, slots=True)
class Preflight:
    """What stands in the way of an undo, and who hears of it."""

    refusal: str | None
    """Why nothing can be taken back, with what mends it."""
    triggers: tuple[str, ...]
    """Triggers of the app that fire on each delete, or batch of deletes."""


async def preview_heal(
    connection: AsyncConnection,
    statements: HealingStatements,
    cutoffs: Cutoffs,
    *,
    max_rows: int,
    minimum: int,
    verified_until: datetime | None,
) -> HealPreview:
    """Count what a run over the audience would write, and for whom it is the end of the pool.
    Needs no table of ours."""
    catalogue, pools = statements.state.catalogue, statements.state.pools
    census = await take_census(
        connection,
        catalogue,
        pools,
        cutoffs,
        verified_until=verified_until,
    )
    users = await count_affected_users(connection, catalogue, pools, cutoffs, census)
    names = fragments(catalogue, pools)
    left_alone = 0
    if census.legacy_untracked:
        left_alone = await count_left_alone(connection, statements, cutoffs)
    rows = min(census.legacy_untracked - left_alone, max_rows)
    exhausted = 0
    if rows:
        result = await connection.exec_driver_sql(
            exhausted_sql(catalogue, pools),
            {**parameters(cutoffs), **pool_parameters(cutoffs, minimum)},
        )
        exhausted = int(result.scalar_one())
    return HealPreview(
        census=census,
        users=users,
        rows=rows,
        left_alone=left_alone,
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


async def _young_users(
    connection: AsyncConnection, catalogue: Catalogue, names: Fragments, census: Census
) -> int | None:
    column = catalogue.joined or catalogue.users.columns.get("created_at")
    if column is None or column.category != "D":
        return None
    if census.oldest_legacy_created is None:
        return 0
    created = {**names, "user_created": MomentColumn(column, catalogue.spec.timezone).moment()}
    result = await connection.exec_driver_sql(
        render(CHECKS, "plan_young_users", created), {"oldest_legacy": census.oldest_legacy_created}
    )
    return int(result.scalar_one())


async def preview_undo(
    connection: AsyncConnection, statements: HealingStatements, run_id: int
) -> UndoPreview:
    """Compare a run's ledger with the impressions; all zero for a run without one.

    Where an index tells each pair it is asked row by row, in the ledger's order, as the undo itself
    does: a join of all writes both tables to disk, and sorts what comes out.
    """
    catalogue = statements.state.catalogue
    # The settings are for this statement alone: a census may follow.
    async with connection.begin_nested() as savepoint:
        if catalogue.arbiter is not None and catalogue.cluster is None:
            # Nor is the ledger sorted that lies in the order of its key.
            others = ("enable_hashjoin", "enable_mergejoin", "enable_sort")
            await set_local(connection, **dict.fromkeys(others, "off"))
        row = (await statements.run(connection, "undo_survey", {"undoes": run_id})).one()
        await savepoint.rollback()
    return UndoPreview(**row._mapping)


async def preflight(connection: AsyncConnection, statements: HealingStatements) -> Preflight:
    """Ask the catalogue as it is now: a grant given a moment ago counts."""
    catalogue = statements.state.catalogue
    impressions = catalogue.impressions
    values = {"named": impressions.oid, "impressions": impressions.beneath.oid}
    row = (await statements.run(connection, "undo_preflight", values)).one()
    refusal = (
        _not_unique(catalogue)
        or (None if row.may_delete else _no_grant(catalogue))
        or (_cascade(row.cascades) if row.cascades else None)
    )
    return Preflight(refusal, tuple(row.triggers))


def trace_warning(catalogue: Catalogue, preview: UndoPreview) -> str | None:
    """A warning unless the counts prove that the app leaves a trace of viewing again.

    A date does not show that an artwork was viewed again on the same day.
    """
    column = viewed_column(catalogue).column
    proven = preview.touched > 0 and column.type != "date"
    return None if proven or preview.untouched == 0 else NO_TRACE


def _not_unique(catalogue: Catalogue) -> str | None:
    spec, impressions = catalogue.spec.impressions, catalogue.impressions
    if not catalogue.is_plain or catalogue.arbiter is not None:
        return None
    return (
        f"{impressions.configured} has no unique index on ({spec.user}, {spec.artwork}) any more,"
        " and without it each row would be looked for in the whole table: `conservator doctor`"
        " prints the statement that creates it."
    )


def _no_grant(catalogue: Catalogue) -> str:
    name, role = table(catalogue.impressions), catalogue.role
    return (
        f"Role {role} may not delete impressions, so nothing can be taken back:"
        f" GRANT DELETE ON {name} TO {quoted(role)};"
    )


def _cascade(constraints: list[str]) -> str:
    return (
        f"With each impression, foreign keys would delete or change other rows of the app too:"
        f" {', '.join(constraints)}. Undo takes back impressions and nothing else: make them ON"
        " DELETE NO ACTION, and impressions that are referred to will be left where they are."
    )
