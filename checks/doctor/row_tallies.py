"""How many rows say what in the columns that tell whether a row counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from psycopg import sql

from checks.doctor.column_words import Says, Sort, Telling, says_gone


class Reading(StrEnum):
    """What a flag, a moment or a number says; NULL is None, and a value stands for itself."""

    TRUE = "true"
    FALSE = "false"
    SET = "set"
    ZERO = "zero"
    """0, or a moment of the first days of 1970."""
    ONE = "one"
    EPOCH = "epoch"
    """As large as minutes, seconds or fractions of them since 1970 are."""
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Statistics:
    """What the planner knows of one column."""

    nulls: float
    """Share of the rows, as are those of the values."""
    distinct_values: float
    """Negative: a share of the rows."""
    shares: Mapping[str, float]
    """By value as text, the most common ones."""
    reaches_zero: bool | None
    """The earliest moment sampled is of 1970, or the lowest number 0; None of other types."""

    def show_nothing(self, telling: Telling) -> bool:
        """No row of ANALYZE's sample was seen that doesn't count."""
        all_known = self.distinct_values == len(self.shares)
        match telling.sort, telling.says:
            case Sort.VALUE, _:
                return self.distinct_values == 1 and self.nulls == 0
            case Sort.FLAG, Says.COUNTS:
                return self.nulls == 0 and all_known and "f" not in self.shares
            case _, Says.COUNTS:
                return self.nulls == 0 and self.reaches_zero is False
            case Sort.MOMENT, _:
                return self.nulls == 1
            case _:
                return self.nulls == 1 or (all_known and self.shares.keys() <= {"f", "0"})

    def rows(self, telling: Telling, of: int) -> dict[str | None, int]:
        """About how many rows of so many say what."""
        shares: dict[str | None, float] = {None: self.nulls}
        for value, share in self.shares.items():
            reading = read(telling.sort, value)
            shares[reading] = shares.get(reading, 0.0) + share
        # What is rare is not among the most common values.
        rest = {
            Sort.FLAG: Reading.FALSE if "t" in self.shares else Reading.TRUE,
            Sort.MOMENT: Reading.SET,
            Sort.NUMBER: Reading.EPOCH,
        }.get(telling.sort)
        if rest is not None:
            shares[rest] = shares.get(rest, 0.0) + 1 - sum(shares.values())
        counted = {reading: round(share * of) for reading, share in shares.items()}
        return {reading: rows for reading, rows in counted.items() if rows > 0}


def read(sort: Sort, value: str) -> str:
    """What a value says, as the statement row_readings reads it."""
    if sort is Sort.FLAG:
        return Reading.TRUE if value == "t" else Reading.FALSE
    if sort is Sort.NUMBER:
        named = {"0": Reading.ZERO, "1": Reading.ONE}
        return named.get(value, Reading.EPOCH if int(value) >= EPOCH_FROM else Reading.OTHER)
    return Reading.SET if sort is Sort.MOMENT else value


EPOCH_FROM = 10_000_000
"""Minutes since 1970 were so many in 1989; whoever counts something gets there seldom."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How many rows say what in one column."""

    telling: Telling
    quoted: str
    """The column's name as it stands in SQL."""
    rows: Mapping[str | None, int] | None
    """By reading; None where it could not be told."""
    exact: bool = True
    """False for what the planner's statistics say."""

    @property
    def name(self) -> str:
        """The column's."""
        return self.telling.column.name

    @property
    def total(self) -> int:
        """Rows counted."""
        return sum((self.rows or {}).values())

    def excluding(self) -> dict[str | None, int]:
        """The rows that by this column do not count, or are gone; of a state, by its values."""
        rows, telling = self.rows or {}, self.telling
        if telling.sort is Sort.VALUE:
            return {value: n for value, n in rows.items() if value is not None and says_gone(value)}
        nothing = {None, Reading.FALSE, Reading.ZERO}
        if telling.says is Says.COUNTS:
            return {reading: n for reading, n in rows.items() if reading in nothing}
        if Reading.OTHER in rows:  # a count, a place in a list: neither a flag nor a moment
            return {}
        return {reading: n for reading, n in rows.items() if reading not in nothing}


def kept(tally: Tally) -> str:
    """The condition that leaves out what the column excludes, as SQL."""
    name, telling, rows = tally.quoted, tally.telling, tally.rows or {}
    counts, filled = telling.says is Says.COUNTS, telling.column.not_null
    match telling.sort:
        case Sort.FLAG:
            return name if counts else f"NOT {name}" if filled else f"{name} IS NOT TRUE"
        case Sort.MOMENT if Reading.ZERO in rows:
            return (
                f"{name} > '1971-01-01'" if counts else f"coalesce({name}, 'epoch') < '1971-01-01'"
            )
        case Sort.MOMENT:
            return f"{name} IS {'NOT NULL' if counts else 'NULL'}"
        case Sort.NUMBER if counts:
            return f"{name} <> 0" if Reading.ZERO in rows else f"{name} IS NOT NULL"
        case Sort.NUMBER:
            return f"{name} = 0" if filled else f"coalesce({name}, 0) = 0"
        case _ if filled and len(tally.excluding()) == 1:
            return f"{name} <> {literal(*tally.excluding())}"
        case _:
            gone = ", ".join(literal(value) for value in tally.excluding())
            return f"{name} NOT IN ({gone})" if filled else f"({name} IN ({gone})) IS NOT TRUE"


def literal(value: str | None) -> str:
    """A value as SQL."""
    return "NULL" if value is None else sql.Literal(value).as_string(None)


@dataclass(frozen=True, slots=True)
class Parent:
    """A table that has a row for each artwork or user, under the same id: accounts of visitors."""

    table: str
    """With its schema, as it stands in SQL."""
    key: str
    """Its column that has the ids."""
    tallies: Sequence[Tally]
    """Of those rows only."""


@dataclass(frozen=True, slots=True)
class KindRows:
    """The impressions of one kind."""

    kind: str | None
    rows: int
    ids: int
    artworks: int
    """Of the ids, those that the artworks table has."""


@dataclass(frozen=True, slots=True)
class RowEvidence:
    """What the rows of the three tables say about themselves."""

    tallies: Mapping[str, Sequence[Tally]] = field(default_factory=dict)
    """By role."""
    kinds: Mapping[str, Sequence[KindRows] | None] = field(default_factory=dict)
    """By column of the impressions; None where it could not be told."""
    parents: Mapping[str, Sequence[Parent]] = field(default_factory=dict)
    """By role."""
    mixed: frozenset[str] = frozenset()
    """Roles whose ids come back in rows that `where` leaves out, and that impressions are of."""

    def of(self, role: str, *says: Says) -> Iterator[Tally]:
        """The tallies of the columns that say one of these."""
        return (one for one in self.tallies.get(role, ()) if one.telling.says in says)
