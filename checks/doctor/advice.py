"""What may stay as it is: cost, growth, and a setting worth knowing."""

from __future__ import annotations

from collections.abc import Iterator

from checks.doctor.access import bare_name
from checks.doctor.ddl import create_index, table
from checks.doctor.findings import Finding, advice
from checks.doctor.input import DoctorInput, Growth, about, impressions_table
from checks.doctor.time_zones import MOMENTS
from checks.relations import TABLES, Column, Kind, Relation
from checks.spec import Audience

_USER_CREATED = frozenset(
    {"createdat", "created", "createdon", "creationdate", "dateadded", "datejoined", "joinedat"}
    | {"insertedat", "registeredat", "signedupat", "signupat", "joined"}
)
_MIB = 1024 * 1024


@about(impressions_table)
def indexes_serve_the_counts(given: DoctorInput, impressions: Relation) -> Iterator[Finding]:
    """One user's impressions, one artwork's, and both columns without visiting the table."""
    user, artwork = given.spec.impressions.user, given.spec.impressions.artwork
    if not all(impressions.columns[name].orderable for name in (user, artwork)):
        return
    usable = [index for index in impressions.indexes if index.serves_every_row]
    if not any({user, artwork} <= {*index.columns, *index.included} for index in usable):
        yield advice(
            "covering_index_missing",
            impressions.configured,
            problem=f"No index holds both {user} and {artwork}.",
            consequence="Every count reads the whole table instead of an index alone.",
            remedy="A unique index on both does it too.",
            statements=create_index(impressions, user, artwork),
        )
    elif not any(index.columns[0] == user for index in usable):
        yield advice(
            "user_index_missing",
            impressions.configured,
            problem=f"No index begins with {user}.",
            consequence="Counting or healing one user reads far more than that user's rows.",
            statements=create_index(impressions, user, artwork),
        )
    if not any(index.columns[0] == artwork for index in usable):
        yield advice(
            "artwork_index_missing",
            impressions.configured,
            problem=f"No index begins with {artwork}.",
            consequence="Counting by artwork, and deleting an artwork, read all impressions.",
            statements=create_index(impressions, artwork, user),
        )


def pairs_are_indexed(given: DoctorInput) -> Iterator[Finding]:
    """One user's pairs, where a table lists them."""
    through, spec = given.facts.through, given.spec.pairs.through
    if through is None or spec is None or through.kind not in TABLES:
        return
    if not {spec.user, spec.artwork} <= through.columns.keys():
        return
    if through.index_leading_with(spec.user) is None:
        yield advice(
            "through_index_missing",
            through.configured,
            problem=f"No index begins with {spec.user}.",
            consequence="Counting or healing one user reads the pairs of all.",
            statements=create_index(through, spec.user, spec.artwork),
        )


def tables_are_analysed(given: DoctorInput) -> Iterator[Finding]:
    """Without statistics the planner guesses, and so do the plan's estimates."""
    for _, relation in given.facts.found:
        if relation.distribution is not None:
            continue  # its statistics are on the nodes
        if relation.kind not in TABLES | {Kind.MATERIALIZED_VIEW}:
            continue
        was_empty = relation.estimated_rows == 0 and relation.row_bytes >= _MIB
        if relation.analysed and not was_empty:
            continue
        mebibytes = f"{relation.row_bytes / _MIB:.0f} MiB"
        yield advice(
            "never_analysed",
            relation.configured,
            problem=(
                f"ANALYZE has last seen the table empty, and it has {mebibytes} of rows by now."
                if relation.analysed
                else "The table was never analysed."
            ),
            consequence="Statements may get slow plans, and estimates of time and size are off.",
            statements=f"ANALYZE {table(relation)};",
        )


def users_have_an_age(given: DoctorInput) -> Iterator[Finding]:
    """Artworks older than a user are truly unseen, but only a creation time can tell."""
    users = given.facts.users
    if users is None or given.spec.users.created_at is not None:
        return
    views = given.evidence.pairs.older_views
    if views is not None and views.many:
        return  # the app shows artworks that are older than the user
    for column in creation_columns(users)[:1]:
        yield advice(
            "user_age_unused",
            "catalog.users.created_at",
            problem=f"It is not set, though {users.configured} has a column {column.name}.",
            consequence=(
                "An artwork older than a user counts as legacy for that user and is marked as "
                "shown, though it can't have been."
            ),
            settings={"catalog.users.created_at": column.name},
        )


def creation_columns(users: Relation) -> tuple[Column, ...]:
    """The columns whose names say that they tell when a user came."""
    return tuple(
        column
        for column in users.columns.values()
        if column.cast in MOMENTS and bare_name(column.name) in _USER_CREATED
    )


def ageing_adds_rows(given: DoctorInput) -> Iterator[Finding]:
    """Every artwork that passes `legacy_after` is one more row for each user who didn't see it."""
    growth = given.evidence.growth
    if growth is None or given.pools.legacy_created_before is not None:
        return
    rows, days = round(_rows_a_day(given, growth)), max(1, given.pools.legacy_after.days)
    if rows < 1:
        return
    filtered = given.spec.users.where is not None
    filter_hint = "" if filtered else "Let catalog.users.where admit users who still come only. "
    yield advice(
        "growth",
        given.spec.impressions.table,
        problem=(
            f"Ageing alone adds up to {rows:,} impressions a day"
            f"{_size(given.facts.impressions, rows)}: {growth.recent_artworks:,} artworks in the "
            f"last {growth.days} days, {_audience(given, growth):,} users."
        ),
        consequence="Healing writes them for as long as artworks are made, for dormant users too.",
        remedy=(
            f"{filter_hint}A cutoff in the app's own query (created_at > now() - interval "
            f"'{days} days') stops the recycling without writing a row."
        ),
    )


def _rows_a_day(given: DoctorInput, growth: Growth) -> float:
    artworks = growth.recent_artworks / growth.days
    if given.spec.artworks.owner is not None:
        return artworks
    return artworks * _audience(given, growth)


def _audience(given: DoctorInput, growth: Growth) -> int:
    if given.pools.audience is Audience.ALL or growth.tracked_users is None:
        return growth.users
    return min(growth.users, growth.tracked_users)


def _size(impressions: Relation | None, rows: int) -> str:
    if impressions is None or impressions.estimated_rows == 0:
        return ""
    mebibytes = rows * impressions.total_bytes / impressions.estimated_rows / _MIB
    return f" ({mebibytes:,.1f} MiB)" if mebibytes >= 1 else ""
