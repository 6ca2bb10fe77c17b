"""What an impression is filled with beyond user, artwork and moment: `impressions.defaults`.

A value is proposed only where no query of the application can take it for something else: the
moment at which a row is made, and a key that is a random uuid. A guess at anything else would write
rows that nobody finds again, or that belong to somebody else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from psycopg import sql

from checks.doctor.access import bare_name, similar, spelt_alike
from checks.doctor.findings import Finding, Mending, healing_error
from checks.doctor.input import DoctorInput, about, any_impressions
from checks.doctor.time_zones import DATE, MOMENTS, WITHOUT_ZONE, is_local_time
from checks.relations import Column, ForeignKey, Relation

SESSION = "this session"
"""The name that catalogue_clocks has for the connection's own TimeZone."""

_SETTING = "catalog.impressions.defaults"
_FAILS = "Every insert of a backfill would fail."
_MADE_AT = frozenset(
    {"createdat", "createdon", "insertedat", "updatedat", "updatedon", "modifiedat", "changedat"}
)
"""Bare names of columns that say when their row was written."""
_PLAIN_CLOCK = re.compile(
    r"\s*(now\(\)|(clock|statement|transaction)_timestamp\(\)"
    r"|(CURRENT_TIMESTAMP|LOCALTIMESTAMP)(\(\d\))?|CURRENT_DATE)\s*",
    re.IGNORECASE,
)
"""An expression that is nothing but a reading of the clock."""
_UUID_LENGTH = 36


@about(any_impressions)
def required_columns_are_filled(given: DoctorInput, impressions: Relation) -> Iterator[Finding]:
    """A NOT NULL column without default that neither we nor the operator fill."""
    own = _own_columns(given, impressions)
    if own is None:
        return
    filled = {*own, *given.spec.impressions.defaults}
    for column in impressions.columns.values():
        if not column.required or column.name in filled:
            continue
        yield healing_error(
            "column_without_default",
            f"{impressions.configured}.{column.name}",
            problem=f"The column ({column.type}) may not be null and has no default.",
            consequence=_FAILS,
            **_filling(given, impressions, column),
        )


def _own_columns(given: DoctorInput, impressions: Relation) -> set[str] | None:
    """The columns of user, artwork and moment, by the names that they have.

    None where one can't be found: whatever must be given may be that one.
    """
    spec, found = given.spec.impressions, set[str]()
    for name in spec.filled:
        there = name in impressions.columns
        names = (name,) if there else spelt_alike(name, impressions.columns)
        if len(names) != 1:
            return None
        found.add(names[0])
    return found


@about(any_impressions)
def defaults_fill_columns(given: DoctorInput, impressions: Relation) -> Iterator[Finding]:
    """Each of `impressions.defaults`: a column that is there, and ours to fill, with what fits."""
    for name, expression in given.spec.impressions.defaults.items():
        problem = _problem(given, impressions, name, expression)
        column = impressions.columns.get(name)
        if problem is not None:
            needed = column is not None and column.required
            yield healing_error(
                "default_unusable",
                f"{_SETTING}.{name}",
                problem=problem,
                consequence=_FAILS,
                remedy="Correct the expression." if needed else "Correct it, or take it out.",
            )
        elif column is not None and is_local_time(column, expression):
            yield from _in_session_zone(given, column, expression)


def _in_session_zone(given: DoctorInput, column: Column, expression: str) -> Iterator[Finding]:
    """now() becomes what the clock of our session shows, in a column that the app reads in its."""
    zone = given.spec.timezone
    for clock in given.evidence.clocks:
        if clock.source != SESSION or clock.agrees:
            continue
        mending: Mending = {"remedy": f"Convert it: {_now(column, zone)}."}
        if _PLAIN_CLOCK.fullmatch(expression):
            mending = {"settings": {_SETTING: {column.name: _now(column, zone)}}}
        yield healing_error(
            "default_in_session_zone",
            f"{_SETTING}.{column.name}",
            problem=(
                f"{expression.strip()} becomes local time in a column without time zone, and this "
                f"session is in {clock.zone}, not in catalog.timezone ({zone})."
            ),
            consequence="What a backfill writes would be off by the difference.",
            **mending,
        )


