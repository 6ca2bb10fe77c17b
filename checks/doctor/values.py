"""What is written beyond user, artwork and moment: the expressions of `impressions.set` and
`defaults`, each for a column that is there and ours to fill, with what fits."""

from __future__ import annotations

import re
from collections.abc import Iterator

from psycopg import sql

from checks.doctor.access import NO_PRIVILEGE, is_lacking, similar
from checks.doctor.findings import Finding, Mending, healing_error
from checks.doctor.input import DoctorInput, about, any_impressions
from checks.doctor.made_rows import NEW
from checks.doctor.time_zones import DATE, WITHOUT_ZONE, is_local_time
from checks.made_rows import ARTWORK, PAIR, USER, mentions
from checks.relations import Column, Relation

SESSION = "this session"
"""The name that catalogue_clocks has for the connection's own TimeZone."""

_PLAIN_CLOCK = re.compile(
    r"\s*(now\(\)|viewed_at|(clock|statement|transaction)_timestamp\(\)"
    r"|(CURRENT_TIMESTAMP|LOCALTIMESTAMP)(\(\d\))?|CURRENT_DATE)\s*",
    re.IGNORECASE,
)
"""An expression that is nothing but a reading of the clock."""
_UNDEFINED = frozenset({"42703", "42P01"})  # undefined_column, undefined_table
_NAMED = re.compile(r'(?<![\w"])("?)(artwork|user|pair)\1\s*\.\s*(?:"((?:[^"]|"")+)"|(\w+))', re.I)


@about(any_impressions)
def values_fit_columns(given: DoctorInput, impressions: Relation) -> Iterator[Finding]:
    """Each of `impressions.set` and `defaults`."""
    spec = given.spec.impressions
    for setting, (name, expression) in spec.expressions.items():
        refusal = given.evidence.values.get(setting)
        if refusal and refusal.sqlstate == NO_PRIVILEGE and is_lacking(given, setting):
            continue
        updates = setting.startswith("catalog.impressions.set.")
        taken = (spec.user, spec.artwork) if updates else spec.filled
        column = impressions.columns.get(name)
        problem = _problem(given, impressions, setting, name, expression, name in taken)
        if problem is not None:
            needed = column is not None and column.required
            yield healing_error(
                "set_unusable" if updates else "default_unusable",
                setting,
                problem=problem,
                consequence="Every insert of a backfill would fail."
                if not updates
                else "No row can be brought to count: healing would fail.",
                remedy="Correct the expression." if needed else "Correct it, or take it out.",
            )
        elif column is not None and _is_local_time(given, column, expression):
            yield from _in_session_zone(given, setting, column, expression)


def _problem(
    given: DoctorInput,
    impressions: Relation,
    setting: str,
    name: str,
    expression: str,
    is_filled: bool,
) -> str | None:
    column = impressions.columns.get(name)
    if column is None:
        return _not_there(impressions, name)
    if is_filled:
        return f"Column {name} is filled with the impression itself."
    if column.generated:
        return f"Column {name} is GENERATED ALWAYS and takes no value."
    refusal = given.evidence.values.get(setting)
    if refusal is None:
        return None
    if refusal.sqlstate in _UNDEFINED and (unknown := _unknown_name(given, expression)):
        return unknown
    return (
        f"PostgreSQL refuses {expression!r} for a column of type {column.type}: {refusal.message}."
    )


def _not_there(relation: Relation, name: str) -> str:
    alike = similar(name, relation.columns)
    hint = f" Similar columns: {', '.join(alike)}." if alike else ""
    return f"{relation.schema}.{relation.name} has no column {name}.{hint}"


def _unknown_name(given: DoctorInput, expression: str) -> str | None:
    """What the expression names of the pair's own rows, and they do not have."""
    facts = given.facts
    rows = {ARTWORK: facts.artworks, USER: facts.users, PAIR: facts.through}
    for _, alias, quoted_name, bare in _NAMED.findall(expression):
        relation = rows[alias.lower()]
        name = quoted_name.replace('""', '"') or bare.lower()
        if alias.lower() == PAIR and given.spec.pairs.through is None:
            return f"{alias}.{name} is a column of catalog.pairs.through, which is not set."
        if relation is not None and name not in relation.columns:
            return _not_there(relation, name)
    return None


def _is_local_time(given: DoctorInput, column: Column, expression: str) -> bool:
    """Whether a moment with a zone becomes the session's time in a column without one."""
    viewed = given.spec.impressions.viewed_at
    impressions = given.facts.impressions
    own = None if impressions is None else impressions.columns.get(str(viewed))
    has_zone = not isinstance(viewed, str) or (own is not None and own.has_time_zone)
    told = expression
    if has_zone and mentions(expression, "viewed_at"):
        told = f"{expression} now()"
    return is_local_time(column, told)


