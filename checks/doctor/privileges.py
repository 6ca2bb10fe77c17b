"""What the role may do. A missing privilege is named with the GRANT that gives it."""

from __future__ import annotations

from collections.abc import Iterator

from checks.doctor.ddl import columns, quoted, table
from checks.doctor.findings import Finding, error, healing_error, warning
from checks.doctor.input import TABLES, DoctorInput, TableRole, found_tables
from checks.relations import Relation


def tables_are_readable(given: DoctorInput) -> Iterator[Finding]:
    """SELECT on the columns that the statements name."""
    for role, relation in found_tables(given.facts):
        if relation.can_select:
            continue
        names = [name for name in role.needs.read if name in relation.columns]
        yield error(
            "no_select",
            relation.configured,
            problem=f"Role {given.facts.role} may not read {', '.join(names)}.",
            consequence="Nothing can be counted or healed.",
            remedy=_grant(given, relation, _reading(role, names)),
        )


def impressions_are_insertable(given: DoctorInput) -> Iterator[Finding]:
    """INSERT on the columns that are written, and the sequences behind their neighbours."""
    for role, relation in found_tables(given.facts):
        if role.key != "impressions" or relation.kind not in TABLES:
            continue
        if not relation.can_insert:
            names = [name for name in role.needs.written if name in relation.columns]
            yield healing_error(
                "no_insert",
                relation.configured,
                problem=f"Role {given.facts.role} may not insert {', '.join(names)}.",
                consequence="Nothing can be backfilled.",
                remedy=_grant(given, relation, f"INSERT {columns(*names)}"),
            )
        if not relation.can_delete:
            yield warning(
                "no_delete",
                relation.configured,
                problem=f"Role {given.facts.role} may not delete impressions.",
                consequence="Backfills work, but `undo` can't take them back.",
                remedy=_grant(given, relation, "DELETE"),
            )


def sequences_are_usable(given: DoctorInput) -> Iterator[Finding]:
    """nextval() in a default runs as the inserting role; INSERT alone does not allow it."""
    for sequence in given.evidence.forbidden_sequences:
        yield healing_error(
            "no_sequence_usage",
            sequence,
            problem=f"Role {given.facts.role} may not advance the sequence behind a default.",
            consequence="Every insert of a backfill would fail.",
            remedy=f"GRANT USAGE ON SEQUENCE {sequence} TO {quoted(given.facts.role)};",
        )


def all_rows_are_visible(given: DoctorInput) -> Iterator[Finding]:
    """Row-level security hides rows without an error."""
    for _, relation in found_tables(given.facts):
        if not relation.row_security:
            continue
        yield error(
            "row_security",
            relation.configured,
            problem=f"Row-level security applies to role {given.facts.role} there.",
            consequence=(
                "Rows may be hidden without an error: counts would be wrong, and impressions that "
                "exist would look missing."
            ),
            remedy=f"ALTER ROLE {quoted(given.facts.role)} BYPASSRLS;",
        )


def state_schema_is_possible(given: DoctorInput) -> Iterator[Finding]:
    """The service's own schema is there and usable, or may be created."""
    around, role = given.evidence.surroundings, quoted(given.facts.role)
    schema = quoted(given.state_schema)
    if around.state_schema_exists and not around.can_use_state_schema:
        yield healing_error(
            "state_schema_unusable",
            given.state_schema,
            problem=f"Role {given.facts.role} may not use schema {given.state_schema}.",
            consequence="The service can't keep its runs and its ledger, so nothing may be healed.",
            remedy=f"GRANT USAGE ON SCHEMA {schema} TO {role};  -- conservator init --print-sql",
        )
    if not around.state_schema_exists and not around.can_create_schema:
        yield healing_error(
            "state_schema_missing",
            given.state_schema,
            problem=(
                f"There is no schema {given.state_schema}, and role {given.facts.role} may not "
                f"create one in database {around.database}."
            ),
            consequence="The service can't keep its runs and its ledger, so nothing may be healed.",
            remedy=f"CREATE SCHEMA {schema} AUTHORIZATION {role};",
        )


def _reading(role: TableRole, names: list[str]) -> str:
    """Columns where we know them all; a filter may read any other."""
    return "SELECT" if role.where is not None else f"SELECT {columns(*names)}"


def _grant(given: DoctorInput, relation: Relation, privilege: str) -> str:
    role = quoted(given.facts.role)
    grant = f"GRANT {privilege} ON {table(relation)} TO {role};"
    if relation.can_use_schema:
        return grant
    return f"GRANT USAGE ON SCHEMA {quoted(relation.schema)} TO {role};\n{grant}"