def _problem(given: DoctorInput, impressions: Relation, name: str, expression: str) -> str | None:
    spec = given.spec.impressions
    column = impressions.columns.get(name)
    if column is None:
        alike = similar(name, impressions.columns)
        hint = f" Similar columns: {', '.join(alike)}." if alike else ""
        return f"{impressions.schema}.{impressions.name} has no column {name}.{hint}"
    if name in spec.filled:
        return f"Column {name} is filled with the impression itself."
    if column.generated:
        return f"Column {name} is GENERATED ALWAYS and takes no value."
    refusal = given.evidence.values.get(f"{_SETTING}.{name}")
    if refusal is None:
        return None
    return (
        f"PostgreSQL refuses {expression!r} for a column of type {column.type}: {refusal.message}."
    )


def _filling(given: DoctorInput, impressions: Relation, column: Column) -> Mending:
    """What belongs into the column, or who has to say so."""
    key = next((one for one in impressions.foreign_keys if column.name in one.columns), None)
    if key is not None:
        return {"remedy": _referred(given, key, column.name)}
    if column.cast in MOMENTS and bare_name(column.name) in _MADE_AT:
        return {"settings": {_SETTING: {column.name: _now(column, given.spec.timezone)}}}
    if given.evidence.random_key == column.name:
        made = "gen_random_uuid()" if column.cast == "uuid" else "gen_random_uuid()::text"
        return {"settings": {_SETTING: {column.name: made}}}
    if _may_be_the_artworks(given, column):
        return {
            "remedy": (
                f"The artworks have a column {column.name} too. If the value is the artwork's own, "
                f"that can't be configured yet; else {_SAY.format(column.name)}"
            )
        }
    return {"remedy": f"Only you know what belongs there: {_SAY.format(column.name)}"}


def _may_be_the_artworks(given: DoctorInput, column: Column) -> bool:
    """The artworks have such a column, which is neither their key nor a moment of their own."""
    artworks, name = given.facts.artworks, column.name
    if artworks is None or name == given.spec.artworks.id or column.cast in MOMENTS:
        return False
    return name in artworks.columns and artworks.columns[name].cast == column.cast


_SAY = f"say it under {_SETTING}.{{}}, as an SQL expression."


def _referred(given: DoctorInput, key: ForeignKey, name: str) -> str:
    """Where the value of a foreign key comes from: the artwork or the user may have it."""
    for owner, relation in (("artwork", given.facts.artworks), ("user", given.facts.users)):
        own = None if relation is None else _same_reference(relation, key, name)
        if own is not None:
            return (
                f"It refers to {key.target}, as {owner}.{own} does: the value is the {owner}'s "
                "own, and that can't be configured yet. It can be counted."
            )
    return f"It refers to {key.target}, so no value can be guessed: {_SAY.format(name)}"


def _same_reference(relation: Relation, key: ForeignKey, name: str) -> str | None:
    """The relation's column that refers to the same: that of the same name, else the only one."""
    place = key.columns.index(name)
    names = [
        other.columns[place]
        for other in relation.foreign_keys
        if (other.target_oid, other.target_columns) == (key.target_oid, key.target_columns)
    ]
    if name in names:
        return name
    return names[0] if len(names) == 1 else None


def may_be_random(impressions: Relation) -> Column | None:
    """The primary key, if it has to be filled and its type holds a uuid."""
    primary = next((one for one in impressions.indexes if one.primary), None)
    if primary is None or len(primary.columns) != 1 or primary.columns[0] is None:
        return None
    column = impressions.columns[primary.columns[0]]
    texts = {"text", "character varying", f"character varying({_UUID_LENGTH})"}
    fits = column.type == "uuid" or column.type in texts
    return column if column.required and fits else None


def _now(column: Column, zone: str) -> str:
    """The moment of writing, in the zone in which the column is read, whatever the session's."""
    if column.cast not in (WITHOUT_ZONE, DATE):
        return "now()"
    local = f"timezone({sql.Literal(zone).as_string(None)}, now())"
    return f"{local}::date" if column.cast == DATE else local
