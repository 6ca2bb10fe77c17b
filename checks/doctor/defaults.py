"""What an impression is filled with beyond user, artwork and moment: columns that must be given.

A value is proposed only where no query of the application can take it for something else: the
moment at which a row is made, a key that is a random uuid, and what the artwork's, the user's or
the pair's own row has. A guess at anything else would write rows that nobody finds again, or that
belong to somebody else.
"""

from __future__ import annotations

from collections.abc import Iterator

from checks.doctor.access import listed, spelt_alike
from checks.doctor.column_words import says_written
from checks.doctor.findings import Finding, Mending, healing_error
from checks.doctor.input import DoctorInput, about, any_impressions
from checks.doctor.own_values import OwnValue
from checks.doctor.time_zones import MOMENTS
from checks.doctor.values import moment_value
from checks.relations import Column, Relation

_SETTING = "catalog.impressions.defaults"
_SAY = f"say it under {_SETTING}.{{}}, as an SQL expression."
_UUID_LENGTH = 36
_WITHOUT_DEFAULT = "column_without_default"
_CONSEQUENCE = "Every insert of a backfill would fail."
_MOST_COLUMNS = 10
"""Columns that are asked for one by one."""


@about(any_impressions)
def required_columns_are_filled(given: DoctorInput, impressions: Relation) -> Iterator[Finding]:
    """A NOT NULL column without default that neither we nor the operator fill."""
    own = _own_columns(given, impressions)
    if own is None:
        return
    filled = {*own, *given.spec.impressions.values}
    lacking = [one for one in impressions.columns.values() if one.required]
    lacking = [one for one in lacking if one.name not in filled]
    for column in lacking[:_MOST_COLUMNS]:
        yield healing_error(
            _WITHOUT_DEFAULT,
            f"{impressions.configured}.{column.name}",
            problem=f"The column ({column.type}) may not be null and has no default.",
            consequence=_CONSEQUENCE,
            **_filling(given, impressions, column),
        )
    more = [column.name for column in lacking[_MOST_COLUMNS:]]
    if more:
        yield healing_error(
            _WITHOUT_DEFAULT,
            impressions.configured,
            problem=(
                f"{len(more)} more columns may not be null and have no default: {listed(more)}."
            ),
            consequence=_CONSEQUENCE,
            remedy=(
                "A table of impressions has few such columns: name it under"
                f" catalog.impressions.table, or give each a value under {_SETTING}."
            ),
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


def _filling(given: DoctorInput, impressions: Relation, column: Column) -> Mending:
    """What belongs into the column, or who has to say so."""
    value = _value(given, impressions, column)
    if value is not None:
        return {"settings": {_SETTING: {column.name: value}}}
    say = _SAY.format(column.name)
    key = next((one for one in impressions.foreign_keys if column.name in one.columns), None)
    own = given.evidence.own_values.get(column.name, ())
    if key is None:
        told = "Only you know what belongs there"
    else:
        told = f"It refers to {key.target}, so no value can be guessed"
    if own:
        told += f" ({'; '.join(map(_compared, own))})"
    elif key is not None and given.spec.pairs.through is None:
        told += (
            ". Where the pair has one, as a pass or a membership has: catalog.pairs.through names"
            " what lists it, and pair.COLUMN is its value. Else"
        )
        return {"remedy": f"{told} {say}"}
    return {"remedy": f"{told}: {say}"}


def _value(given: DoctorInput, impressions: Relation, column: Column) -> str | None:
    own = _own_value(given.evidence.own_values.get(column.name, ()), column)
    if own is not None:
        return own.source
    if any(column.name in key.columns for key in impressions.foreign_keys):
        return None
    if column.cast in MOMENTS and says_written(column.name):
        return moment_value(given, column)
    if given.evidence.random_key == column.name:
        return "gen_random_uuid()" if column.cast == "uuid" else "gen_random_uuid()::text"
    return None


def _own_value(found: tuple[OwnValue, ...], column: Column) -> OwnValue | None:
    """The one that holds: those that the rows prove before what only foreign keys say."""
    held = [one for one in found if one.holds]
    proven = [one for one in held if one.rows]
    if not proven and len(held) > 1:
        return None
    same_name = [one for one in proven if one.source.rpartition(".")[2].strip('"') == column.name]
    return next(iter(same_name or proven or held), None)


def _compared(one: OwnValue) -> str:
    if one.rows == 0:
        return f"{one.source} may be it"
    return f"{one.source} is another in {one.rows - one.equal:,} of {one.rows:,} impressions"


def may_be_random(impressions: Relation) -> Column | None:
    """The primary key, if it has to be filled and its type holds a uuid."""
    primary = next((one for one in impressions.indexes if one.primary), None)
    if primary is None or len(primary.columns) != 1 or primary.columns[0] is None:
        return None
    column = impressions.columns[primary.columns[0]]
    texts = {"text", "character varying", f"character varying({_UUID_LENGTH})"}
    fits = column.type == "uuid" or column.type in texts
    return column if column.required and fits else None
