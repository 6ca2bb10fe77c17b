"""One row an id, and no unique index in the way of many impressions."""

from __future__ import annotations

from collections.abc import Iterator

from checks.doctor.case import TABLES, Case, found, has_pair
from checks.doctor.evidence import Answer, Rows
from checks.doctor.findings import Finding, error, healing_error, warning
from checks.doctor.naming import (
    create_index,
    drop_index,
    find_duplicates,
    find_nulls,
    index_of,
    listed,
)
from checks.relations import Relation


def ids_are_unique(case: Case) -> Iterator[Finding]:
    """An id that is there twice is counted twice; one that is null can't be healed."""
    keys = {"artworks": case.spec.artworks.id, "users": case.spec.users.id}
    for place, relation in found(case.facts):
        name = keys.get(place.role)
        if name is None or name not in relation.columns:
            continue
        rows = case.evidence.ids.get(place.role, Rows())
        if Answer.YES in (rows.duplicates, rows.nulls):
            yield _bad_ids(relation, name, rows)
        elif relation.unique_on(name) is None:
            yield _unproven_ids(relation, name, rows)


def other_uniqueness(case: Case) -> Iterator[Finding]:
    """A unique index that a second impression of the same user, artwork or moment violates."""
    impressions = has_pair(case.facts)
    if impressions is None:
        return
    spec = case.spec.impressions
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


def _bad_ids(relation: Relation, name: str, rows: Rows) -> Finding:
    several = rows.duplicates is Answer.YES
    find = find_duplicates(relation, name) if several else find_nulls(relation, name)
    return error(
        "ids_not_unique" if several else "ids_null",
        f"{relation.configured}.{name}",
        problem="Some ids are there several times." if several else "Some rows have no id.",
        consequence=(
            "Pairs would be counted several times."
            if several
            else "Their pairs would be counted, and could never be healed."
        ),
        remedy=f"-- find them, and mend them:\n{find}",
    )


def _unproven_ids(relation: Relation, name: str, rows: Rows) -> Finding:
    seen = (
        "There are no duplicates now."
        if rows.duplicates is Answer.NO
        else "Whether there are duplicates now could not be told in time."
    )
    return warning(
        "ids_not_provably_unique",
        f"{relation.configured}.{name}",
        problem=f"No unique index on this {relation.kind.value} proves its ids unique. {seen}",
        consequence="Should an id come twice, its pairs are counted twice.",
        remedy=(
            create_index(relation, name, unique=True)
            if relation.kind in TABLES and not relation.inherited_by
            else "-- nothing, if the rows beneath are unique"
        ),
    )
