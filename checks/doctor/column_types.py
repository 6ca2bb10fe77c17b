"""Types: moments must be moments, keys must sort and compare."""

from __future__ import annotations

from collections.abc import Iterator

from checks.doctor.case import Case, Comparison, comparisons, found, moments
from checks.doctor.findings import EVERYTHING, Finding, error, warning
from checks.doctor.naming import quoted, table
from checks.relations import Column, Relation

DATE = "date"
MOMENTS = frozenset({DATE, "timestamp without time zone", "timestamp with time zone"})
_STRINGS = frozenset({"text", "character varying"})


def moments_are_moments(case: Case) -> Iterator[Finding]:
    """Creation and viewing times as text or epoch numbers can't be compared with a clock."""
    for relation, setting, column in moments(case.facts):
        if column.cast in MOMENTS:
            continue
        yield error(
            "not_a_moment",
            f"{relation.configured}.{column.name}",
            problem=(
                f"{setting} names a column of type {column.type}; expected date, timestamp or "
                "timestamptz."
            ),
            consequence="Ages can't be computed, so nothing can be counted or healed.",
            remedy=_to_moment(relation, column) + f"{setting}: <a column that holds a moment>",
        )


def keys_are_orderable(case: Case) -> Iterator[Finding]:
    """Batches and counts walk the ids in order."""
    spec = case.spec
    keys = {
        "artworks": (spec.artworks.id,),
        "users": (spec.users.id,),
        "impressions": (spec.impressions.user, spec.impressions.artwork),
    }
    for place, relation in found(case.facts):
        for name in keys[place.role]:
            column = relation.columns.get(name)
            if column is None or column.orderable:
                continue
            yield error(
                "key_not_orderable",
                f"{relation.configured}.{name}",
                problem=f"Its type, {column.type}, has no order (no btree operator class).",
                consequence="Ids can't be grouped or walked in batches.",
                remedy=(
                    f"ALTER TABLE {table(relation)} ALTER COLUMN {quoted(name)} TYPE text "
                    f"USING {quoted(name)}::text;"
                ),
            )


def keys_are_comparable(case: Case) -> Iterator[Finding]:
    """text = uuid has no operator; integer = bigint has one, but is rarely meant."""
    for comparison in comparisons(case.facts):
        refusal = case.evidence.comparisons.get(comparison.subject)
        if refusal is not None:
            yield _incomparable(comparison, refusal.message)
        elif _differ(comparison):
            yield _differing(comparison)


def _incomparable(comparison: Comparison, message: str) -> Finding:
    return error(
        "keys_not_comparable",
        comparison.subject,
        problem=f"PostgreSQL can't compare {_types(comparison)}: {message}.",
        consequence="Impressions can't be matched with it, so nothing can be counted or healed.",
        remedy=_retype(comparison),
        blocks=EVERYTHING,
    )


def _differing(comparison: Comparison) -> Finding:
    return warning(
        "key_types_differ",
        comparison.subject,
        problem=f"The types differ, though they can be compared: {_types(comparison)}.",
        consequence=(
            "An id may not fit into the other column, which makes a backfill fail; and the "
            "comparison may not be able to use an index."
        ),
        remedy=_retype(comparison),
    )


def _differ(comparison: Comparison) -> bool:
    left = comparison.left.columns[comparison.left_column]
    right = comparison.right.columns[comparison.right_column]
    if left.cast != right.cast:
        return not {left.cast, right.cast} <= _STRINGS or _limited(left.type)
    return _limited(left.type) and left.type != right.type


def _limited(type_name: str) -> bool:
    """A length that the other column may exceed."""
    return "(" in type_name


def _types(comparison: Comparison) -> str:
    left = comparison.left.columns[comparison.left_column]
    right = comparison.right.columns[comparison.right_column]
    return (
        f"{comparison.left.configured}.{left.name} is {left.type}, "
        f"{comparison.right.configured}.{right.name} is {right.type}"
    )


def _retype(comparison: Comparison) -> str:
    left, right = comparison.left_column, comparison.right.columns[comparison.right_column]
    return (
        f"ALTER TABLE {table(comparison.left)} ALTER COLUMN {quoted(left)} TYPE {right.type} "
        f"USING {quoted(left)}::{right.type};"
    )


def _to_moment(relation: Relation, column: Column) -> str:
    """A guess at what the column holds: numbers are seconds since 1970, strings are readable."""
    moment = {
        "N": f"to_timestamp({quoted(column.name)})",
        "S": f"{quoted(column.name)}::timestamptz",
    }
    if column.category not in moment:
        return ""
    return (
        f"ALTER TABLE {table(relation)} ALTER COLUMN {quoted(column.name)} TYPE timestamptz "
        f"USING {moment[column.category]};  -- or "
    )
