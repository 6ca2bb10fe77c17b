"""Keys: they sort, they compare, they are never null, and what they name exists."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from checks.citus.keys import may_refer, may_validate
from checks.doctor.ddl import find_orphans, quoted, table
from checks.doctor.findings import Finding, advice, error, warning
from checks.doctor.input import (
    Answer,
    DoctorInput,
    KeyComparison,
    about,
    impressions_table,
    key_comparisons,
)
from checks.relations import TABLES, Column, ForeignKey, Relation

_DOCUMENTS = frozenset({"jsonb", "tsvector", "tsquery"})
_MADE_OF_PARTS = frozenset("ACR")
"""pg_type.typcategory: arrays, rows, ranges."""
_STRINGS = frozenset({"text", "character varying"})
_MAY_BE_GONE = (
    "There may be impressions whose {} row is gone; counting takes a dearer form that leaves them "
    "out."
)


def keys_are_ids(given: DoctorInput) -> Iterator[Finding]:
    """Batches and counts walk the ids in order, and people and programs name them as text."""
    for role, relation in given.facts.found:
        for setting, name in role.columns.items():
            column = relation.columns.get(name or "")
            if column is None or name not in role.ids or _is_id(column):
                continue
            yield error(
                "key_not_orderable" if not column.orderable else "key_not_an_id",
                f"{relation.configured}.{name}",
                problem=(
                    f"Its type, {column.type}, has no order (no btree operator class)."
                    if not column.orderable
                    else f"Its type, {column.type}, is no id but a value made of parts."
                ),
                consequence=(
                    "Such ids can't be walked in batches, or be named by whoever asks for one."
                ),
                remedy=(
                    f"Let catalog.{role.key}.table name a view of {relation.schema}."
                    f"{relation.name} that has {quoted(name)}::text as {name}; or let "
                    f"catalog.{role.key}.{setting} name a column whose type is a number, uuid or "
                    "text."
                ),
            )


def _is_id(column: Column) -> bool:
    return column.orderable and not (column.cast in _DOCUMENTS or column.category in _MADE_OF_PARTS)


_NO_MATCH = "Rows can't be matched by it, so nothing can be counted or healed."


def keys_are_comparable(given: DoctorInput) -> Iterator[Finding]:
    """text = uuid has no operator; integer = bigint has one, but is rarely meant."""
    for comparison in key_comparisons(given.facts):
        refusal = given.evidence.comparisons.get(comparison.subject)
        if refusal is None and _collations_conflict(comparison):
            yield error(
                "key_collations_differ",
                comparison.subject,
                problem=(
                    "PostgreSQL compares by neither of two collations: "
                    f"{comparison.left_column.collation} and {comparison.right_column.collation}."
                ),
                consequence=_NO_MATCH,
                remedy=(
                    "-- both columns need the same collation; a view of the "
                    f"{comparison.right.kind.value} with another COLLATE will do for counting"
                ),
            )
        elif refusal is not None:
            yield error(
                "keys_not_comparable",
                comparison.subject,
                problem=f"PostgreSQL can't compare {_types(comparison)}: {refusal.message}.",
                consequence=_NO_MATCH,
                remedy=_cast(comparison),
            )
        elif _differ(comparison) and _is_written(given, comparison):
            yield warning(
                "key_types_differ",
                comparison.subject,
                problem=f"The types differ, though they can be compared: {_types(comparison)}.",
                consequence=(
                    "An id may not fit into the other column, which makes a backfill fail; and "
                    "the comparison may not be able to use an index."
                ),
                remedy="Nothing need be done while every id fits.",
            )


@about(impressions_table)
def pair_is_not_null(given: DoctorInput, impressions: Relation) -> Iterator[Finding]:
    """A null in the pair belongs to nobody, and the unique index lets any number of them in."""
    for name in (given.spec.impressions.user, given.spec.impressions.artwork):
        if impressions.columns[name].not_null:
            continue
        yield advice(
            "pair_nullable",
            f"{impressions.configured}.{name}",
            problem="The column may be null.",
            consequence="Counting takes a dearer form that leaves such rows out.",
            remedy=(
                "Nothing need be done: NOT NULL would refuse every row that the application "
                "writes without one."
            ),
        )


def impressions_have_keys(given: DoctorInput) -> Iterator[Finding]:
    """Validated foreign keys prove that every impression counts, which makes counting cheap."""
    impressions = given.facts.impressions
    for comparison in key_comparisons(given.facts):
        target = comparison.right
        name, id_ = comparison.left_column.name, comparison.right_column.name
        if comparison.left is not impressions or comparison.subject in given.evidence.comparisons:
            continue
        if not _may_have_key(comparison.left, target, id_):
            continue
        if comparison.left.foreign_key_to(target, name, id_) is not None:
            continue
        key = next(iter(comparison.left.foreign_keys_to(target, name, id_)), None)
        elsewhere = _leading_elsewhere(comparison)
        if key is not None:
            yield _not_valid(comparison, key, given.evidence.orphans.get(comparison.subject))
        elif elsewhere is not None:
            yield _elsewhere(comparison, elsewhere)
        elif may_refer(comparison.left, target, id_):
            yield _missing(comparison)


def _may_have_key(impressions: Relation, target: Relation, id_: str) -> bool:
    return (
        impressions.kind in TABLES
        and not impressions.inherited_by
        and target.kind in TABLES
        and target.unique_on(id_) is not None
    )


def _leading_elsewhere(comparison: KeyComparison) -> ForeignKey | None:
    """A validated foreign key of the column to another table."""
    name = comparison.left_column.name
    keys = (key for key in comparison.left.foreign_keys if key.columns == (name,))
    return next((key for key in keys if key.validated), None)


def _elsewhere(comparison: KeyComparison, key: ForeignKey) -> Finding:
    target = comparison.right
    return advice(
        "foreign_key_elsewhere",
        f"{comparison.left.configured}.{comparison.left_column.name}",
        problem=f"Foreign key {key.name} leads to {key.target}, and not to {target.configured}.",
        consequence=(
            f"Impressions of {key.target} that are not in {target.configured} are no orphans; they "
            "are left out, by a dearer form of counting."
        ),
        remedy=(
            f"Nothing need be done where {target.configured} holds all that count. Otherwise name "
            f"{key.target} instead, and leave out by `where` what does not count."
        ),
    )


def _missing(comparison: KeyComparison) -> Finding:
    target = comparison.right
    return advice(
        "foreign_key_missing",
        f"{comparison.left.configured}.{comparison.left_column.name}",
        problem=f"No foreign key to {target.schema}.{target.name}.",
        consequence=_MAY_BE_GONE.format(target.configured),
        remedy=(
            "Nothing need be done. A foreign key would make counting cheaper; the application's "
            f"owner decides, for it refuses impressions whose {target.configured} row is not "
            "there, and interferes when one that has impressions is deleted."
        ),
    )


def _not_valid(comparison: KeyComparison, key: ForeignKey, orphans: Answer | None) -> Finding:
    """To validate a key only reads: it is enforced for whatever the application writes already."""
    target, name = comparison.right, comparison.left_column.name
    about_key = partial(
        advice,
        "foreign_key_not_valid",
        f"{comparison.left.configured}.{name}",
        consequence=_MAY_BE_GONE.format(target.configured),
    )
    if not key.enforced:
        return about_key(
            problem=f"Foreign key {key.name} is switched off, or its triggers are.",
            remedy="Nothing need be done. Whether it is to be enforced, the owner decides.",
        )
    problem = f"Foreign key {key.name} was never validated against the rows that are there."
    if not may_validate(comparison.left, comparison.left_column, target):
        return about_key(
            problem=problem,
            remedy=(
                "Nothing need be done. Citus validates no key over varchar ids between tables in "
                "shards; dropped, and added again without NOT VALID, it would be."
            ),
        )
    if orphans is Answer.NO:
        alter = f"ALTER TABLE {table(comparison.left)} VALIDATE CONSTRAINT {quoted(key.name)};"
        return about_key(problem=problem, statements=alter)
    found = "Some lead nowhere" if orphans is Answer.YES else "Whether some lead nowhere is unknown"
    orphans_of = find_orphans(comparison.left, name, target, comparison.right_column.name)
    return about_key(
        problem=f"{problem} {found}.",
        remedy=f"Nothing need be done. To list them: {orphans_of}",
    )


def _collations_conflict(comparison: KeyComparison) -> bool:
    """The database's own gives way to any other; of two others neither does."""
    named = {comparison.left_column.collation, comparison.right_column.collation} - {None}
    return len(named) > 1


