"""What the configuration names and the database lacks, and what the role may not do.

Tables, columns, what filters read; a missing privilege is named with the GRANT that gives it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher

from checks.catalogue import parse_name
from checks.doctor.ddl import columns, quoted
from checks.doctor.findings import TABLE_MISSING, Finding, Mending, error, healing_error, warning
from checks.doctor.input import DoctorInput
from checks.relations import OtherRelation, Relation
from checks.sequences import DrawnSequence
from checks.spec import TableRole

_VIEWED_AT = "catalog.impressions.viewed_at"
_NOT_BACKFILLED = "Nothing can be backfilled."
_NOT_BROUGHT = "No row that is there can be brought to count."
_ALIKE = 0.6  # difflib's own idea of a close match
_SUGGESTIONS = 3
_MOST_NAMED = 20
"""Columns of a table that a sentence lists."""
NO_PRIVILEGE = "42501"


def missing_tables(given: DoctorInput) -> Iterator[Finding]:
    """No relation under the configured name."""
    by_name: dict[str, list[str]] = {}
    for schema, name in given.evidence.relations:
        by_name.setdefault(name, []).append(f"{_configurable(schema)}.{_configurable(name)}")
    for role, relation in given.facts.tables:
        if relation is not None:
            continue
        _, wanted = parse_name(role.table)
        alike = [full for name in similar(wanted, by_name) for full in sorted(by_name[name])]
        meant = [full for name in spelt_alike(wanted, by_name) for full in by_name[name]]
        hint = f" Similar names there: {', '.join(alike)}." if alike else ""
        yield error(
            TABLE_MISSING,
            role.table,
            problem=(
                f"Role {given.facts.role} finds no table or view named {role.table} in database "
                f"{given.evidence.surroundings.database}.{hint}"
            ),
            consequence="Nothing can be counted or healed without it.",
            **_rename(role.setting("table"), meant),
        )


def missing_columns(given: DoctorInput) -> Iterator[Finding]:
    """A configured column that its table lacks. `impressions.defaults` has a rule of its own."""
    for role, relation in given.facts.found:
        for name in role.read:
            if name in relation.columns:
                continue
            # The first where several settings name the same column.
            setting = next(key for key, column in role.columns.items() if column == name)
            alike = similar(name, relation.columns)
            there = listed(alike or tuple(relation.columns))
            yield error(
                "column_missing",
                f"{relation.configured}.{name}",
                problem=(
                    f"{relation.kind.value.capitalize()} {relation.schema}.{relation.name} has no "
                    f"column {name} ({role.setting(setting)})."
                    f" {'Similar' if alike else 'Its'} columns: {there or 'none'}."
                ),
                consequence="Nothing can be counted or healed without it.",
                **_rename_column(given, role.setting(setting), spelt_alike(name, relation.columns)),
            )


def filters_run(given: DoctorInput) -> Iterator[Finding]:
    """A `where` that PostgreSQL refuses; a lack of table privileges is reported as just that."""
    for role, relation in given.facts.found:
        for setting, text in role.conditions.items():
            refusal = given.evidence.filters.get(setting)
            lacking = not relation.can_select or is_lacking(given, setting)
            if refusal is None or (refusal.sqlstate == NO_PRIVILEGE and lacking):
                continue
            yield error(
                "filter_refused",
                setting,
                problem=f"PostgreSQL refuses the filter {text!r}: {refusal.message}.",
                consequence="Nothing can be counted or healed with it.",
                remedy=(
                    f"Correct {setting}: an SQL condition over the columns of {relation.schema}."
                    f"{relation.name} alone."
                ),
            )


def tables_are_readable(given: DoctorInput) -> Iterator[Finding]:
    """SELECT on the columns that the statements name."""
    for role, relation in given.facts.found:
        if relation.can_select:
            continue
        names = [name for name in role.read if name in relation.columns]
        told = "every column" if role.reads_whole_rows else ", ".join(names)
        yield error(
            "no_select",
            relation.configured,
            problem=f"Role {given.facts.role} may not read {told}.",
            consequence="Nothing can be counted or healed.",
            statements=_grant(given, relation, _reading(role, names)),
        )


def others_are_readable(given: DoctorInput) -> Iterator[Finding]:
    """SELECT on what else the operator's SQL reads."""
    values = given.spec.impressions.expressions
    for one in given.facts.read_elsewhere:
        if one.can_select and one.can_use_schema:
            continue
        only_written = all(setting in values for setting in one.settings)
        yield (healing_error if only_written else error)(
            "no_select_elsewhere",
            f"{one.schema}.{one.name}",
            problem=f"{' and '.join(one.settings)}: role {given.facts.role} may not read it.",
            consequence="Nothing can be healed." if only_written else "Nothing can be counted.",
            statements=_grant(given, one, "SELECT"),
        )


def is_lacking(given: DoctorInput, setting: str) -> bool:
    """Whether a privilege is named already that the setting lacks."""
    return any(
        setting in one.settings and not (one.can_select and one.can_use_schema)
        for one in given.facts.read_elsewhere
    )


