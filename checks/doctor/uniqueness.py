"""One row an id, one impression a pair, and no unique index in the way of many impressions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from checks.doctor.ddl import (
    columns,
    create_index,
    find_duplicates,
    find_nulls,
    index_of,
    listed,
    quoted,
)
from checks.doctor.findings import Finding, Mending, error, healing_error, in_yaml, warning
from checks.doctor.input import (
    WITH_IDS,
    Answer,
    DoctorInput,
    Rows,
    about,
    impressions_table,
    impressions_with_pair,
)
from checks.doctor.row_suspicions import is_part_of_key
from checks.made_rows import mentions
from checks.relations import Index, Kind, Relation
from checks.spec import TableRole

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
_SEVERAL: Mapping[str, bool] = {"catalog.impressions.several": True}
"""Proposed where what is there says that the application may write several rows of a pair."""
_DEFERRABLE = (
    "Whether it may be checked at once, the application's owner decides: the application may "
    "rely on pairs that are there twice until COMMIT."
)


@about(impressions_table)
def pair_is_unique(given: DoctorInput, impressions: Relation) -> Iterator[Finding]:
    """ON CONFLICT needs a unique index of every row that counts: valid, immediate, on plain
    columns, of which those beside the pair are the same in every such row.

    A deferrable one is an error even beside a good one: PostgreSQL infers both as arbiters, and
    refuses. Nothing is asked for where several rows a pair are normal.
    """
    user, artwork = given.spec.impressions.user, given.spec.impressions.artwork
    proven = given.facts.arbiter is not None
    if given.spec.impressions.several and not proven:
        return
    if impressions.inherited_by:
        yield _pair_error(
            "pair_index_inherited",
            impressions.configured,
            problem=(
                f"Other tables inherit from it ({', '.join(impressions.inherited_by)}), and a "
                "unique index does not reach across them."
            ),
            remedy="It can be counted. Healing needs a table that nothing inherits from.",
        )
        return
    suspects = [
        (index, code)
        for index in impressions.indexes
        if (code := _flaw(index, frozenset((user, artwork)))) is not None
    ]
    meanings = [_meaning(given, index, code) for index, code in suspects]
    meant = next((one for one in meanings if one is not None), None)
    for (index, code), own in zip(suspects, meanings, strict=True):
        if proven and code != "pair_index_deferrable":
            continue
        unfinished = index if code == "pair_index_invalid" else None
        yield _pair_error(
            code,
            index_of(impressions, index.name),
            problem=f"Unique index {index.name} on {listed(index)} {_FLAWS[code]}.",
            **_mending(given, impressions, own or meant, unfinished),
        )
    if not proven and not suspects:
        yield _pair_error(
            "pair_index_missing",
            impressions.configured,
            problem=f"There is no unique index on {columns(user, artwork)}.",
            **_mending(given, impressions),
        )


@about(impressions_table)
def views_hide_no_pair(given: DoctorInput, impressions: Relation) -> Iterator[Finding]:
    """A row that a view leaves out may have the pair's place in the unique index."""
    arbiter, base = given.facts.arbiter, impressions.base
    if arbiter is None or base is None:
        return
    index = next((one for one in impressions.indexes if one.name == arbiter.index), None)
    apart = (*arbiter.columns, *(() if index is None else index.predicate_columns))
    others = base.filtering - {*impressions.beneath_columns(*apart)}
    if not others:
        return
    told = ", ".join(sorted(name or "a computed column" for name in others))
    name = f"{base.relation.schema}.{base.relation.name}"
    yield healing_error(
        "view_hides_pairs",
        impressions.configured,
        problem=(
            f"It leaves out rows of {name} by {told}, and unique index {arbiter.index} holds those "
            "as well."
        ),
        consequence=(
            "A pair whose row is left out is counted as missing, and can't be written a second "
            "time: it would be tried for ever."
        ),
        remedy=(
            f"It can be counted. To heal, name {name} itself: say by catalog.impressions.counts "
            "what the view says by its WHERE, and by catalog.impressions.set what makes such a row "
            "count."
        ),
    )


