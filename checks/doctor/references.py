"""Keys: they sort, they compare, they are never null, and what they name exists."""

from __future__ import annotations

from collections.abc import Iterator

from checks.doctor.ddl import change_type, columns, find_orphans, quoted, table
from checks.doctor.findings import Finding, advice, error, warning
from checks.doctor.input import (
    TABLES,
    DoctorInput,
    KeyComparison,
    about,
    impressions_table,
    key_comparisons,
)
from checks.relations import Column, ForeignKey, Kind, Relation

_DOCUMENTS = frozenset({"jsonb", "tsvector", "tsquery"})
_MADE_OF_PARTS = frozenset("ACR")
"""pg_type.typcategory: arrays, rows, ranges."""
_STRINGS = frozenset({"text", "character varying"})
_PARTITIONED_NOT_VALID = 180000  # the first server that adds a NOT VALID key there


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
                    f"-- catalog.{role.key}.{setting}: a column whose type is a number, uuid or"
                    " text. Where there is none, these tables can't be counted or healed."
                ),
            )


def _is_id(column: Column) -> bool:
    return column.orderable and not (column.cast in _DOCUMENTS or column.category in _MADE_OF_PARTS)


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
                consequence=(
                    "Impressions can't be matched with it, so nothing can be counted or healed."
                ),
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
                consequence=(
                    "Impressions can't be matched with it, so nothing can be counted or healed."
                ),
                remedy=_retype(comparison),
            )
        elif _differ(comparison):
            yield warning(
                "key_types_differ",
                comparison.subject,
                problem=f"The types differ, though they can be compared: {_types(comparison)}.",
                consequence=(
                    "An id may not fit into the other column, which makes a backfill fail; and "
                    "the comparison may not be able to use an index."
                ),
                remedy=_retype(comparison),
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
            remedy=_set_not_null(impressions, name),
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
        yield advice(
            "foreign_key_missing" if key is None else "foreign_key_not_valid",
            f"{comparison.left.configured}.{name}",
            problem=_problem(key, target),
            consequence=(
                f"There may be impressions whose {target.configured} row is gone; counting takes a "
                "dearer form that leaves them out."
            ),
            remedy=_prove(comparison, key, given.facts.server_version),
        )


def _may_have_key(impressions: Relation, target: Relation, id_: str) -> bool:
    return (
        impressions.kind in TABLES
        and not impressions.inherited_by
        and target.kind in TABLES
        and target.unique_on(id_) is not None
    )


def _problem(key: ForeignKey | None, target: Relation) -> str:
    if key is None:
        return f"No foreign key to {target.schema}.{target.name}."
    if not key.enforced:
        return f"Foreign key {key.name} is switched off: not enforced, or its triggers disabled."
    return f"Foreign key {key.name} was never validated against the rows that are there."


def _prove(comparison: KeyComparison, key: ForeignKey | None, server_version: int) -> str:
    impressions, target = comparison.left, comparison.right
    name, id_ = comparison.left_column.name, comparison.right_column.name
    orphans = f"-- orphans, to be deleted first: {find_orphans(impressions, name, target, id_)}"
    alter = f"ALTER TABLE {table(impressions)}"
    if key is not None and key.enforced:
        return f"{orphans}\n{alter} VALIDATE CONSTRAINT {quoted(key.name)};"
    drop = "" if key is None else f"{alter} DROP CONSTRAINT {quoted(key.name)};\n"
    constraint = f"{impressions.name}_{name}_fkey" if key is None else key.name
    references = (
        f"ADD CONSTRAINT {quoted(constraint)} FOREIGN KEY {columns(name)} "
        f"REFERENCES {table(target)} {columns(id_)} ON DELETE CASCADE"
    )
    if impressions.kind is Kind.PARTITIONED and server_version < _PARTITIONED_NOT_VALID:
        return f"{orphans}\n{drop}{alter} {references};"
    return (
        f"{orphans}\n{drop}{alter} {references} NOT VALID;\n"
        f"{alter} VALIDATE CONSTRAINT {quoted(constraint)};"
    )


def _set_not_null(relation: Relation, name: str) -> str:
    """By way of a CHECK, so that no lock is held while the rows are read."""
    alter = f"ALTER TABLE {table(relation)}"
    check = quoted(f"{relation.name}_{name}_not_null")
    return (
        f"{alter} ADD CONSTRAINT {check} CHECK ({quoted(name)} IS NOT NULL) NOT VALID;\n"
        f"{alter} VALIDATE CONSTRAINT {check};\n"
        f"{alter} ALTER COLUMN {quoted(name)} SET NOT NULL;\n"
        f"{alter} DROP CONSTRAINT {check};"
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


def _limited(type_name: str) -> bool:
    """A length that the other column may exceed."""
    return "(" in type_name


def _types(comparison: KeyComparison) -> str:
    left, right = comparison.left_column, comparison.right_column
    return (
        f"{comparison.left.configured}.{left.name} is {left.type}, "
        f"{comparison.right.configured}.{right.name} is {right.type}"
    )


def _retype(comparison: KeyComparison) -> str:
    left, right = comparison.left_column, comparison.right_column
    return change_type(comparison.left, left.name, right.type, f"{quoted(left.name)}::{right.type}")
