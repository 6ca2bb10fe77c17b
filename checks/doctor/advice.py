"""What may stay as it is: cost, growth, and a setting worth knowing."""

from __future__ import annotations

from collections.abc import Iterator

from checks.doctor.case import TABLES, Case, found, has_pair
from checks.doctor.evidence import Growth
from checks.doctor.findings import Finding, advice
from checks.doctor.naming import create_index, table
from checks.relations import Index, Kind, Relation
from checks.spec import Audience

_USER_CREATED = frozenset(
    {"createdat", "created", "createdon", "creationdate", "dateadded", "datejoined", "joinedat"}
    | {"insertedat", "registeredat", "signedupat", "signupat"}
)
_MIB = 1024 * 1024


def indexes_serve_the_counts(case: Case) -> Iterator[Finding]:
    """One user's impressions, one artwork's, and both columns without visiting the table."""
    impressions = has_pair(case.facts)
    if impressions is None or impressions.kind not in TABLES:
        return
    user, artwork = case.spec.impressions.user, case.spec.impressions.artwork
    usable = [index for index in impressions.indexes if _plannable(index)]
    if not any({user, artwork} <= {*index.columns, *index.included} for index in usable):
        yield _unindexed(
            impressions,
            "covering_index_missing",
            (user, artwork),
            problem=f"No index holds both {user} and {artwork}.",
            consequence="Every count reads the whole table instead of an index alone.",
            note="  -- the unique index on both does it too",
        )
    elif not any(index.columns[0] == user for index in usable):
        yield _unindexed(
            impressions,
            "user_index_missing",
            (user, artwork),
            problem=f"No index begins with {user}.",
            consequence="Counting or healing one user reads far more than that user's rows.",
        )
    if not any(index.columns[0] == artwork for index in usable):
        yield _unindexed(
            impressions,
            "artwork_index_missing",
            (artwork, user),
            problem=f"No index begins with {artwork}.",
            consequence="Counting by artwork, and deleting an artwork, read all impressions.",
        )


def tables_are_analysed(case: Case) -> Iterator[Finding]:
    """Without statistics the planner guesses, and so do the plan's estimates."""
    for _, relation in found(case.facts):
        if relation.distribution is not None:
            continue  # its statistics are on the nodes
        if relation.analysed or relation.kind not in TABLES | {Kind.MATERIALIZED_VIEW}:
            continue
        yield advice(
            "never_analysed",
            relation.configured,
            problem="The table was never analysed.",
            consequence="Statements may get slow plans, and estimates of time and size are off.",
            remedy=f"ANALYZE {table(relation)};",
        )


def users_have_an_age(case: Case) -> Iterator[Finding]:
    """Artworks older than a user are truly unseen, but only a creation time can tell."""
    users = case.facts.users
    if users is None or case.spec.users.created_at is not None:
        return
    for column in users.columns.values():
        bare = "".join(character for character in column.name.lower() if character.isalnum())
        if column.category == "D" and bare in _USER_CREATED:
            yield advice(
                "user_age_unused",
                "catalog.users.created_at",
                problem=f"It is not set, though {users.configured} has a column {column.name}.",
                consequence=(
                    "An artwork older than a user counts as legacy for that user and is marked as "
                    "shown, though it can't have been."
                ),
                remedy=f"catalog.users.created_at: {column.name}",
            )
            return


def ageing_adds_rows(case: Case) -> Iterator[Finding]:
    """Every artwork that passes `legacy_after` is one more row for each user who didn't see it."""
    growth = case.evidence.growth
    if growth is None or case.pools.legacy_created_before is not None:
        return
    rows = round(_rows_a_day(case, growth))
    if rows < 1:
        return
    filter_hint = (
        ""
        if case.spec.users.where is not None
        else "catalog.users.where: <condition for users who still come>\n"
    )
    yield advice(
        "growth",
        case.spec.impressions.table,
        problem=(
            f"Ageing alone adds up to {rows:,} impressions a day"
            f"{_size(case.facts.impressions, rows)}: {growth.recent_artworks:,} artworks in the "
            f"last {growth.days} days, {_audience(case, growth):,} users."
        ),
        consequence="Healing writes them for as long as artworks are made, for dormant users too.",
        remedy=(
            f"{filter_hint}-- a cutoff in the app's own query (created_at > now() - interval "
            f"'{_days(case)} days') stops the recycling without writing a row"
        ),
    )


def _unindexed(
    impressions: Relation,
    code: str,
    names: tuple[str, str],
    *,
    problem: str,
    consequence: str,
    note: str = "",
) -> Finding:
    return advice(
        code,
        impressions.configured,
        problem=problem,
        consequence=consequence,
        remedy=create_index(impressions, *names) + note,
    )


def _plannable(index: Index) -> bool:
    return index.valid and not index.partial and index.method == "btree"


def _rows_a_day(case: Case, growth: Growth) -> float:
    artworks = growth.recent_artworks / growth.days
    if case.spec.artworks.owner is not None:
        return artworks
    return artworks * _audience(case, growth)


def _audience(case: Case, growth: Growth) -> int:
    if case.pools.audience is Audience.ALL or growth.tracked_users is None:
        return growth.users
    return min(growth.users, growth.tracked_users)


def _size(impressions: Relation | None, rows: int) -> str:
    if impressions is None or impressions.estimated_rows == 0:
        return ""
    mebibytes = rows * impressions.total_bytes / impressions.estimated_rows / _MIB
    return f" ({mebibytes:,.1f} MiB)" if mebibytes >= 1 else ""


def _days(case: Case) -> int:
    return max(1, case.pools.legacy_after.days)