@about(impressions_table)
def filters_hide_no_pair(given: DoctorInput, impressions: Relation) -> Iterator[Finding]:
    """A row that `where` does not admit may have the pair's place in the unique index."""
    arbiter, where = given.facts.arbiter, given.spec.impressions.where
    if arbiter is None or where is None:
        return
    index = next((one for one in impressions.indexes if one.name == arbiter.index), None)
    apart = {*arbiter.columns, *(() if index is None else index.predicate_columns)}
    told = [name for name in impressions.columns if name not in apart and mentions(where, name)]
    if not told:
        return
    yield healing_error(
        "where_hides_pairs",
        "catalog.impressions.where",
        problem=(
            f"It leaves out rows of {impressions.configured} by {', '.join(told)}, and unique index"
            f" {arbiter.index} holds those as well."
        ),
        consequence=(
            "A pair whose row is left out is counted as missing, and can't be written a second "
            "time: it would be tried for ever."
        ),
        remedy=(
            "It can be counted. To heal, say in catalog.impressions.counts what says only whether "
            "a row counts, and in catalog.impressions.set what brings it to count."
        ),
    )


def _flaw(index: Index, pair: frozenset[str]) -> str | None:
    """Why an index that looks like the wanted one is not it; None when it doesn't look so."""
    named = frozenset(index.columns)
    if not index.unique:
        return None
    if named == pair and len(index.columns) == len(pair):
        if not index.immediate:
            return "pair_index_deferrable"
        if index.partial:
            return "pair_index_partial"
        return None if index.valid else "pair_index_invalid"
    if None in named and named - {None} < pair:
        return "pair_index_expression" if len(index.columns) == len(pair) else None
    return "pair_index_wider" if pair < named else None


def _meaning(given: DoctorInput, index: Index, code: str) -> Mending | None:
    """What the index says of the rows that the application may write; None where it says nothing
    that speaks against another one."""
    if code == "pair_index_deferrable":
        return {"remedy": f"It can be counted. {_DEFERRABLE}"}
    if code == "pair_index_partial":
        return {"remedy": _PARTIAL.format(index.predicate or "<its WHERE>"), "settings": _SEVERAL}
    if code == "pair_index_wider":
        pair = given.spec.impressions.user, given.spec.impressions.artwork
        others = ", ".join(name or "an expression" for name in index.columns if name not in pair)
        return {"remedy": _WIDER.format(others), "settings": _SEVERAL}
    return None


_PARTIAL = (
    "It can be counted. The application may write the rows that it leaves out several times: that "
    "is normal then. If only its own rows are impressions, say so instead, by "
    "catalog.impressions.where or counts: {}."
)
_WIDER = (
    "It can be counted. The application may write several rows of a pair: that is normal then. If "
    "only rows of one {} are impressions, say so instead, by catalog.impressions.where."
)


def _mending(
    given: DoctorInput,
    impressions: Relation,
    meant: Mending | None = None,
    unfinished: Index | None = None,
) -> Mending:
    """A unique index forbids: it is proposed only where nothing that is there speaks against it.

    `meant`: what another index says of what the application may write. `unfinished`: the index is
    there, and only not valid.
    """
    spec = given.spec.impressions
    outside = [
        name or "an expression"
        for name in impressions.partition_key
        if name not in (spec.user, spec.artwork)
    ]
    if outside:
        return {
            "remedy": (
                f"PostgreSQL wants the partition key ({', '.join(outside)}) in every unique index "
                "of the table, so none can promise one row a pair."
            ),
            "settings": _SEVERAL,
        }
    if meant is not None:
        return meant
    list_them = f"To list them: {find_duplicates(impressions, spec.user, spec.artwork)}"
    answer = given.evidence.duplicate_pairs
    if answer is Answer.YES:
        return {
            "remedy": f"Some pairs are there several times now, as in a log of views. {list_them}",
            "settings": _SEVERAL,
        }
    if answer is Answer.UNKNOWN:
        return {
            "remedy": "Whether pairs are there several times could not be told in time; where they "
            f"may be, say so: {in_yaml(_SEVERAL)}. {list_them}"
        }
    if impressions.kind is Kind.VIEW:
        return {"remedy": _NO_PROMISE, "settings": _SEVERAL}
    return {"remedy": _FORBIDS, "statements": _create(given, impressions, unfinished)}


