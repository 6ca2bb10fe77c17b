"""What the impressions' columns promise: never null, always an artwork and a user that exist."""

from __future__ import annotations

from collections.abc import Iterator

from checks.doctor.case import TABLES, Case, Comparison, comparisons, has_pair
from checks.doctor.findings import Finding, advice
from checks.doctor.naming import columns, find_orphans, quoted, table
from checks.relations import ForeignKey, Kind, Relation

_PARTITIONED_NOT_VALID = 180000  # the first server that adds a NOT VALID key there


def pair_is_not_null(case: Case) -> Iterator[Finding]:
    """A null in the pair belongs to nobody, and the unique index lets any number of them in."""
    impressions = has_pair(case.facts)
    if impressions is None or impressions.kind not in TABLES:
        return
    for name in (case.spec.impressions.user, case.spec.impressions.artwork):
        if impressions.columns[name].not_null:
            continue
        yield advice(
            "pair_nullable",
            f"{impressions.configured}.{name}",
            problem="The column may be null.",
            consequence="Counting takes a dearer form that leaves such rows out.",
            remedy=_set_not_null(impressions, name),
        )


def impressions_have_keys(case: Case) -> Iterator[Finding]:
    """Validated foreign keys prove that every impression counts, which makes counting cheap."""
    impressions = case.facts.impressions
    for comparison in comparisons(case.facts):
        target, name, id_ = comparison.right, comparison.left_column, comparison.right_column
        if comparison.left is not impressions or comparison.subject in case.evidence.comparisons:
            continue
        if not _may_have_key(comparison.left, target, id_):
            continue
        if comparison.left.foreign_key_to(target, name, id_) is not None:
            continue
        key = _unproven_key(comparison.left, target, name, id_)
        yield advice(
            "foreign_key_missing" if key is None else "foreign_key_not_valid",
            f"{comparison.left.configured}.{name}",
            problem=_problem(key, target),
            consequence=(
                f"There may be impressions whose {target.configured} row is gone; counting takes a "
                "dearer form that leaves them out."
            ),
            remedy=_prove(comparison, key, case.facts.server_version),
        )


def _may_have_key(impressions: Relation, target: Relation, id_: str) -> bool:
    return (
        impressions.kind in TABLES
        and not impressions.inherited_by
        and target.kind in TABLES
        and target.unique_on(id_) is not None
    )


def _unproven_key(
    impressions: Relation, target: Relation, name: str, id_: str
) -> ForeignKey | None:
    for key in impressions.foreign_keys:
        if (key.target_oid, key.columns, key.target_columns) == (target.oid, (name,), (id_,)):
            return key
    return None


def _problem(key: ForeignKey | None, target: Relation) -> str:
    if key is None:
        return f"No foreign key to {target.schema}.{target.name}."
    if not key.enforced:
        return f"Foreign key {key.name} is switched off: not enforced, or its triggers disabled."
    return f"Foreign key {key.name} was never validated against the rows that are there."


def _prove(comparison: Comparison, key: ForeignKey | None, server_version: int) -> str:
    impressions, target = comparison.left, comparison.right
    name, id_ = comparison.left_column, comparison.right_column
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
