"""What the configuration names and the database has not: tables, columns, what filters read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher

from checks.catalogue import parse_name
from checks.doctor.findings import Finding, error
from checks.doctor.input import DoctorInput, TableRole, found_tables, table_roles
from checks.relations import Relation

_ALIKE = 0.6  # difflib's own idea of a close match
_SUGGESTIONS = 3
_NO_PRIVILEGE = "42501"


def missing_tables(given: DoctorInput) -> Iterator[Finding]:
    """No relation under the configured name."""
    for role in table_roles(given.facts):
        if role.relation is None:
            yield _missing_table(given, role)


def missing_columns(given: DoctorInput) -> Iterator[Finding]:
    """A configured column that its table lacks. `impressions.defaults` has a rule of its own."""
    for role, relation in found_tables(given.facts):
        for name in role.needs.read:
            if name not in relation.columns:
                yield _missing_column(role, relation, name)


def filters_run(given: DoctorInput) -> Iterator[Finding]:
    """A `where` that PostgreSQL refuses; a lack of table privileges is reported as just that."""
    for role, relation in found_tables(given.facts):
        setting = f"catalog.{role.key}.where"
        refusal = given.evidence.filters.get(setting)
        if refusal is None or (refusal.sqlstate == _NO_PRIVILEGE and not relation.can_select):
            continue
        yield error(
            "filter_refused",
            setting,
            problem=f"PostgreSQL refuses the filter {role.where!r}: {refusal.message}.",
            consequence="Nothing can be counted or healed with it.",
            remedy=(
                f"{setting}: <an SQL condition over the columns of {relation.schema}."
                f"{relation.name} alone>"
            ),
        )


def similar(wanted: str, names: Iterable[str]) -> tuple[str, ...]:
    """The names most like `wanted`, best first, whatever their capitals and underscores."""
    rated = sorted(((_likeness(wanted, name), name) for name in names), key=lambda r: (-r[0], r[1]))
    return tuple(name for likeness, name in rated if likeness >= _ALIKE)[:_SUGGESTIONS]


def _missing_table(given: DoctorInput, role: TableRole) -> Finding:
    _, wanted = parse_name(role.configured)
    by_name: dict[str, list[str]] = {}
    for schema, name in given.evidence.relations:
        by_name.setdefault(name, []).append(f"{_configurable(schema)}.{_configurable(name)}")
    alike = [full for name in similar(wanted, by_name) for full in sorted(by_name[name])]
    hint = f" Similar names there: {', '.join(alike)}." if alike else ""
    return error(
        "table_missing",
        role.configured,
        problem=(
            f"Role {given.facts.role} finds no table or view named {role.configured} in database "
            f"{given.evidence.surroundings.database}.{hint}"
        ),
        consequence="Nothing can be counted or healed without it.",
        remedy=f"catalog.{role.key}.table: {alike[0] if alike else '<schema>.<table>'}",
    )


def _missing_column(role: TableRole, relation: Relation, name: str) -> Finding:
    # The first where several settings name the same column.
    setting = next(key for key, column in role.columns.items() if column == name)
    alike = similar(name, relation.columns)
    there = ", ".join(alike or tuple(relation.columns))
    return error(
        "column_missing",
        f"{relation.configured}.{name}",
        problem=(
            f"{relation.kind.value.capitalize()} {relation.schema}.{relation.name} has no column "
            f"{name}. {'Similar' if alike else 'Its'} columns: {there or 'none'}."
        ),
        consequence="Nothing can be counted or healed without it.",
        remedy=f"catalog.{role.key}.{setting}: {alike[0] if alike else '<column>'}",
    )


def _likeness(left: str, right: str) -> float:
    return SequenceMatcher(None, bare_name(left), bare_name(right)).ratio()


def bare_name(name: str) -> str:
    """The name without capitals, underscores and the like."""
    return "".join(character for character in name.lower() if character.isalnum())


def _configurable(name: str) -> str:
    """A part of a table name as config.yaml wants it: quoted only when dots or quotes are in it."""
    return f'"{name.replace(chr(34), chr(34) * 2)}"' if set(name) & set('."') else name