_NO_PROMISE = (
    "No pair is there twice now, but no index of the table beneath the view promises that of the "
    "rows that the view shows."
)
_FORBIDS = (
    "No pair is there twice now. The index will refuse a second row of a pair: an application that "
    "writes a row for every view would stop working: there, say catalog.impressions.several: true "
    "instead. Should its creation fail, drop what it leaves, which refuses such rows already."
)


def _create(given: DoctorInput, impressions: Relation, unfinished: Index | None) -> str:
    """A new index, or what completes the one that is not valid."""
    user, artwork = given.spec.impressions.user, given.spec.impressions.artwork
    if unfinished is None:
        return create_index(impressions, user, artwork, unique=True)
    if impressions.kind is Kind.PARTITIONED:
        return (
            "-- for each partition P without it: CREATE UNIQUE INDEX CONCURRENTLY P_index ON P "
            f"{columns(user, artwork)}; ALTER INDEX "
            f"{index_of(impressions, unfinished.name)} ATTACH PARTITION P_index;"
        )
    return f"REINDEX INDEX CONCURRENTLY {index_of(impressions, unfinished.name)};"


@about(impressions_with_pair)
def key_tells_rows_apart(given: DoctorInput, impressions: Relation) -> Iterator[Finding]:
    """Columns of `impressions.key` that several rows have in common."""
    key = given.spec.impressions.key
    if given.evidence.duplicate_keys is not Answer.YES:
        return
    yield healing_error(
        "key_not_unique",
        "catalog.impressions.key",
        problem=f"Some rows have the same {', '.join(key)}.",
        consequence="Healing and undo could change another row than the one that is meant.",
        remedy=(
            "Name columns that tell all rows apart, or none: then a row is known by its primary"
            f" key or its whole content. To list them: {find_duplicates(impressions, *key)}"
        ),
    )


def ids_are_unique(given: DoctorInput) -> Iterator[Finding]:
    """An id that is there twice is counted twice; one that is null can't be healed."""
    for role, relation in given.facts.found:
        name = role.ids[0]
        if role.key not in WITH_IDS or name not in relation.columns:
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
                remedy=(
                    f"Name a column that is unique, or leave rows out by catalog.{role.key}.where. "
                    f"To list them: {find_duplicates(relation, name)}"
                ),
            )
        elif rows.nulls is Answer.YES:
            yield error(
                "ids_null",
                subject,
                problem="Some rows have no id.",
                consequence="Their pairs would be counted, and could never be healed.",
                remedy=f"To list them: {find_nulls(relation, name)}",
                settings={f"catalog.{role.key}.where": _with_id(role, name)},
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
                    "Nothing need be done while they are: `structure` looks again. A unique index "
                    "would refuse a second row, which only the application's owner can want."
                ),
            )


def _with_id(role: TableRole, name: str) -> str:
    # The line break keeps a comment at the end of the operator's SQL from swallowing the bracket.
    admitted = "" if role.where is None else f"({role.where}\n) AND "
    return f"{admitted}{quoted(name)} IS NOT NULL"


_DUPLICATE_IDS = {
    Answer.NO: "There are no duplicates now.",
    Answer.UNKNOWN: "Whether there are duplicates now could not be told in time.",
}


@about(impressions_with_pair)
def other_uniqueness(given: DoctorInput, impressions: Relation) -> Iterator[Finding]:
    """A unique index that a second impression of the same user, artwork or moment violates."""
    spec = given.spec.impressions
    pair, written = {spec.user, spec.artwork}, set(spec.filled)
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
            remedy=(
                "It can be counted. The application may rely on the index: whether it can go, its "
                "owner decides."
            ),
        )


def ids_are_utf8(given: DoctorInput) -> Iterator[Finding]:
    """An id of other bytes can be told to nobody; a census names artworks, a run its users."""
    for role, relation in given.facts.found:
        if given.evidence.ids.get(role.key, Rows()).not_utf8 is not Answer.YES:
            continue
        named = role.key == "artworks"
        make, what = (error, "counted") if named else (healing_error, "healed")
        yield make(
            "ids_not_utf8",
            f"{relation.configured}.{role.ids[0]}",
            problem="The database's encoding is SQL_ASCII, and some ids are no UTF-8.",
            consequence=f"Such ids can't be read, and nothing can be {what} with them.",
            remedy=(
                f"Leave them out by catalog.{role.key}.where, or restore the database's dump into "
                "one whose encoding is that of the ids."
            ),
        )