def impressions_are_insertable(given: DoctorInput) -> Iterator[Finding]:
    """INSERT on the columns that are written, UPDATE on those of `set`, and DELETE."""
    for role, relation in given.facts.found:
        if not role.written or not relation.takes_writes:
            continue
        may_update = relation.can_update or not role.updated
        for code, verb, allowed, wanted, consequence in (
            ("no_insert", "insert", relation.can_insert, role.written, _NOT_BACKFILLED),
            ("no_update", "update", may_update, role.updated, _NOT_BROUGHT),
        ):
            if allowed:
                continue
            names = [name for name in wanted if name in relation.columns]
            yield healing_error(
                code,
                relation.configured,
                problem=f"Role {given.facts.role} may not {verb} {', '.join(names)}.",
                consequence=consequence,
                statements=_grant(given, relation, f"{verb.upper()} {columns(*names)}"),
            )
        if not relation.can_delete:
            yield warning(
                "no_delete",
                relation.configured,
                problem=f"Role {given.facts.role} may not delete impressions.",
                consequence="Backfills work, but `undo` can't take them back.",
                statements=_grant(given, relation, "DELETE"),
            )


def sequences_are_usable(given: DoctorInput) -> Iterator[Finding]:
    """nextval() in a default runs as the inserting role; INSERT alone does not allow it."""
    for one in {
        one.quoted: one for one in given.evidence.sequences if not one.may_advance
    }.values():
        yield healing_error(
            "no_sequence_usage",
            one.quoted,
            problem=(
                f"Role {given.facts.role} may not advance the sequence that fills column"
                f" {one.column}."
            ),
            consequence="Every insert of a backfill would fail.",
            statements=_grant_on(given, one, "USAGE"),
        )


def sequences_last(given: DoctorInput) -> Iterator[Finding]:
    """A sequence that has run out fails the app's inserts, and nothing puts values back."""
    for one in given.evidence.sequences:
        if one.left is None:
            yield healing_error(
                "sequence_hidden",
                one.quoted,
                problem=(
                    f"How far it has come behind column {one.column} is hidden from role"
                    f" {given.facts.role}."
                ),
                consequence="Healing draws from it, and is refused while this is not known.",
                statements=_grant_on(given, one, "SELECT"),
            )
        elif 2 * one.left < one.size:
            yield warning(
                "sequence_runs_out",
                one.quoted,
                problem=(
                    f"It has {one.left:,} of {one.size:,} values left for column {one.column}"
                    f" ({one.type}), which ends at {one.last:,}."
                ),
                consequence=(
                    "Where it runs out, the application's inserts fail, too. Each backfilled"
                    " impression takes one; a plan that takes more than half of what is left is"
                    " refused."
                ),
                remedy=(
                    "-- its owner makes room in time; a users.where that leaves dormant users out"
                    " saves values"
                ),
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


def listed(names: Sequence[str]) -> str:
    """The names, of very many the first."""
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def similar(wanted: str, names: Iterable[str]) -> tuple[str, ...]:
    """The names most like `wanted`, best first, whatever their capitals and underscores."""
    rated = sorted(((_likeness(wanted, name), name) for name in names), key=lambda r: (-r[0], r[1]))
    return tuple(name for likeness, name in rated if likeness >= _ALIKE)[:_SUGGESTIONS]


def spelt_alike(wanted: str, names: Iterable[str]) -> tuple[str, ...]:
    """The names that are `wanted` but for capitals, underscores and a plural's s.

    Only these may be proposed: `updated_at` is most like `created_at`, and something else.
    """
    bare = bare_name(wanted).removesuffix("s")
    return tuple(name for name in names if bare_name(name).removesuffix("s") == bare)


def bare_name(name: str) -> str:
    """The name without capitals, underscores and the like."""
    return "".join(character for character in name.lower() if character.isalnum())


def _likeness(left: str, right: str) -> float:
    return SequenceMatcher(None, bare_name(left), bare_name(right)).ratio()


def _rename(setting: str, meant: Sequence[str]) -> Mending:
    if len(meant) == 1:
        return {"settings": {setting: meant[0]}}
    unknown = ", or null where the table does not say" if setting == _VIEWED_AT else ""
    return {"remedy": f"Say under {setting} what it is called{unknown}."}


def _rename_column(given: DoctorInput, setting: str, meant: Sequence[str]) -> Mending:
    """`pairs.same` and `key` are lists, and proposed whole."""
    path, _, place = setting.partition("[")
    if setting == _VIEWED_AT and not meant:
        return {"remedy": f"Say under {setting} what it is called, or null where none says when."}
    if len(meant) != 1 or not place:
        return _rename(setting, meant)
    number, _, side = place.partition("]")
    if not side:
        key = list(given.spec.impressions.key)
        return {"settings": {path: [*key[: int(number)], *meant, *key[int(number) + 1 :]]}}
    same = [{"user": one.user, "artwork": one.artwork} for one in given.spec.pairs.same]
    same[int(number)][side.removeprefix(".")] = meant[0]
    return {"settings": {path: same}}


def _configurable(name: str) -> str:
    """A part of a table name as config.yaml wants it: quoted only when dots or quotes are in it."""
    return f'"{name.replace(chr(34), chr(34) * 2)}"' if set(name) & set('."') else name


def _reading(role: TableRole, names: list[str]) -> str:
    """Columns where we know them all; a filter may read any other."""
    return "SELECT" if role.reads_whole_rows else f"SELECT {columns(*names)}"


def _grant_on(given: DoctorInput, one: DrawnSequence, privilege: str) -> str:
    return f"GRANT {privilege} ON SEQUENCE {one.quoted} TO {quoted(given.facts.role)};"


def _grant(given: DoctorInput, relation: Relation | OtherRelation, privilege: str) -> str:
    role = quoted(given.facts.role)
    grant = f"GRANT {privilege} ON {quoted(relation.schema, relation.name)} TO {role};"
    if relation.can_use_schema:
        return grant
    return f"GRANT USAGE ON SCHEMA {quoted(relation.schema)} TO {role};\n{grant}"