def _differ(comparison: KeyComparison) -> bool:
    left, right = comparison.left_column, comparison.right_column
    if left.cast != right.cast:
        return not {left.cast, right.cast} <= _STRINGS or _limited(left.type)
    return _limited(left.type) and left.type != right.type


def _is_written(given: DoctorInput, comparison: KeyComparison) -> bool:
    """Ids of the one are put into the other, or belong to the same rows as such ids."""
    return comparison.left in (given.facts.impressions, given.facts.artworks)


def _limited(type_name: str) -> bool:
    """A length that the other column may exceed."""
    return "(" in type_name


def _types(comparison: KeyComparison) -> str:
    left, right = comparison.left_column, comparison.right_column
    return (
        f"{comparison.left.configured}.{left.name} is {left.type}, "
        f"{comparison.right.configured}.{right.name} is {right.type}"
    )


def _cast(comparison: KeyComparison) -> str:
    """As text, in a view: what the application writes stays as it is."""
    left, right = comparison.left, comparison.right
    texts = comparison.left_column.category == "S", comparison.right_column.category == "S"
    if not any(texts):
        return "Name the columns that hold the same ids."
    odd, column = (right, comparison.right_column) if texts[0] else (left, comparison.left_column)
    return (
        f"Name a view of {odd.schema}.{odd.name} that has {quoted(column.name)}::text as "
        f"{column.name}. A view of the impressions can be counted, and not healed."
    )
