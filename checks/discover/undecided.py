"""Columns of users and artworks that may leave rows out, and whose names don't say so: nobody but a
person knows."""

from __future__ import annotations

from checks.discover.answers import Question
from checks.discover.candidates import Candidate
from checks.discover.sampling import Sampler
from checks.discover.tables import Table
from checks.doctor.own_values import plain
from checks.made_rows import mentions
from checks.relations import Column
from checks.statements import identifier

_MOST_COLUMNS = 12
_ENOUGH_ROWS = 20
_FEW, _SELDOM = 12, 0.5
"""More different texts, or set in more of the rows, tell no rows apart."""


async def undecided(sampler: Sampler, candidate: Candidate, said: str) -> list[Question]:
    """A question for each of the two tables that has some. `said`: all conditions so far."""
    asked = []
    for section, reference in (("users", candidate.user), ("artworks", candidate.artwork)):
        table, told, without = reference.table, [], []
        for column in _may_tell(table, reference.id, said)[:_MOST_COLUMNS]:
            text = await _told(sampler, table, column)
            if text is not None:
                told.append(text)
                without.append(_condition(column))
        if told:
            asked.append(_question(section, table, told, without))
    return asked


def _may_tell(table: Table, id_: str, said: str) -> list[Column]:
    led = {name for one in table.keys for name in one.columns}
    return [
        one
        for one in table.columns.values()
        if (one.cast == "boolean" or (one.category in "SE" and not one.not_null))
        and one.name not in {id_, *led}
        and not mentions(said, one.name)
    ]


async def _told(sampler: Sampler, table: Table, column: Column) -> str | None:
    names = {"rows": await sampler.rows(table), "column": identifier(column.name)}
    found = await sampler.first("discover_column", names)
    if found is None or found.rows < _ENOUGH_ROWS:
        return None
    if column.cast == "boolean":
        both = found.different > 1 or found.set < found.rows
        return f"{column.name} is true in {found.true:,} of {found.rows:,}" if both else None
    if 0 < found.set <= _SELDOM * found.rows and found.different <= _FEW:
        return f"{column.name} is set in {found.set:,} of {found.rows:,}"
    return None


def _condition(column: Column) -> str:
    name = plain(column.name)
    return name if column.cast == "boolean" else f"{name} IS NULL"


def _question(section: str, table: Table, told: list[str], without: list[str]) -> Question:
    return Question(
        f"catalog.{section}.where",
        f"Whether all rows of {table.configured} are {section} here, their names don't say:"
        f" {', '.join(told)}. All are counted as long as nothing else is said.",
        ("nothing: all are", *(f"where: {one}" for one in without)),
    )