def _in_session_zone(
    given: DoctorInput, setting: str, column: Column, expression: str
) -> Iterator[Finding]:
    """now() becomes what the clock of our session shows, in a column that the app reads in its."""
    zone = given.spec.timezone
    for clock in given.evidence.clocks:
        if clock.source != SESSION or clock.agrees:
            continue
        moment = "viewed_at" if expression.strip().lower() == "viewed_at" else "now()"
        converted = in_zone(moment, column, zone)
        mending: Mending = {"remedy": f"Convert it: {converted}."}
        if _PLAIN_CLOCK.fullmatch(expression):
            place = setting.removesuffix(f".{column.name}")
            mending = {"settings": {place: {column.name: converted}}}
        yield healing_error(
            "default_in_session_zone",
            setting,
            problem=(
                f"{expression.strip()} becomes local time in a column without time zone, and this "
                f"session is in {clock.zone}, not in catalog.timezone ({zone})."
            ),
            consequence="What a backfill writes would be off by the difference.",
            **mending,
        )


def in_zone(moment: str, column: Column, zone: str) -> str:
    """A moment with a time zone as the column holds it, whatever the session's zone."""
    if column.cast not in (WITHOUT_ZONE, DATE):
        return moment
    local = f"timezone({sql.Literal(zone).as_string(None)}, {moment})"
    return f"{local}::date" if column.cast == DATE else local


def moment_value(given: DoctorInput, column: Column) -> str:
    """The moment of writing, for a column that holds moments."""
    zone, facts = given.spec.timezone, given.facts
    if facts.cluster is not None:  # Citus refuses the subselect in which viewed_at is named
        return in_zone("now()", column, zone)
    viewed = given.spec.impressions.viewed_at
    if not isinstance(viewed, str):
        return in_zone("viewed_at", column, zone)
    own = None if facts.impressions is None else facts.impressions.columns.get(viewed)
    alike = own is not None and (own.name == column.name or own.cast == column.cast)
    return "viewed_at" if alike else in_zone("now()", column, zone)


@about(any_impressions)
def made_rows_count(given: DoctorInput, impressions: Relation) -> Iterator[Finding]:
    """What healing writes becomes tracked."""
    spec, evidence = given.spec.impressions, given.evidence
    if evidence.values or any(f"catalog.impressions.{k}" in evidence.filters for k in _CONDITIONS):
        return  # which is told already
    for setting, made in evidence.made_rows.items():
        new = setting == NEW
        what = "A new row, as defaults and set make it," if new else "A row that set changes"
        if isinstance(made, str):
            yield healing_error(
                "made_rows_untold",
                setting,
                problem=f"{what} may or may not count, which could not be told: {made}.",
                consequence=_FOR_EVER,
                remedy="Say under catalog.impressions.defaults what the column gets.",
                accepted_as="made_rows_untold" if impressions.takes_writes else None,
            )
            continue
        fails = {"where": made.outside, "counts": made.uncounted}
        told = [
            f"catalog.impressions.{key} ({getattr(spec, key)}) is not true"
            f" {'of it' if made.made == 1 else f'in {rows:,} of {made.made:,} pairs tried'}"
            for key, rows in fails.items()
            if rows
        ]
        if told:
            yield healing_error(
                "made_rows_do_not_count",
                setting,
                problem=f"{what} would not count: {'; '.join(told)}.",
                consequence=_FOR_EVER,
                remedy=(
                    "Let defaults and set give the columns what where and counts ask for; or, if"
                    " set can't, leave it out: rows that are there are told and left alone then."
                ),
            )


@about(any_impressions)
def made_rows_are_shown(given: DoctorInput, impressions: Relation) -> Iterator[Finding]:
    """A view shows what healing writes through it."""
    told, base = given.evidence.hidden_by, impressions.base
    if told is None or base is None:
        return
    name = f"{base.relation.schema}.{base.relation.name}"
    yield healing_error(
        "view_hides_new_rows",
        impressions.configured,
        problem=f"It would not show the rows that healing writes: of them, {told} is not true.",
        consequence="Each run would fail, and keep nothing.",
        remedy=(
            "Say under catalog.impressions.defaults what the columns get that the view asks for;"
            f" where it does not show them, name {name} itself, and under"
            " catalog.impressions.where what the view says by its WHERE."
        ),
    )


_CONDITIONS = ("where", "counts")
_FOR_EVER = "If it doesn't, its pair stays legacy whatever is written: healing has no end."
