"""One impression a pair: the unique index that ON CONFLICT needs, and what passes for it."""

from __future__ import annotations

from collections.abc import Iterator

from checks.doctor.case import TABLES, Case, has_pair
from checks.doctor.evidence import Answer
from checks.doctor.findings import Finding, healing_error
from checks.doctor.naming import (
    columns,
    create_index,
    drop_index,
    find_duplicates,
    index_of,
    listed,
    table,
)
from checks.relations import Index, Kind, Relation

_CONSEQUENCE = (
    "Without it ON CONFLICT can't be used: a backfill would fail, or write a second impression "
    "for pairs that the app records at the same moment."
)


def pair_is_unique(case: Case) -> Iterator[Finding]:
    """ON CONFLICT (user, artwork) needs a unique index: valid, immediate, whole, on plain columns.

    A deferrable one is an error even beside a good one: PostgreSQL infers both as arbiters, and
    refuses.
    """
    impressions = has_pair(case.facts)
    if impressions is None or impressions.kind not in TABLES:
        return
    user, artwork = case.spec.impressions.user, case.spec.impressions.artwork
    proven = impressions.unique_on(user, artwork) is not None
    if impressions.inherited_by:
        yield _inherited(impressions)
        return
    suspects = [
        (index, code)
        for index in impressions.indexes
        if (code := _flaw(index, frozenset((user, artwork)))) is not None
    ]
    for index, code in suspects:
        if not proven or code == "pair_index_deferrable":
            yield _flawed(case, impressions, index, code, proven=proven)
    if not proven and not suspects:
        yield _missing(case, impressions)


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


_FLAWS = {
    "pair_index_invalid": "is not valid: its creation failed, or a partition lacks its part",
    "pair_index_deferrable": "belongs to a deferrable constraint, which ON CONFLICT refuses",
    "pair_index_partial": "has a WHERE clause, so it says nothing about the other rows",
    "pair_index_expression": "is on an expression and not on the columns themselves",
    "pair_index_wider": "has more columns, so a pair may be there several times",
}


def _flawed(case: Case, impressions: Relation, index: Index, code: str, *, proven: bool) -> Finding:
    return healing_error(
        code,
        index_of(impressions, index.name),
        problem=f"Unique index {index.name} on {listed(index)} {_FLAWS[code]}."
        + _duplicates_now(case, impressions),
        consequence=_CONSEQUENCE,
        remedy=_mend(case, impressions, index, code, proven=proven),
    )


def _mend(case: Case, impressions: Relation, index: Index, code: str, *, proven: bool) -> str:
    spec = case.spec.impressions
    create = _create(case, impressions)
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


def _missing(case: Case, impressions: Relation) -> Finding:
    spec = case.spec.impressions
    return healing_error(
        "pair_index_missing",
        impressions.configured,
        problem=f"There is no unique index on {columns(spec.user, spec.artwork)}."
        + _duplicates_now(case, impressions),
        consequence=_CONSEQUENCE,
        remedy=_create(case, impressions),
    )


def _create(case: Case, impressions: Relation) -> str:
    spec = case.spec.impressions
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


def _duplicates_now(case: Case, impressions: Relation) -> str:
    spec = case.spec.impressions
    find = find_duplicates(impressions, spec.user, spec.artwork)
    match case.evidence.duplicate_pairs:
        case Answer.YES:
            return f" Some pairs are there several times now, and must go first: {find}"
        case Answer.UNKNOWN:
            return f" Whether pairs are there several times could not be told in time: {find}"
        case Answer.NO:
            return ""


def _inherited(impressions: Relation) -> Finding:
    return healing_error(
        "pair_index_inherited",
        impressions.configured,
        problem=(
            f"Other tables inherit from it ({', '.join(impressions.inherited_by)}), and a unique "
            "index does not reach across them."
        ),
        consequence=_CONSEQUENCE,
        remedy=(
            f"ALTER TABLE <child> NO INHERIT {table(impressions)}; "
            "-- or make it a partitioned table"
        ),
    )
