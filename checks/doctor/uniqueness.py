"""One row an id, one impression a pair, and no unique index in the way of many impressions."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from checks.doctor.ddl import (
    columns,
    create_index,
    drop_index,
    find_duplicates,
    find_nulls,
    index_of,
    listed,
    table,
)
from checks.doctor.findings import Finding, error, healing_error, warning
from checks.doctor.input import (
    TABLES,
    Answer,
    DoctorInput,
    Rows,
    about,
    impressions_table,
    impressions_with_pair,
)
from checks.doctor.row_suspicions import is_part_of_key
from checks.relations import Index, Kind, Relation

_pair_error = partial(
    healing_error,
    consequence=(
        "Without it ON CONFLICT can't be used: a backfill would fail, or write a second impression "
        "for pairs that the app records at the same moment."
    ),
)
_FLAWS = {
    "pair_index_invalid": "is not valid: its creation failed, or a partition lacks its part",
    "pair_index_deferrable": "belongs to a deferrable constraint, which ON CONFLICT refuses",
    "pair_index_partial": "has a WHERE clause, so it says nothing about the other rows",
    "pair_index_expression": "is on an expression and not on the columns themselves",
    "pair_index_wider": "has more columns, so a pair may be there several times",
}


@about(impressions_table)
def pair_is_unique(given: DoctorInput, impressions: Relation) -> Iterator[Finding]:
    """ON CONFLICT (user, artwork) needs a unique index: valid, immediate, whole, on plain columns.

    A deferrable one is an error even beside a good one: PostgreSQL infers both as arbiters, and
    refuses.
    """
    user, artwork = given.spec.impressions.user, given.spec.impressions.artwork
    if impressions.inherited_by:
        yield _pair_error(
            "pair_index_inherited",
            impressions.configured,
            problem=(
                f"Other tables inherit from it ({', '.join(impressions.inherited_by)}), and a "
                "unique index does not reach across them."
            ),
            remedy=(
                f"ALTER TABLE <child> NO INHERIT {table(impressions)}; "
                "-- or make it a partitioned table"
            ),
        )
        return
    proven = impressions.unique_on(user, artwork) is not None
    duplicates = _duplicates_now(given, impressions)
    suspects = [
        (index, code)
        for index in impressions.indexes
        if (code := _flaw(index, frozenset((user, artwork)))) is not None
    ]
    for index, code in suspects:
        if proven and code != "pair_index_deferrable":
            continue
        yield _pair_error(
            code,
            index_of(impressions, index.name),
            problem=f"Unique index {index.name} on {listed(index)} {_FLAWS[code]}.{duplicates}",
            remedy=_mend(given, impressions, index, code, proven=proven),
        )
    if not proven and not suspects:
        yield _pair_error(
            "pair_index_missing",
            impressions.configured,
            problem=f"There is no unique index on {columns(user, artwork)}.{duplicates}",
            remedy=_create(given, impressions),
        )


def _flaw(index: Index, pair: frozenset[str]) -> str | None:
    """Why an index that looks like the wanted one is not it; None when it doesn't look so."""
    named = frozenset(index.columns)
    if not index.unique:
        return None
    if named == pair and len(index.columns) == len(pair):
        if not index.valid:
            return "pair_index_invalid"
        if not index.immediate:
            return "pair_index_deferrable"
        return "pair_index_partial" if index.partial else None
    if None in named and named - {None} < pair:
        return "pair_index_expression" if len(index.columns) == len(pair) else None
    return "pair_index_wider" if pair < named else None


def _mend(
    given: DoctorInput, impressions: Relation, index: Index, code: str, *, proven: bool
) -> str:
    spec = given.spec.impressions
    create = _create(given, impressions)
    if code == "pair_index_deferrable":
        drop = drop_index(impressions, index)
        return drop if proven else f"{create}\n{drop}"
    if code != "pair_index_invalid":
        return create
    if impressions.kind is Kind.PARTITIONED:
        return (
            f"-- for each partition P without it: CREATE UNIQUE INDEX CONCURRENTLY P_index ON P "
            f"{columns(spec.user, spec.artwork)}; ALTER INDEX "
            f"{index_of(impressions, index.name)} ATTACH PARTITION P_index;"
        )
    return f"REINDEX INDEX CONCURRENTLY {index_of(impressions, index.name)};"


