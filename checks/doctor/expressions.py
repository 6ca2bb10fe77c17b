"""The operator's own SQL: filters, and the expressions that fill columns without a default."""

from __future__ import annotations

from collections.abc import Iterator

from checks.doctor.case import Case, found
from checks.doctor.findings import Finding, error, healing_error
from checks.doctor.presence import similar
from checks.relations import Column, Relation

_NO_PRIVILEGE = "42501"


def filters_run(case: Case) -> Iterator[Finding]:
    """A `where` that PostgreSQL refuses; a lack of table privileges is reported as just that."""
    for place, relation in found(case.facts):
        setting = f"catalog.{place.role}.where"
        refusal = case.evidence.filters.get(setting)
        if refusal is None or (refusal.sqlstate == _NO_PRIVILEGE and not relation.can_select):
            continue
        yield error(
            "filter_refused",
            setting,
            problem=f"PostgreSQL refuses the filter {place.where!r}: {refusal.message}.",
            consequence="Nothing can be counted or healed with it.",
            remedy=(
                f"{setting}: <an SQL condition over the columns of {relation.schema}."
                f"{relation.name} alone>"
            ),
        )


def defaults_fill_columns(case: Case) -> Iterator[Finding]:
    """Each of `impressions.defaults`: a column that is there, and ours to fill, with what fits."""
    impressions = case.facts.impressions
    if impressions is None:
        return
    for name, expression in case.spec.impressions.defaults.items():
        problem = _default_problem(case, impressions, name, expression)
        if problem is not None:
            yield healing_error(
                "default_unusable",
                f"catalog.impressions.defaults.{name}",
                problem=problem,
                consequence="Every insert of a backfill would fail.",
                remedy=f"catalog.impressions.defaults: {_mended(impressions, name)}",
            )


def required_columns_are_filled(case: Case) -> Iterator[Finding]:
    """A NOT NULL column without default that neither we nor the operator fill."""
    impressions, spec = case.facts.impressions, case.spec.impressions
    if impressions is None:
        return
    filled = {spec.user, spec.artwork, spec.viewed_at, *spec.defaults}
    for column in impressions.columns.values():
        if not column.required or column.name in filled:
            continue
        yield healing_error(
            "column_without_default",
            f"{impressions.configured}.{column.name}",
            problem=f"The column ({column.type}) may not be null and has no default.",
            consequence="Every insert of a backfill would fail.",
            remedy=f"catalog.impressions.defaults: {{{column.name}: {_guess(column)}}}",
        )


def written_columns_are_writable(case: Case) -> Iterator[Finding]:
    """A generated column among those that an impression is made of."""
    impressions, spec = case.facts.impressions, case.spec.impressions
    if impressions is None:
        return
    for name in dict.fromkeys((spec.user, spec.artwork, spec.viewed_at)):
        column = impressions.columns.get(name)
        if column is not None and column.generated:
            yield healing_error(
                "column_generated",
                f"{impressions.configured}.{name}",
                problem="The column is GENERATED ALWAYS.",
                consequence="Every insert of a backfill would fail.",
                remedy=f"-- name the column that the application itself writes, instead of {name}",
            )


def _default_problem(case: Case, impressions: Relation, name: str, expression: str) -> str | None:
    spec = case.spec.impressions
    column = impressions.columns.get(name)
    if column is None:
        alike = similar(name, impressions.columns)
        hint = f" Similar columns: {', '.join(alike)}." if alike else ""
        return f"{impressions.schema}.{impressions.name} has no column {name}.{hint}"
    if name in (spec.user, spec.artwork, spec.viewed_at):
        return f"Column {name} is filled with the impression itself."
    if column.generated:
        return f"Column {name} is GENERATED ALWAYS and takes no value."
    refusal = case.evidence.defaults.get(name)
    if refusal is None:
        return None
    return (
        f"PostgreSQL refuses {expression!r} for a column of type {column.type}: {refusal.message}."
    )


def _mended(impressions: Relation, name: str) -> str:
    column = impressions.columns.get(name)
    if column is not None and column.required:
        return f"{{{name}: {_guess(column)}}}"
    return f"{{}}  # without {name}"


def _guess(column: Column) -> str:
    """An expression of the column's type that is a likely value for it."""
    if column.cast == "uuid":
        return "gen_random_uuid()"
    match column.category:
        case "S":
            return '"gen_random_uuid()::text"' if "id" in column.name.lower() else "\"''\""
        case "N":
            return '"0"'
        case "B":
            return '"false"'
        case "D":
            return "now()"
    return f"\"'<value>'::{column.type}\""