def _create(given: DoctorInput, impressions: Relation) -> str:
    spec = given.spec.impressions
    create = create_index(impressions, spec.user, spec.artwork, unique=True)
    outside = [
        name or "an expression"
        for name in impressions.partition_key
        if name not in (spec.user, spec.artwork)
    ]
    if not outside:
        return create
    return (
        f"-- {table(impressions)} is partitioned by {', '.join(outside)}, and PostgreSQL wants the "
        f"partition key in every unique index: partition it by {spec.user} or {spec.artwork} "
        f"first.\n{create}"
    )


def _duplicates_now(given: DoctorInput, impressions: Relation) -> str:
    spec = given.spec.impressions
    find = find_duplicates(impressions, spec.user, spec.artwork)
    match given.evidence.duplicate_pairs:
        case Answer.YES:
            return f" Some pairs are there several times now, and must go first: {find}"
        case Answer.UNKNOWN:
            return f" Whether pairs are there several times could not be told in time: {find}"
        case Answer.NO:
            return ""


def ids_are_unique(given: DoctorInput) -> Iterator[Finding]:
    """An id that is there twice is counted twice; one that is null can't be healed."""
    for role, relation in given.facts.found:
        name = role.ids[0]
        if role.key == "impressions" or name not in relation.columns:
            continue
        if is_part_of_key(given, role, relation):
            continue
        rows, subject = given.evidence.ids.get(role.key, Rows()), f"{relation.configured}.{name}"
        if rows.duplicates is Answer.YES:
            yield error(
                "ids_not_unique",
                subject,
                problem="Some ids are there several times.",
                consequence="Pairs would be counted several times.",
                remedy=f"-- find them, and mend them:\n{find_duplicates(relation, name)}",
            )
        elif rows.nulls is Answer.YES:
            yield error(
                "ids_null",
                subject,
                problem="Some rows have no id.",
                consequence="Their pairs would be counted, and could never be healed.",
                remedy=f"-- find them, and mend them:\n{find_nulls(relation, name)}",
            )
        elif relation.unique_on(name) is None:
            yield warning(
                "ids_not_provably_unique",
                subject,
                problem=(
                    f"No unique index on this {relation.kind.value} proves its ids unique. "
                    + _DUPLICATE_IDS[rows.duplicates]
                ),
                consequence="Should an id come twice, its pairs are counted twice.",
                remedy=(
                    create_index(relation, name, unique=True)
                    if relation.kind in TABLES and not relation.inherited_by
                    else "-- nothing, if the rows beneath are unique"
                ),
            )


_DUPLICATE_IDS = {
    Answer.NO: "There are no duplicates now.",
    Answer.UNKNOWN: "Whether there are duplicates now could not be told in time.",
}


@about(impressions_with_pair)
def other_uniqueness(given: DoctorInput, impressions: Relation) -> Iterator[Finding]:
    """A unique index that a second impression of the same user, artwork or moment violates."""
    spec = given.spec.impressions
    pair, written = {spec.user, spec.artwork}, {spec.user, spec.artwork, spec.viewed_at}
    for index in impressions.indexes:
        named = set(index.columns)
        if not index.unique or not named <= written or pair <= named:
            continue
        make = warning if index.partial else healing_error
        yield make(
            "other_unique_index",
            index_of(impressions, index.name),
            problem=f"It allows one impression only for each {listed(index)}.",
            consequence=(
                "A backfill writes many impressions of one user, one artwork and one moment, and "
                "would fail on it: ON CONFLICT names the pair, not this index."
            ),
            remedy=drop_index(impressions, index),
        )
